"""Small records that a Packet is asked for."""

from __future__ import annotations

from typing import NamedTuple


class ExpertInfo(NamedTuple):
    """A piece of expert information, in Wireshark's words: severity "Error", "Warning", "Note", "Chat" or "Comment"."""

    severity: str
    group: str
    summary: str
    protocol: str


class DataSource(NamedTuple):
    """Bytes that were dissected: the frame, or what was reassembled, decrypted or decompressed."""

    name: str
    data: bytes
