"""The pcapng file that `wishpy capture -w` writes: one section, one interface. Needs no libwireshark."""

from __future__ import annotations

import struct
import sys
from types import TracebackType
from typing import BinaryIO

from . import __version__

_SECTION, _INTERFACE, _PACKET = 0x0A0D0D0A, 1, 6
_IF_NAME, _IF_TSRESOL, _SHB_USERAPPL = 2, 9, 4

# Where libpcap's DLT number, which differs between systems, is not the number for files (pcap-common.c's table).
_FILE_NUMBERS = {11: 100, 12: 101, 14: 101, 15: 102, 16: 103, 19: 106}


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 4)


def _option(code: int, value: bytes) -> bytes:
    return struct.pack("=HH", code, len(value)) + _padded(value)


def _block(code: int, body: bytes) -> bytes:
    length = struct.pack("=I", len(body) + 12)
    return struct.pack("=I", code) + length + body + length


class PcapngFile:
    """Writes packets as they come; a context manager. "-" is standard output."""

    def __init__(self, path: str, *, linktype: int, snaplen: int, interface: str) -> None:
        self._is_own = path != "-"
        # Standard output is a pipe to somebody who waits; a file is written in large pieces.
        self._file: BinaryIO = open(path, "wb") if self._is_own else sys.stdout.buffer
        program = _option(_SHB_USERAPPL, f"wishpy {__version__}".encode()) + bytes(4)
        self._file.write(_block(_SECTION, struct.pack("=IHHq", 0x1A2B3C4D, 1, 0, -1) + program))
        options = _option(_IF_NAME, interface.encode()) + _option(_IF_TSRESOL, b"\x09") + bytes(4)
        number = _FILE_NUMBERS.get(linktype, linktype)
        self._file.write(_block(_INTERFACE, struct.pack("=HHI", number, 0, snaplen) + options))
        self._flush()

    def _flush(self) -> None:
        if not self._is_own:
            self._file.flush()

    def write(self, data: bytes, time_ns: int, length: int) -> None:
        header = struct.pack("=5I", 0, time_ns >> 32, time_ns & 0xFFFFFFFF, len(data), length)
        self._file.write(_block(_PACKET, header + _padded(data)))
        self._flush()

    def close(self) -> None:
        if self._is_own:
            self._file.close()
        else:
            self._file.flush()

    def __enter__(self) -> PcapngFile:
        return self

    def __exit__(
        self, type: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()
