"""What the tests of settings share: the trees of a capture under some settings, and tshark told the same."""

from __future__ import annotations

import re
from typing import Any

import oracle
import pytest
from conftest import DATA, SHARED

from wishpy import Dissector

HTTP3_ADDRESS = r"bytes 0x[0-9a-f]+ "  # 4.4 has an address of its memory in the text of HTTP/3's encoded headers


def capture(name: str) -> str:
    """The path of one of our own captures, or of a shared one where the name begins with "+"."""
    if not name.startswith("+"):
        return str(DATA / name)
    path = SHARED / name[1:]
    if not path.exists():
        pytest.skip(f"{name[1:]} is one of the shared captures, which are not here")
    return str(path)


def packet_trees(packets: Any) -> list[Any]:
    """For each packet what tshark -T json prints, and the lines of its tree (names are resolved in those alone)."""
    return [
        (oracle.expected_pairs(packet.tree), [node[:9] for node, _ in oracle.expected_pdml(packet.layers)])
        for packet in packets
    ]


def trees(path: str, **keywords: Any) -> list[Any]:
    with Dissector(path, **keywords) as packets:
        return packet_trees(packets)


def assert_as_tshark(
    path: str, words: list[str], mine: list[Any], lines: bool, *, env: dict[str, str] | None = None, varies: str = ""
) -> None:
    """`lines`: compare the lines of the trees too. `varies` matches what is not the same in two runs of tshark."""

    def steady(tree: Any) -> Any:
        return re.sub(varies, "", repr(tree)) if varies else tree

    pairs = list(oracle.json_frames(path, *words, env=env))
    assert list(map(steady, pairs)) == [steady(one) for one, _ in mine]
    if lines:
        nodes = [[node[:9] for node in frame.nodes] for frame in oracle.pdml_frames(path, *words, env=env)]
        assert list(map(steady, nodes)) == [steady(other) for _, other in mine]


def defaults(path: str, known: dict[str, list[Any]] = {}) -> list[Any]:  # noqa: B006  (a cache)
    if path not in known:
        known[path] = trees(path)
    return known[path]
