"""What a notebook shows of a Packet. Everything in a packet is hostile data: no text of it goes out unescaped."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from typing import TYPE_CHECKING

from .text import hex_lines, summary

if TYPE_CHECKING:
    from ._epan import Field, Packet

MOST_LINES = 2000  # a notebook has to stay usable
MOST_BYTES = 16384

_STYLE = "font-family: monospace; white-space: pre-wrap; text-align: left"


def _text(text: str) -> str:
    """Escaped; <bdi> keeps writing directions within it from reaching out."""
    return f"<bdi>{escape(text)}</bdi>"


def _line(field: Field) -> str:
    return _text(f"[{field.text}]" if field.generated else field.text)


def _shown(fields: list[Field]) -> list[Field]:
    return [field for field in fields if not field.hidden]


def _tree(fields: list[Field]) -> Iterator[str]:
    """Without recursion: a hostile packet may be nested more deeply than Python likes."""
    waiting = [iter(_shown(fields))]
    lines = 0
    while waiting:
        field = next(waiting[-1], None)
        if field is None:
            waiting.pop()
            if waiting:
                yield "</div></details>"
            continue
        lines += 1
        if lines > MOST_LINES:
            yield "<div>\N{HORIZONTAL ELLIPSIS} and more: packet.show() prints all of it</div>"
            yield "</div></details>" * (len(waiting) - 1)
            return
        children = _shown(field.children)
        if children:
            yield f'<details><summary>{_line(field)}</summary><div style="margin-left: 1.5em">'
            waiting.append(iter(children))
        else:
            yield f"<div>{_line(field)}</div>"


def _bytes(name: str, data: bytes) -> str:
    lines = "\n".join(hex_lines(data[:MOST_BYTES]))
    if len(data) > MOST_BYTES:
        lines += f"\n\N{HORIZONTAL ELLIPSIS} and {len(data) - MOST_BYTES} bytes more: packet.hexdump() prints them all"
    return f'<details><summary>{_text(name)}</summary><pre style="margin-left: 1.5em">{escape(lines)}</pre></details>'


def packet_html(packet: Packet) -> str:
    """The packet's line in Wireshark's list, over its tree and its bytes, both to be unfolded."""
    tree = "".join(_tree(packet.tree))
    sources = "".join(_bytes(name, data) for name, data in packet.data_sources)
    heading = _text(f"{packet.number} {summary(packet)}" if "No." not in packet.columns else summary(packet))
    return f'<div class="wishpy-packet" style="{_STYLE}"><div><b>{heading}</b></div>{tree}{sources}</div>'
