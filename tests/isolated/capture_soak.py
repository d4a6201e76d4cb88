"""Many short captures, live and of files: no descriptor, no block of memory, no thread is left.

usage: capture_soak.py opens ROUNDS
"""

from __future__ import annotations

import gc
import os
import resource
import socket
import struct
import sys
import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import wishpy
import wishpy.pcapy as pcapy

WORKERS = 48  # the kernel takes 40 ms for each, most of it waiting, so that they are opened side by side


def packet_file() -> str:
    folder = tempfile.mkdtemp()
    path = Path(folder) / "x.pcap"
    header = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1)
    path.write_bytes(header + b"".join(struct.pack("<4I", i, i, 60, 60) + b"x" * 60 for i in range(50)))
    return str(path)


def one(number: int, path: str) -> None:
    kind = number % 4
    if kind == 0:
        with wishpy.Capturer("lo", capture_filter="udp port 4712", buffer_size=1 << 20, count=1) as capturer:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
                s.sendto(b"x" * 30, ("127.0.0.1", 4712))
            assert len(list(capturer)) == 1
    elif kind == 1:
        reader = pcapy.open_live("lo", 65535, 1, 10)
        reader.setfilter("udp port 4713")
        assert reader.next() == (None, b"")
        reader.close()
    elif kind == 2:
        wishpy.Capturer("lo", buffer_size=1 << 20)  # left to the garbage collector
    else:
        assert len(list(wishpy.Capturer(path=path))) == 50
        try:
            wishpy.Capturer("lo", capture_filter="tcp prot")
        except wishpy.FilterError:
            pass


def used() -> tuple[int, int]:
    gc.collect()
    return len(os.listdir("/proc/self/fd")), threading.active_count()


def resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


def main() -> int:
    rounds = int(sys.argv[2])
    path = packet_file()
    with ThreadPoolExecutor(WORKERS) as pool:
        run = lambda count: list(pool.map(lambda number: one(number, path), range(count)))  # noqa: E731
        run(4 * WORKERS)
        before, memory, blocks = used(), resident(), sys.getallocatedblocks()
        run(rounds)
        after, grown, more = used(), resident() - memory, sys.getallocatedblocks() - blocks
    print(f"{rounds} captures: descriptors and threads {before} -> {after}, {grown:+} bytes, {more:+} blocks")
    sanitized = "libasan" in Path("/proc/self/maps").read_text()
    return 0 if before == after and (grown < 2_000_000 or sanitized) and more < 1000 else 1


if __name__ == "__main__":
    sys.exit(main())
