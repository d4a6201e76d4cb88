"""What a table costs, beside libwireshark itself, tshark -T fields and the other ways from a capture to a DataFrame.

Every contender runs in a process of its own; they take turns, round after round, on one CPU; medians are compared.
The loop is compared with `floor fields` (../shared/bench/floor.c), the whole process with `tshark -T fields`.

usage: bench_tables.py [--dir DIR] [--rounds N] [--memory] [--frames N [--write PAGE]] [--check] [CAPTURE ...]
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
from pathlib import Path

from bench import build_floor, run

HERE = Path(__file__).resolve().parent
NAMES = ["frame.time", "ip.src", "tcp.dstport", "frame.len"]
WORDS = [word for name in NAMES for word in ("-e", name)]
LIMITS = {"bench_bulk.pcap": 0.50, "bench_signalling.pcap": 0.68}   # of tshark's whole process
LOOP_LIMIT = 1.15

LOOP = """
import sys, time
import wishpy
table = wishpy.scan(sys.argv[1], sys.argv[2:])
start = time.process_time()
rows = sum(batch.num_rows for batch in table.batches())
print(f"rows={rows} cpu={time.process_time() - start:.3f}")
"""

# From a capture to a DataFrame of typed columns, as each library's own documentation goes about it. Each program gets
# the capture and how many packets to read, and ends by printing how many values it found in each column.
PROLOGUE = """
import itertools, sys
import pandas
path, most = sys.argv[1], int(sys.argv[2])
names = ["frame.time", "ip.src", "tcp.dstport", "frame.len"]
"""
EPILOGUE = """
frame = frame.convert_dtypes()
assert isinstance(frame["frame.time"].dtype, pandas.DatetimeTZDtype), frame.dtypes
assert all(pandas.api.types.is_integer_dtype(frame[name]) for name in names[2:]), frame.dtypes
print("found", *(int(frame[name].count()) for name in names))
"""
FRAMES = {
    "wishpy.scan().to_pandas()": """
import wishpy
frame = wishpy.scan(path, names, count=most).to_pandas()
""",
    "tshark -T fields, read_csv": """
