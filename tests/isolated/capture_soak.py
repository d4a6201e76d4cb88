"""Many short captures, live and of files: no descriptor, no block of memory, no thread is left.

usage: capture_soak.py opens|paths ROUNDS

glibc counts what its threads keep at hand as given out: the bytes are exact with
GLIBC_TUNABLES=glibc.malloc.tcache_count=0.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import os
import pickle
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


def every_path(path: str) -> None:
    """What the methods do, and the ways in which they fail."""
    for bad in ({"path": "/nonexistent"}, {"path": "/dev/null"}, {"path": path, "capture_filter": "x y"}):
        with contextlib.suppress(wishpy.Error):
            wishpy.Capturer(**bad)
    capturer = wishpy.Capturer(path=path)
    next(capturer), capturer._next_item(), capturer._poll(), capturer._wait_hints(), repr(capturer)
    del capturer
    raw = next(wishpy.Capturer(path=path))
    assert pickle.loads(pickle.dumps(raw)) == raw and raw.time and hash(raw) and repr(raw)
    wishpy.Capturer(path=path)._source_capsule()
    reader = pcapy.open_offline(path)
    reader.next(), reader.next_batch(5), reader.dispatch(5, print_nothing), reader.filtered_stats()
    for bad_call in (
        lambda: reader.loop(-1, lambda header, data: 1 / 0),
        lambda: reader.loop_filtered(-1, lambda *_: 1 / 0, 255, b"\1\2\3\4", 2, [80], [443], profile=1),
        lambda: reader.loop_filtered(-1, print_nothing, dpi_ports=[80, "x"]),
        lambda: reader.loop_filtered(-1, print_nothing, profile=5),
        lambda: reader.loop_to_buffer(-1, b"read only"),
        lambda: reader.setfilter("x y"),
        lambda: reader.stats(),
        lambda: reader.dump_open("/nonexistent/x"),
        lambda: pcapy.BPFProgram("x y"),
        lambda: pcapy.compile(1, 1, "x y", 1, 0),
        lambda: pcapy.open_offline("/nonexistent"),
    ):
        with contextlib.suppress(wishpy.Error, ZeroDivisionError, TypeError, ValueError, BufferError):
            bad_call()
    reader.loop_to_buffer(-1, bytearray(500), addr_set=b"\1\2\3\4", flow_cutoff=1)
    pcapy.BPFProgram("icmp").get_bpf(), pcapy.findalldevs(), wishpy.interfaces()
    with pcapy.open_offline(path) as again, again.dump_open("/dev/null") as dumper:
        again.loop(-1, dumper.dump)


def print_nothing(*_: object) -> None:
    return None


def paths(rounds: int) -> int:
    path = packet_file()
    for _ in range(50):
        every_path(path)
    before, memory, blocks = used(), allocated(), sys.getallocatedblocks()
    for _ in range(rounds):
        every_path(path)
    after, grown, more = used(), allocated() - memory, sys.getallocatedblocks() - blocks
    print(f"{rounds} rounds: descriptors and threads {before} -> {after}, {grown:+} bytes, {more:+} blocks")
    return 0 if before == after and grown < 100_000 and more < 250 else 1


def is_sanitized() -> bool:
    return "libasan" in Path("/proc/self/maps").read_text()


def used() -> tuple[int, int]:
    gc.collect()
    return len(os.listdir("/proc/self/fd")), threading.active_count()


class _MallocInfo(ctypes.Structure):
    _fields_ = [
        (name, ctypes.c_size_t)
        for name in "arena ordblks smblks hblks hblkhd usmblks fsmblks uordblks fordblks keepcost".split()
    ]


def allocated() -> int:
    """Bytes that malloc() has given out and not got back. The resident size says less: its heaps have holes."""
    if is_sanitized():
        return 0  # malloc() is another one there
    libc = ctypes.CDLL(None)
    if not hasattr(libc, "mallinfo2"):
        return 0
    libc.mallinfo2.restype = _MallocInfo
    info = libc.mallinfo2()
    return int(info.uordblks + info.hblkhd)


def most_bytes() -> int:
    """One object that each of 100 captures leaves behind is more."""
    return 2_000 if "tcache_count=0" in os.environ.get("GLIBC_TUNABLES", "") else 1_000_000


def opens(rounds: int) -> int:
    path = packet_file()
    with ThreadPoolExecutor(WORKERS) as pool:
        run = lambda count: list(pool.map(lambda number: one(number, path), range(count)))  # noqa: E731
        run(10 * WORKERS)
        before, memory, blocks = used(), allocated(), sys.getallocatedblocks()
        run(rounds)
        after, grown, more = used(), allocated() - memory, sys.getallocatedblocks() - blocks
    print(f"{rounds} captures: descriptors and threads {before} -> {after}, {grown:+} bytes, {more:+} blocks")
    return 0 if before == after and grown < most_bytes() and more < 1000 else 1


if __name__ == "__main__":
    sys.exit({"opens": opens, "paths": paths}[sys.argv[1]](int(sys.argv[2])))
