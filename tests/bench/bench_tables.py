"""What a table costs, beside libwireshark itself, tshark -T fields and the other ways from a capture to a DataFrame.

Every contender runs in a process of its own; they take turns, round after round, on one CPU; medians are compared.
The loop is compared with `floor fields` (../shared/bench/floor.c), the whole process with `tshark -T fields`.

usage: bench_tables.py [--dir DIR] [--rounds N] [--memory] [--frames] [--check]
"""

from __future__ import annotations

import argparse
import importlib.util
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

FRAMES = {
    "wishpy.scan().to_pandas()": "import sys, wishpy; print(len(wishpy.scan(sys.argv[1], sys.argv[2:]).to_pandas()))",
    "tshark -T fields, read_csv": """
import io, subprocess, sys, pandas
words = [word for name in sys.argv[2:] for word in ("-e", name)]
text = subprocess.run(["tshark", "-r", sys.argv[1], "-T", "fields", "-E", "occurrence=f", *words],
                      capture_output=True, check=True).stdout
print(len(pandas.read_csv(io.BytesIO(text), sep="\\t", names=sys.argv[2:])))
""",
    "scapy": """
import sys, pandas
from scapy.all import IP, TCP, PcapReader
print(len(pandas.DataFrame.from_records(
    ((float(p.time), p[IP].src if IP in p else None, p[TCP].dport if TCP in p else None, p.wirelen)
     for p in PcapReader(sys.argv[1])), columns=sys.argv[2:])))
""",
    "pyshark": """
import sys, pandas, pyshark
def rows():
    with pyshark.FileCapture(sys.argv[1], keep_packets=False) as packets:
        for p in packets:
            yield (p.sniff_time, p.ip.src if "ip" in p else None, int(p.tcp.dstport) if "tcp" in p else None,
                   int(p.length))
print(len(pandas.DataFrame.from_records(rows(), columns=sys.argv[2:])))
""",
}


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


def data_frames(capture: Path, rounds: int) -> None:
    """From a capture to a pandas.DataFrame of four columns, side by side."""
    print(f"\n{capture.name} to a pandas.DataFrame\n{'':28}{'CPU s':>8}{'from':>8}{'to':>8}{'MiB':>6}")
    found: dict[str, list[tuple[float, int]]] = {}
    for _ in range(rounds):
        for name, code in FRAMES.items():
            needed = name.partition(" ")[0]
            if needed in ("scapy", "pyshark") and importlib.util.find_spec(needed) is None:
                continue
            _, cpu, peak = run([sys.executable, "-c", code, str(capture), *NAMES])
            found.setdefault(name, []).append((cpu, peak))
    for name in FRAMES:
        if name in found:
            print(f"{name:28}{median_of([cpu for cpu, _ in found[name]])}{max(p for _, p in found[name]) / 1024:6.0f}")
        else:
            print(f"{name:28} is not installed")


def main() -> int:
    parser = argparse.ArgumentParser(description="what a table costs")
    parser.add_argument("--dir", type=Path, default=Path("build/bench"), help="where the benchmark captures are")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--memory", action="store_true", help="peak memory over a million packets too")
    parser.add_argument("--frames", action="store_true", help="beside pyshark and scapy too")
    parser.add_argument("--check", action="store_true", help="exit status 1 when a limit is exceeded")
    arguments = parser.parse_args()
    folder = arguments.dir.resolve()
    floor = build_floor(folder)
    if floor is None:
        return 1
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})   # inherited by every contender
    kept = [loops(folder / name, floor, arguments.rounds) for name in LIMITS]
    if arguments.memory:
        kept.append(memory(folder / "bench_large.pcap"))
    if arguments.frames:
        data_frames(folder / "bench_mixed.pcap", max(1, arguments.rounds // 3))
    return 1 if arguments.check and not all(kept) else 0


if __name__ == "__main__":
    sys.exit(main())
