"""What wishpy costs beside libwireshark itself: `make bench`.

CPU time of loops over a capture, as a ratio to that of the floor program (../shared/bench/floor.c), which does the same
dissection in C and makes nothing of it; beside tshark writing the same file out. Every contender runs in a process of
its own; they take turns, round after round, on one CPU; the medians are compared. wishpy and floor time their loop
alone, without start-up; tshark cannot, so its time is the whole process's, with about 0.4 s of start-up.

usage: bench.py [--dir DIR] [--rounds N] [--memory] [--check] [CAPTURE ...]
"""

from __future__ import annotations

import argparse
import os
import shlex
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).resolve().parent
SHARED = Path(os.environ.get("SHARED", HERE.parents[2] / "shared")).resolve()
FOUR_NAMES = ["ip.src", "ip.dst", "ip.proto", "frame.len"]


@dataclass
class Contender:
    name: str
    command: list[str]
    floor: str | None = None   # the mode of the floor program that it is compared with
    limit: float | None = None   # the ratio that it must not exceed
    seconds: list[float] = field(default_factory=list)
    read_seconds: Callable[[str, float], float] = lambda output, cpu: float(output.rsplit("cpu=", 1)[1])

    @property
    def median(self) -> float:
        return statistics.median(self.seconds)


def whole_process(output: str, cpu: float) -> float:
    return cpu


def run(command: Sequence[str]) -> tuple[str, float, int]:
    """The standard output (what is small of it), CPU seconds and peak RSS in KiB of one process."""
    with tempfile.TemporaryFile() as errors:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors)
        assert process.stdout is not None
        output = b""
        while block := process.stdout.read(1 << 20):
            output = (output + block)[-4096:]
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode != 0:
            errors.seek(0)
            message = errors.read().decode(errors="replace")
            sys.exit(f"{shlex.join(command)}: exit status {process.returncode}\n{message}")
    return output.decode(errors="replace"), usage.ru_utime + usage.ru_stime, usage.ru_maxrss


def wishpy(work: str, capture: Path) -> list[str]:
    return [sys.executable, str(HERE / "loops.py"), work, str(capture), *FOUR_NAMES]


def tshark(capture: Path, *words: str) -> list[str]:
    return ["tshark", "-r", str(capture), *words]


def build_floor(folder: Path) -> Path | None:
    source = SHARED / "bench" / "floor.c"
    if not source.exists():
        print(f"No {source} here: times only, no ratios to the floor.")
        return None
    program = folder / "floor"
    if not program.exists() or program.stat().st_mtime < source.stat().st_mtime:
        subprocess.run(["make", "-s", "-B", "-C", source.parent, f"OUT={program}"], check=True)
    return program


def contenders(capture: Path, floor: Path | None) -> list[Contender]:
    found = []
    if floor is not None:
        found += [
            Contender("floor tree", [str(floor), "tree", str(capture)], "tree"),
            Contender("floor fields", [str(floor), "fields", str(capture), *FOUR_NAMES], "fields"),
        ]
    found += [
        Contender("for packet in Dissector", wishpy("iterate", capture), "tree", 1.10),
        Contender("... three fields read", wishpy("three", capture), "tree", 1.15),
        Contender("... to_dict()", wishpy("to_dict", capture), "tree", 1.35),
        Contender("fields=[four], all read", wishpy("fields", capture), "fields", 1.25),
    ]
    if shutil.which("tshark"):
        names = [word for name in FOUR_NAMES for word in ("-e", name)]
        for words in (["-T", "json"], ["-T", "ek"], ["-T", "fields", *names]):
            against = "fields" if words[1] == "fields" else "tree"
            label = "tshark " + " ".join(words[:2])
            found.append(Contender(label, tshark(capture, *words), against, read_seconds=whole_process))
    else:
        print("No tshark here: wishpy and the floor alone.")
    return found


def measure(capture: Path, floor: Path | None, rounds: int) -> list[Contender]:
    found = contenders(capture, floor)
    for number in range(rounds):
        for contender in found:
            if sys.stderr.isatty():
                print(f"\r\033[K{capture.name}, round {number + 1}: {contender.name}", end="", file=sys.stderr)
            output, cpu, _ = run(contender.command)
            contender.seconds.append(contender.read_seconds(output, cpu))
    if sys.stderr.isatty():
        print("\r\033[K", end="", file=sys.stderr)
    return found


def report(capture: Path, found: list[Contender]) -> bool:
    """Prints the table; whether every limit was kept."""
    floors = {contender.floor: contender.median for contender in found if contender.name.startswith("floor")}
    kept = True
    print(f"\n{capture.name}\n{'':28}{'CPU s':>8}{'from':>8}{'to':>8}{'/ floor':>9}{'limit':>7}")
    for contender in found:
        row = f"{contender.name:28}{contender.median:8.3f}{min(contender.seconds):8.3f}{max(contender.seconds):8.3f}"
        if contender.floor in floors:
            ratio = contender.median / floors[contender.floor]
            row += f"{ratio:9.3f}"
            if contender.limit is not None:
                over = ratio > contender.limit
                kept = kept and not over
                row += f"{contender.limit:7.2f}" + ("  OVER" if over else "")
        print(row)
    return kept


def memory(folder: Path) -> bool:
    """Peak RSS of to_dict() over a million packets, beside tshark -T json."""
    capture = folder / "bench_large.pcap"
    if not capture.exists():
        subprocess.run([SHARED / "captures" / "make_bench", folder, "--large"], check=True)
    _, _, ours = run(wishpy("to_dict", capture))
    _, _, theirs = run(tshark(capture, "-T", "json"))
    ratio = ours / theirs
    print(f"\n{capture.name}: peak RSS\n{'... to_dict()':28}{ours / 1024:8.0f} MiB")
    print(f"{'tshark -T json':28}{theirs / 1024:8.0f} MiB{ratio:13.3f}{1.10:7.2f}" + ("  OVER" if ratio > 1.10 else ""))
    return ratio <= 1.10


def captures_in(folder: Path) -> list[Path]:
    captures = [folder / "bench_bulk.pcap", folder / "bench_signalling.pcap"]
    if not all(capture.exists() for capture in captures):
        maker = SHARED / "captures" / "make_bench"
        if not maker.exists():
            sys.exit(f"No {maker} here to build the benchmark captures with: name a capture file of your own.")
        print(f"Building the benchmark captures in {folder}")
        subprocess.run([maker, folder], check=True, stdout=subprocess.DEVNULL)
    return captures


def main() -> int:
    parser = argparse.ArgumentParser(description="wishpy's cost beside libwireshark's own")
    parser.add_argument("--dir", type=Path, default=Path("build/bench"), help="where the benchmark captures are")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--memory", action="store_true", help="peak memory over a million packets too; takes minutes")
    parser.add_argument("--check", action="store_true", help="exit status 1 when a limit is exceeded")
    parser.add_argument("capture", nargs="*", type=Path)
    arguments = parser.parse_args()

    arguments.dir.mkdir(parents=True, exist_ok=True)
    folder = arguments.dir.resolve()
    captures = arguments.capture or captures_in(folder)
    floor = build_floor(folder)
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})   # inherited by every contender
    kept = [report(capture, measure(capture, floor, arguments.rounds)) for capture in captures]
    if arguments.memory:
        kept.append(memory(folder))
    return 1 if arguments.check and not all(kept) else 0


if __name__ == "__main__":
    sys.exit(main())
