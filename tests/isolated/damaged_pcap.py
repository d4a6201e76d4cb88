"""Damaged capture files through libpcap: all ways to read one agree, and none crashes.

usage: damaged_pcap.py ROUNDS SEED FILE...
"""

from __future__ import annotations

import os
import random
import struct
import sys
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import wishpy
from wishpy import pcapy

LENGTHS = (0, 1, 8, 12, 0x10000, 262_145, 0x1000000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)
ERRORS = (wishpy.FileError, wishpy.FilterError, pcapy.PcapError)


def damaged(data: bytes, rnd: random.Random) -> bytes:
    """Bytes changed, lengths that can't be, pieces missing; most often near the beginning, where the headers are."""
    bad = bytearray(data)
    for _ in range(rnd.randrange(1, 4)):
        at = rnd.randrange(min(len(bad), 400) if rnd.random() < 0.6 else len(bad))
        kind = rnd.randrange(4)
        if kind == 0:
            bad[at] = rnd.randrange(256)
        elif kind == 1:
            bad[at : at + 4] = struct.pack("<I", rnd.choice(LENGTHS))
        elif kind == 2:
            del bad[at : at + rnd.randrange(1, 40)]
        else:
            del bad[at + 1 :]
        bad = bad or bytearray(b"\n")
    return bytes(bad)


def through_capturer(path: str) -> list[bytes]:
    return [raw.data for raw in wishpy.Capturer(path=path) if raw.length >= 0 and raw.time_ns is not None]


def through_next(path: str) -> list[bytes]:
    reader = pcapy.open_offline(path)
    return [data for _, data in iter(reader.next, (None, b""))]


def through_loop(path: str) -> list[bytes]:
    found: list[bytes] = []
    pcapy.open_offline(path).loop(-1, lambda header, data: found.append(data))
    return found


def through_loop_filtered(path: str) -> list[bytes]:
    found: list[bytes] = []
    arguments: tuple[Any, ...] = (63, b"\xc0\x00\x02\x01", 2)
    pcapy.open_offline(path).loop_filtered(-1, lambda _, data, kind: found.append(data), *arguments, profile=1)
    return found


def through_buffer(path: str) -> list[bytes]:
    buffer = bytearray(1 << 20)
    used = pcapy.open_offline(path).loop_to_buffer(-1, buffer)[3]
    found, at = [], 0
    while at < used:
        (length,) = struct.unpack_from("<I", buffer, at)
        found.append(bytes(buffer[at + 5 : at + 5 + length]))
        at += 5 + length
    return found


def through_batch(path: str) -> list[bytes]:
    data, meta = pcapy.open_offline(path).next_batch(100_000)
    places = [struct.unpack_from("=4I", meta, at)[2:] for at in range(0, len(meta), 16)]
    return [data[offset : offset + length] for offset, length in places]


def through_filter(path: str) -> list[bytes]:
    return [raw.data for raw in wishpy.Capturer(path=path, capture_filter="greater 0")]


def through_pipe(path: str) -> list[bytes]:
    """In pieces that end anywhere."""
    reading, writing = os.pipe()

    def write() -> None:
        content = Path(path).read_bytes()
        with open(writing, "wb", buffering=0) as file:
            for at in range(0, len(content), 997):
                file.write(content[at : at + 997])

    thread = threading.Thread(target=write)
    thread.start()
    try:
        return through_capturer(f"/dev/fd/{reading}")
    finally:
        while os.read(reading, 65536):
            pass
        thread.join()
        os.close(reading)


WAYS: list[Callable[[str], list[bytes]]] = [
    through_capturer,
    through_next,
    through_loop,
    through_loop_filtered,
    through_buffer,
    through_batch,
    through_filter,
    through_pipe,
]


def outcome(way: Callable[[str], list[bytes]], path: str) -> list[bytes] | None:
    try:
        return way(path)
    except ERRORS:
        return None


def main(rounds: int, seed: int, names: list[str]) -> None:
    rnd = random.Random(seed)
    whole = [Path(name).read_bytes() for name in names]
    refused = 0
    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/damaged.pcap"
        for number in range(rounds):
            Path(path).write_bytes(damaged(rnd.choice(whole), rnd))
            outcomes = [outcome(way, path) for way in WAYS]
            # A link type that no filter can be compiled for is no damage to the others.
            compared = [found for way, found in zip(WAYS, outcomes) if way is not through_filter or found is not None]
            assert all(found == outcomes[0] for found in compared), (number, outcomes)
            refused += outcomes[0] is None
    assert 0 < refused < rounds
    print(f"{rounds} files, {refused} refused")


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:])
