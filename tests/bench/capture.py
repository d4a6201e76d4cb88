"""Side by side with pcapy-ng, in one run: CPU time of the ways to read a file, and whether memory stays flat.

usage: capture.py [--packets 1000000] [--rounds 5] [--file FILE]

Needs pcapy-ng (pip install pcapy-ng). Exit status 1 when a target is missed: 1.0 of pcapy-ng's time for next(), loop(),
next_batch() and loop_filtered(); 0.8 of its next() loop for iterating a Capturer; 2 MB of growth.
"""

from __future__ import annotations

import argparse
import random
import struct
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import wishpy.pcapy
from wishpy import Capturer

WATCHED = b"".join(struct.pack("!I", 0x0A000000 | i) for i in range(0, 5000, 10))


def write_file(path: str, count: int) -> None:
    """TCP and UDP of the sizes that networks have, from 5,000 hosts."""
    rnd = random.Random(1)
    with open(path, "wb") as file:
        file.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1))
        for i in range(count):
            size = rnd.choice((60, 60, 60, 90, 120, 200, 576, 1200, 1500))
            source, destination = 0x0A000000 | rnd.randrange(5000), 0xC0A80000 | rnd.randrange(5000)
            ports = struct.pack("!HH", rnd.randrange(1024, 65536), rnd.choice((53, 80, 443, 8080)))
            ip = struct.pack(
                "!BBHHHBBHII", 0x45, 0, size - 14, i & 0xFFFF, 0, 64, 6 if i % 3 else 17, 0, source, destination
            )
            tcp = ports + struct.pack("!IIBBHHH", i & 0xFFFFFFFF, 0, 0x50, 0x18, 1000, 0, 0)
            packet = (b"\2\0\0\0\0\1\2\0\0\0\0\2\x08\0" + ip + tcp).ljust(size, b"x")[:size]
            file.write(struct.pack("<4I", 1_700_000_000 + i // 1000, i % 1000 * 1000, size, size) + packet)


def with_next(pcapy: Any, path: str) -> int:
    reader, count = pcapy.open_offline(path), 0
    while True:
        header, _ = reader.next()
        if header is None:
            return count
        count += 1


def with_loop(pcapy: Any, path: str) -> int:
    count = 0

    def callback(header: Any, data: bytes) -> None:
        nonlocal count
        count += 1

    pcapy.open_offline(path).loop(-1, callback)
    return count


def with_next_batch(pcapy: Any, path: str) -> int:
    reader, count = pcapy.open_offline(path), 0
    while True:
        _, meta = reader.next_batch(1024)
        if not meta:
            return count
        count += len(meta) // 16


def with_loop_filtered(pcapy: Any, path: str) -> int:
    """Heads of flows and watched hosts; the rest is sorted out in C."""
    result = pcapy.open_offline(path).loop_filtered(-1, lambda header, data, c: None, 6, WATCHED, 3)
    return int(result[0] + result[1])


def with_capturer(_: Any, path: str) -> int:
    count = 0
    for raw in Capturer(path=path):
        raw.data  # noqa: B018
        count += 1
    return count


def cpu_time(work: Callable[[], int], rounds: int, expected: int) -> float:
    best = float("inf")
    for _ in range(rounds):
        begun = time.process_time()
        count = work()
        best = min(best, time.process_time() - begun)
        assert count == expected, (count, expected)
    return best


def resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


def compare(path: str, packets: int, rounds: int) -> bool:
    try:
        import pcapy
    except ImportError:
        sys.exit("pcapy-ng is not installed: pip install pcapy-ng")
    good = True
    reference = 0.0
    rows = [
        ("next()", with_next, 1.0),
        ("loop()", with_loop, 1.0),
        ("next_batch()", with_next_batch, 1.0),
        ("loop_filtered()", with_loop_filtered, 1.0),
        ("Capturer / next()", with_capturer, 0.8),
    ]
    print(f"{packets:,} packets, CPU seconds, best of {rounds}")
    print(f"{'':20}{'pcapy-ng':>10}{'wishpy':>10}{'ratio':>8}{'target':>8}   memory")
    for name, work, target in rows:
        if work is not with_capturer:
            theirs = cpu_time(lambda work=work: work(pcapy, path), rounds, packets)  # type: ignore[misc]
            reference = reference or theirs
        else:
            theirs = reference
        work(wishpy.pcapy, path)  # malloc() makes its mind up about large blocks
        before = resident()
        ours = cpu_time(lambda work=work: work(wishpy.pcapy, path), rounds, packets)  # type: ignore[misc]
        grown = resident() - before
        print(f"{name:20}{theirs:>10.3f}{ours:>10.3f}{ours / theirs:>8.2f}{target:>8.1f}   {grown:+,} bytes")
        good = good and ours <= target * theirs and grown < 2_000_000
    return good


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--packets", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--file", help="keep the capture here, and use it again")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = args.file or str(Path(folder) / "x.pcap")
        if not Path(path).exists():
            write_file(path, args.packets)
        return 0 if compare(path, args.packets, args.rounds) else 1


if __name__ == "__main__":
    sys.exit(main())
