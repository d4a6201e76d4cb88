"""Python's allocations fail, one after another, in wishpy._pcap. usage: capture_nomemory.py WORK CAPTURE [live]

Each step ends in MemoryError (or in what a program makes of it) or succeeds, and never crashes. Prints how many failed.
"""

from __future__ import annotations

import _testcapi
import pickle
import sys
import tempfile
from collections.abc import Callable
from typing import Any

import wishpy.pcapy as pcapy
from wishpy import Capturer, RawPacket, _pcap
from wishpy.errors import FileError, FilterError

path = sys.argv[2]
raw = next(Capturer(path=path))
out = tempfile.mktemp()


def ignore(*_: Any) -> None:
    return None


def iterate() -> None:
    with Capturer(path=path) as capturer:
        for packet in capturer:
            packet.data, packet.captured_length, packet.time  # noqa: B018


def items() -> None:
    capturer = Capturer(path=path)
    while capturer._next_item() is not None:
        pass


def polls() -> None:
    capturer = Capturer(path=path, count=3)
    try:
        while True:
            capturer._poll()
            capturer._wait_hints()
    except StopAsyncIteration:
        pass


def bad_filter() -> None:
    try:
        Capturer(path=path, capture_filter="tcp prot 80")
    except FilterError as error:
        assert error.position == 4


def bad_path() -> None:
    try:
        Capturer(path="/nonexistent")
    except FileError as error:
        assert error.errno == 2


def raw_packet() -> None:
    again = pickle.loads(pickle.dumps(RawPacket(b"abc", time_ns=5, length=9, linktype=1, interface="lo")))
    assert again == again and hash(again) and repr(again) and again.time


def capsule() -> None:
    capturer = Capturer(path=path)
    del capturer
    kept = Capturer(path=path)._source_capsule()
    del kept


def listing() -> None:
    _pcap.list_interfaces()  # not wishpy.interfaces(): without memory, dataclasses alone crash Python 3.13.0
    pcapy.findalldevs()


def following() -> None:
    reader = pcapy.open_offline(path)
    while True:
        header, _ = reader.next()
        if header is None:
            break
        header.getts(), header.getlen(), header.getcaplen()
    reader.getnet(), reader.datalink()


def looping() -> None:
    pcapy.open_offline(path).loop(-1, ignore)
    pcapy.open_offline(path).dispatch(3, ignore)


def filtering() -> None:
    reader = pcapy.open_offline(path)
    reader.setfilter("ip")
    reader.loop_filtered(-1, ignore, 255, b"\1\2\3\4", 1, [80], (443,), 53, 14, 1)
    reader.filtered_stats()
    pcapy.open_offline(path).loop_to_buffer(-1, bytearray(1000))


def batches() -> None:
    pcapy.open_offline(path).next_batch(100)


def dumping() -> None:
    reader = pcapy.open_offline(path)
    with reader.dump_open(out) as dumper:
        reader.loop(-1, dumper.dump)


def programs() -> None:
    program = pcapy.BPFProgram("icmp")
    program.filter(raw.data)
    program.get_bpf()
    pcapy.compile(1, 65535, "tcp", 1, 0)


def bad_programs() -> None:
    try:
        pcapy.BPFProgram("x y z")
    except pcapy.BPFError:
        pass
    try:
        pcapy.compile(1, 1, "x y z", 1, 0)
    except pcapy.PcapError:
        pass


def live() -> None:
    with Capturer("lo", buffer_size=1 << 20, duration=0.001, capture_filter="tcp port 1") as capturer:
        list(capturer)
        capturer.stats()
    reader = pcapy.open_live("lo", 65535, 1, 1)
    reader.stats()
    reader.close()


WORKS: dict[str, Callable[[], None]] = {
    work.__name__: work
    for work in (
        iterate, items, polls, bad_filter, bad_path, raw_packet, capsule, listing, following, looping, filtering,
        batches, dumping, programs, bad_programs, live,
    )
}  # fmt: skip


def attempt(work: Callable[[], None], allowed: int) -> bool:
    """Run with so many allocations before they fail; True when it came through. Other exceptions go through."""
    _testcapi.set_nomemory(allowed)
    try:
        work()
    except MemoryError:
        return False
    finally:
        _testcapi.remove_mem_hooks()
    return True


def main() -> int:
    work = WORKS[sys.argv[1]]
    work()
    failed = 0
    while not attempt(work, failed):
        failed += 1
        assert failed < 100_000
    work()
    print(f"{failed} failed")
    return 0 if failed > 3 else 1


if __name__ == "__main__":
    sys.exit(main())
