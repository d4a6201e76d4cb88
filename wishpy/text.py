"""What a Packet shows to people: its tree, its bytes, its line in a list. Called from Packet's own methods."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from ._epan import Field, Packet


class _Writable(Protocol):
    def write(self, text: str, /) -> object: ...


def _lines(fields: Iterable[Field], depth: int) -> Iterator[str]:
    for field in fields:
        if not field.hidden:
            yield "    " * depth + field.text
            yield from _lines(field.children, depth + 1)


def tree_text(packet: Packet) -> str:
    """The tree as Wireshark shows it: a line a field, four blanks a level, hidden fields left out."""
    return "\n".join(_lines(packet.tree, 0))


def show(packet: Packet, file: _Writable | None = None) -> None:
    """Print the tree to file, or to sys.stdout."""
    (file or sys.stdout).write(tree_text(packet) + "\n")


def hex_lines(data: bytes) -> Iterator[str]:
    """Sixteen bytes a line: offset, hexadecimal, ASCII."""
    for offset in range(0, len(data), 16):
        row = data[offset : offset + 16]
        shown = "".join(chr(byte) if 32 <= byte < 127 else "." for byte in row)
        yield f"{offset:04x}  {row.hex(' '):<47}  {shown}"


def hexdump(packet: Packet, file: _Writable | None = None) -> None:
    """Print the frame's bytes to file, or to sys.stdout; then those of its other data sources, each under its name."""
    out = file or sys.stdout
    sources = packet.data_sources
    for name, data in sources.items():
        if len(sources) > 1:
            out.write(f"{name}:\n")
        out.write("".join(line + "\n" for line in hex_lines(data)))


def summary(packet: Packet) -> str:
    """The packet's line in Wireshark's list: the columns, as tshark prints them."""
    widths = {"No.": ">5", "Time": ">12", "Source": ">15", "Destination": "<15", "Protocol": "", "Length": "", "Info": ""}
    parts = []
    for title, text in packet.columns.items():
        parts.append(f"{text:{widths.get(title, '')}}")
        if title == "Source":
            parts.append("\N{RIGHTWARDS ARROW}")
    return " ".join(parts)
