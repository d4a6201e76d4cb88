"""The end of a gzip file that a full disk has cut: what makes it a whole one again. csrc/epan/writer.c calls it."""

from __future__ import annotations

import contextlib
import os
import struct
import zlib
from collections.abc import Iterator

_LAST_BLOCK = b"\x03\x00"  # of a deflate stream: an empty one
_PIECE = 1 << 20


def finish(fd: int) -> None:
    """End the file, which was cut where its deflate stream may end, and close the descriptor.

    Where not even the few bytes of an end find room it stays as it is: readers get all packets, and then complain.
    """
    try:
        if (length := os.fstat(fd).st_size) == 0:
            return
        checksum = size = 0
        for piece in _contents(fd):
            checksum = zlib.crc32(piece, checksum)
            size += len(piece)
        end = _LAST_BLOCK + struct.pack("<II", checksum, size & 0xFFFFFFFF)
        written = 0
        with contextlib.suppress(OSError):
            written = os.pwrite(fd, end, length)
        if written != len(end):
            os.ftruncate(fd, length)
    finally:
        os.close(fd)


def _contents(fd: int) -> Iterator[bytes]:
    decompressor = zlib.decompressobj(31)
    at = 0
    while data := os.pread(fd, _PIECE, at):
        at += len(data)
        while data:
            yield decompressor.decompress(data, _PIECE)
            data = decompressor.unconsumed_tail
    yield decompressor.flush()