import subprocess
words = [word for name in ["frame.time_epoch", *names[1:]] for word in ("-e", name)]
tshark = subprocess.Popen(["tshark", "-r", path, "-c", str(most), "-T", "fields", "-E", "occurrence=f", *words],
                          stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
frame = pandas.read_csv(tshark.stdout, sep="\\t", names=names)
assert tshark.wait() == 0
frame["frame.time"] = pandas.to_datetime(frame["frame.time"], unit="s", utc=True)
""",
    "scapy": """
from scapy.all import IP, TCP, PcapReader
frame = pandas.DataFrame.from_records(
    ((int(p.time * 10**9), p[IP].src if IP in p else None, p[TCP].dport if TCP in p else None, p.wirelen)
     for p in itertools.islice(PcapReader(path), most)), columns=names)
frame["frame.time"] = pandas.to_datetime(frame["frame.time"], unit="ns", utc=True)
""",
    "pyshark": """
import pyshark
with pyshark.FileCapture(path, keep_packets=False) as packets:
    frame = pandas.DataFrame.from_records(
        ((float(p.sniff_timestamp), p.ip.src if "ip" in p else None, int(p.tcp.dstport) if "tcp" in p else None,
          int(p.length)) for p in itertools.islice(packets, most)), columns=names)
frame["frame.time"] = pandas.to_datetime(frame["frame.time"], unit="s", utc=True)
""",
}
SLOW = {"pyshark": 3_000}   # packets that it gets; all the others read the whole capture


def median_of(values: list[float]) -> str:
    return f"{statistics.median(values):8.3f}{min(values):8.3f}{max(values):8.3f}"


def loops(capture: Path, floor: Path, rounds: int) -> bool:
    """Loop over floor, whole process over tshark; whether both limits were kept."""
    times: dict[str, list[float]] = {"floor fields, loop": [], "wishpy, loop": [], "tshark": [], "wishpy": []}
    for _ in range(rounds):
        output, _, _ = run([str(floor), "fields", str(capture), *NAMES])
        times["floor fields, loop"].append(float(output.rsplit("cpu=", 1)[1]))
        output, cpu, _ = run([sys.executable, "-c", LOOP, str(capture), *NAMES])
        times["wishpy, loop"].append(float(output.rsplit("cpu=", 1)[1]))
        times["wishpy"].append(cpu)
        _, cpu, _ = run(["tshark", "-r", str(capture), "-T", "fields", *WORDS])
        times["tshark"].append(cpu)
    print(f"\n{capture.name}\n{'':28}{'CPU s':>8}{'from':>8}{'to':>8}")
    for name, values in times.items():
        print(f"{name:28}{median_of(values)}")
    middle = {name: statistics.median(values) for name, values in times.items()}
    loop, whole = middle["wishpy, loop"] / middle["floor fields, loop"], middle["wishpy"] / middle["tshark"]
    limit = LIMITS.get(capture.name, 1.0)
    print(f"{'loop / floor fields':28}{loop:8.3f}  limit {LOOP_LIMIT:.2f}" + ("  OVER" if loop > LOOP_LIMIT else ""))
    print(f"{'process / tshark':28}{whole:8.3f}  limit {limit:.2f}" + ("  OVER" if whole > limit else ""))
    return loop <= LOOP_LIMIT and whole <= limit


def memory(capture: Path) -> bool:
    """Peak RSS of batches() over a million packets, beside tshark -T fields."""
    _, _, ours = run([sys.executable, "-c", LOOP, str(capture), *NAMES])
    _, _, theirs = run(["tshark", "-r", str(capture), "-T", "fields", *WORDS])
    more = (ours - theirs) / 1024
    print(f"\n{capture.name}: peak RSS")
    print(f"{'batches()':28}{ours / 1024:8.0f} MiB\n{'tshark -T fields':28}{theirs / 1024:8.0f} MiB")
    print(f"{'difference':28}{more:8.0f} MiB  limit 30" + ("  OVER" if more > 30 else ""))
    return more <= 30


def is_there(name: str, folder: Path) -> bool:
    return name not in ("scapy", "pyshark") or (folder / name).is_dir()


def data_frames(capture: Path, rounds: int, contestants: Path) -> list[str]:
    """From a capture to a pandas.DataFrame of four columns, side by side: the lines of a table in Markdown."""
    os.environ["PYTHONPATH"] = str(contestants)
    measured: dict[str, list[tuple[float, int]]] = {}
    found: dict[str, list[int]] = {}
    names = [name for name in FRAMES if is_there(name, contestants)]
    for _ in range(rounds):
        for name in names:
            program = PROLOGUE + FRAMES[name] + EPILOGUE
            output, cpu, peak = run([sys.executable, "-c", program, str(capture), str(SLOW.get(name, 10**9))])
            measured.setdefault(name, []).append((cpu, peak))
            found[name] = [int(word) for word in output.rpartition("found ")[2].split()]
    lines = [
        "| | packets | CPU s | packets a CPU second | peak MiB | ip.src found | tcp.dstport found |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for name in names:
        cpu = statistics.median(seconds for seconds, _ in measured[name])
        packets, sources, ports, _ = found[name]
        peak = max(peak for _, peak in measured[name]) / 1024
        cells = [name, f"{packets:,}", f"{cpu:.2f}", f"{packets / cpu:,.0f}", f"{peak:.0f}"]
        lines.append("| " + " | ".join([*cells, f"{sources:,}", f"{ports:,}"]) + " |")
    return lines


def versions_of(contestants: Path) -> str:
    """What was measured, for whoever reads the table."""
    code = """
import importlib.metadata, platform, wishpy
print("Python", platform.python_version(), end=", libwireshark and tshark " + wishpy.versions()["libwireshark"])
for name in sys.argv[1:]:
    print(",", name, importlib.metadata.version(name), end="")
"""
    names = ["wishpy", "pandas", *(name for name in ("scapy", "pyshark") if is_there(name, contestants))]
    return run([sys.executable, "-c", "import sys" + code, *names])[0] + "."


def write_between(page: Path, name: str, lines: list[str]) -> None:
    """Puts the lines between the page's two comments of that name."""
    text = page.read_text()
    start, end = f"<!-- {name} -->\n", f"<!-- end of {name} -->"
    before, _, rest = text.partition(start)
    _, found, after = rest.partition(end)
    if not found:
        sys.exit(f"{page} has no place for {name}")
    page.write_text(before + start + "\n".join(lines) + "\n" + found + after)


def main() -> int:
    parser = argparse.ArgumentParser(description="what a table costs")
    parser.add_argument("--dir", type=Path, default=Path("build/bench"), help="where the benchmark captures are")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--memory", action="store_true", help="peak memory over a million packets too")
    parser.add_argument("--frames", type=int, metavar="N", default=0, help="rounds beside pyshark and scapy")
    parser.add_argument("--contestants", type=Path, help="the folder where pyshark and scapy are installed")
    parser.add_argument("--write", type=Path, metavar="PAGE", help="put that table into this page")
    parser.add_argument("--check", action="store_true", help="exit status 1 when a limit is exceeded")
    parser.add_argument("capture", nargs="*", type=Path, help="for the loops; else the benchmark captures")
    arguments = parser.parse_args()
    folder = arguments.dir.resolve()
    floor = build_floor(folder)
    if floor is None:
        return 1
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})   # inherited by every contender
    captures = arguments.capture or [folder / name for name in LIMITS]
    kept = [loops(capture, floor, arguments.rounds) for capture in captures if arguments.rounds > 0]
    if arguments.memory:
        kept.append(memory(folder / "bench_large.pcap"))
    if arguments.frames:
        contestants = (arguments.contestants or folder / "contestants").resolve()
        lines = data_frames(folder / "bench_mixed.pcap", arguments.frames, contestants)
        lines += ["", versions_of(contestants)]
        print("\nbench_mixed.pcap to a pandas.DataFrame", *lines, sep="\n")
        if arguments.write:
            write_between(arguments.write, "to a DataFrame", lines)
    return 1 if arguments.check and not all(kept) else 0


if __name__ == "__main__":
    sys.exit(main())
