"""One loop over a capture, timed: the contenders that bench.py runs. usage: loops.py WORK CAPTURE NAME..."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable

import wishpy


def iterate(packets: Iterable[wishpy.Packet], names: list[str]) -> int:
    count = 0
    for _ in packets:
        count += 1
    return count


def three(packets: Iterable[wishpy.Packet], names: list[str]) -> int:
    count = 0
    first, second, third = names[:3]
    for packet in packets:
        packet.get(first)
        packet.get(second)
        packet.get(third)
        count += 1
    return count


def fields(packets: Iterable[wishpy.Packet], names: list[str]) -> int:
    count = 0
    for packet in packets:
        for name in names:
            packet.get(name)
        count += 1
    return count


def to_dict(packets: Iterable[wishpy.Packet], names: list[str]) -> int:
    count = 0
    for packet in packets:
        packet.to_dict()
        count += 1
    return count


LOOPS = {loop.__name__: loop for loop in (iterate, three, fields, to_dict)}


def main() -> None:
    work, capture, *names = sys.argv[1:]
    keywords = {"fields": names} if work == "fields" else {}
    with wishpy.Dissector(capture, **keywords) as packets:
        start = time.process_time()
        count = LOOPS[work](packets, names)
        seconds = time.process_time() - start
    print(f"{work} packets={count} cpu={seconds:.3f}")


if __name__ == "__main__":
    main()
