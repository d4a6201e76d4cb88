"""What a Packet shows to people: its tree, its bytes, its line in a list. Called from Packet's own methods."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from ._epan import Field, Packet


class _Writable(Protocol):
    def write(self, text: str, /) -> object: ...


_DEEPEST_MARGIN = 40  # Wireshark indents no further


def _lines(fields: Iterable[Field], depth: int) -> Iterator[str]:
    for field in fields:
        if field.hidden:
            continue
        text = f"[{field.text}]" if field.generated else field.text
        yield "    " * min(depth, _DEEPEST_MARGIN) + text
        if field.name == "data" and field.type == "FT_PROTOCOL":
            raw = field.raw
            if raw is not None:  # bytes that no dissector knows are shown as they are
                yield ""
                yield from hex_lines(raw)
        yield from _lines(field.children, depth + 1)


def tree_text(packet: Packet) -> str:
    """The tree as tshark -V prints it: a line a field, four blanks a level, hidden fields left out."""
    return "\n".join(_lines(packet.tree, 0))


def show(packet: Packet, file: _Writable | None = None) -> None:
    """Print the tree to file, or to sys.stdout."""
    (file or sys.stdout).write(tree_text(packet) + "\n")


def hex_lines(data: bytes) -> Iterator[str]:
    """Sixteen bytes a line: offset, hexadecimal, ASCII."""
    digits = max(4, len(f"{max(len(data) - 1, 0):x}"))
    for offset in range(0, len(data), 16):
        row = data[offset : offset + 16]
        shown = "".join(chr(byte) if 32 <= byte < 127 else "." for byte in row)
        yield f"{offset:0{digits}x}  {row.hex(' '):<47}   {shown}"


def hexdump_text(packet: Packet) -> str:
    """The frame's bytes; then those of its other data sources, each under its name."""
    sources = packet.data_sources
    lines = []
    for name, data in sources:
        if len(sources) > 1:
            lines.append(f"{name}:")
        lines.extend(hex_lines(data))
    return "".join(line + "\n" for line in lines)


def hexdump(packet: Packet, file: _Writable | None = None) -> None:
    """Print hexdump_text() to file, or to sys.stdout."""
    (file or sys.stdout).write(hexdump_text(packet))


_WIDTHS = {"No.": ">5", "Time": ">10", "Source": ">12", "Destination": "<12"}


def summary(packet: Packet) -> str:
    """The packet's line in Wireshark's list: the columns, as tshark prints them."""
    parts = []
    for title, text in packet.columns.items():
        parts.append(f"{text:{_WIDTHS.get(title, '')}}")
        if title == "Source":
            parts.append("\N{RIGHTWARDS ARROW}")
    return " ".join(parts)
