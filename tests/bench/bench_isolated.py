"""What a worker process costs beside the same work in this one: `bench_isolated.py [--dir DIR] [--rounds N] [CAPTURE]`.

Three limits: a loop that only counts packets, CPU of both processes against that of the floor program (see bench.py);
to_dict() in a worker against the same in process, wall time and CPU. Each figure is the median of rounds that take
turns. Two processors with nothing else to do are needed for the wall time. Opening the capture is left out.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent


def loop(work: str, capture: str, isolated: bool) -> None:
    """In a process of its own: one loop, timed."""
    import loops

    import wishpy
    import wishpy.isolated

    def cpu() -> float:
        workers = [process.program.pid for process in wishpy.isolated._alive]
        clocks = [~worker << 3 | 2 for worker in workers]   # as clock_getcpuclockid() makes them
        return time.process_time() + sum(time.clock_gettime(clock) for clock in clocks)

    with wishpy.Dissector(capture, isolated=isolated, count=1) as first:   # a worker is warm afterwards
        list(first)
    time.sleep(0.3)
    with wishpy.Dissector(capture, isolated=isolated) as packets:
        start, spent = time.perf_counter(), cpu()
        loops.LOOPS[work](packets, [])
        print(f"wall={time.perf_counter() - start:.3f} cpu={cpu() - spent:.3f}")


def main() -> int:
    import bench

    parser = argparse.ArgumentParser(description="workers beside one process")
    parser.add_argument("--dir", type=Path, default=Path("build/bench"))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--check", action="store_true", help="exit status 1 when a limit is exceeded")
    parser.add_argument("capture", nargs="?", type=Path)
    arguments = parser.parse_args()
    arguments.dir.mkdir(parents=True, exist_ok=True)
    capture = arguments.capture or bench.captures_in(arguments.dir.resolve())[0]
    floor = bench.build_floor(arguments.dir.resolve())
    runs = {
        f"{work} {where}": [sys.executable, __file__, "--loop", work, str(capture), where]
        for work in ("iterate", "to_dict") for where in ("here", "worker")
    }  # fmt: skip
    if floor is not None:
        runs["floor tree"] = [str(floor), "tree", str(capture)]
    walls: dict[str, list[float]] = {name: [] for name in runs}
    cpus: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(arguments.rounds):
        for name, command in runs.items():
            said = dict(word.split("=") for word in bench.run(command)[0].split() if "=" in word)
            cpus[name].append(float(said["cpu"]))
            walls[name].append(float(said.get("wall", "nan")))
    cpu = {name: statistics.median(times) for name, times in cpus.items()}
    wall = {name: statistics.median(times) for name, times in walls.items()}
    for name in runs:
        print(f"{name:16} CPU {cpu[name]:7.3f}  wall {wall[name]:7.3f}")
    rows = [
        ("to_dict: wall, worker / here", wall["to_dict worker"] / wall["to_dict here"], 0.90),
        ("to_dict: CPU, worker / here", cpu["to_dict worker"] / cpu["to_dict here"], 1.25),
    ]
    if floor is not None:
        rows.append(("iterate: CPU, worker / floor tree", cpu["iterate worker"] / cpu["floor tree"], 1.30))
    for name, ratio, limit in rows:
        print(f"{name:36}{ratio:7.3f}{limit:7.2f}" + ("  OVER" if ratio > limit else ""))
    return 1 if arguments.check and any(ratio > limit for _, ratio, limit in rows) else 0


if __name__ == "__main__":
    if sys.argv[1:2] == ["--loop"]:
        loop(sys.argv[2], sys.argv[3], sys.argv[4] == "worker")
    else:
        sys.exit(main())
