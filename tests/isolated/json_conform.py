"""Compare Packet.to_json with tshark over the captures named on standard input, all in this one process.

For each capture: {"start": path} when it begins and {"path": ..., "frames": ..., "found": [...]} at its end, a JSON
object a line, as isolated/conform.py has it. What differs from tshark in frames of which tshark says now this, now that
is left out; a text that is not the same from the tree and from its copy is not. The arguments name the styles.

"tshark" and "ek" must be, as JSON, what tshark prints. "wishpy" must be the tree of to_dict(), which test_conformance
holds against tshark, with each leaf in JSON's own type.
"""

from __future__ import annotations

import itertools
import json
import logging
import math
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

sys.path.insert(0, os.path.join(os.path.dirname(__file__), os.pardir))

import oracle

import wishpy

END = object()
MOST = 5  # differences reported for a file


def tshark_elements(path: str, *options: str) -> Iterator[Any]:
    """Whole elements of `tshark -T json --no-duplicate-keys`; of a repeated key the last, as json.loads has it."""

    def cut(run: oracle.Run) -> Iterator[Any]:
        for piece in oracle._json_pieces(run):
            yield json.loads(piece.decode("utf-8", "replace"))

    return oracle.Run(path, ["-T", "json", "--no-duplicate-keys", *options], cut)


def tshark_ek(path: str, *options: str, loads: Callable[[str], Any] = json.loads) -> Iterator[Any]:
    """The document lines of `tshark -T ek`, each with its index line before it."""

    def cut(run: oracle.Run) -> Iterator[Any]:
        index = None
        for piece in run.pieces(b"\n"):
            if piece.startswith(b'{"index":'):
                index = json.loads(piece)
            elif piece:
                yield index, loads(piece.decode("utf-8", "replace"))

    return oracle.Run(path, ["-T", "ek", *options], cut)


def as_json(value: Any) -> Any:
    """A native value as JSON has it."""
    if isinstance(value, dict):
        return {key: as_json(item) for key, item in value.items()}
    if isinstance(value, list):
        return [as_json(item) for item in value]
    if isinstance(value, bytes):
        return value.hex(":")
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, datetime):
        return value.isoformat(timespec="microseconds").removesuffix("+00:00")
    return value


def strict(value: Any) -> str:
    """For comparing: True is not 1, 1.0 is not 1, and the order of keys counts."""
    return repr(value)


def tree_order(mine: Any, theirs: Any) -> Any:
    """Theirs with the keys of each object in our order: that of tshark's -T ek is a hash table's from 4.4 on.

    Only what both have is moved, so that a key too many or too few is still seen.
    """
    if isinstance(mine, dict) and isinstance(theirs, dict):
        keys = [key for key in mine if key in theirs] + [key for key in theirs if key not in mine]
        return {key: tree_order(mine.get(key), theirs[key]) for key in keys}
    if isinstance(mine, list) and isinstance(theirs, list):
        return [tree_order(*both) for both in itertools.zip_longest(mine, theirs)][: len(theirs)]
    return theirs


def cut_times(mine: Any, theirs: Any) -> Any:
    """Ours has nanoseconds where a datetime has microseconds: cut, where the other is a time."""
    if isinstance(mine, dict) and isinstance(theirs, dict) and mine.keys() == theirs.keys():
        return {key: cut_times(item, theirs[key]) for key, item in mine.items()}
    if isinstance(mine, list) and isinstance(theirs, list) and len(mine) == len(theirs):
        return [cut_times(*both) for both in zip(mine, theirs)]
    if isinstance(mine, str) and isinstance(theirs, str) and mine != theirs and mine.endswith("Z"):
        return mine[:-4]
    return mine


def first_difference(mine: Any, theirs: Any, path: str = "") -> str:
    if isinstance(mine, dict) and isinstance(theirs, dict):
        if list(mine) != list(theirs):
            return f"{path}: keys {list(theirs)!r:.400} expected, {list(mine)!r:.400} got"
        for key in mine:
            if strict(mine[key]) != strict(theirs[key]):
                return first_difference(mine[key], theirs[key], f"{path}/{key}")
    if isinstance(mine, list) and isinstance(theirs, list) and len(mine) == len(theirs):
        for one, other in zip(mine, theirs):
            if strict(one) != strict(other):
                return first_difference(one, other, path + "[]")
    return f"{path}: {theirs!r:.300} expected, {mine!r:.300} got"


def ordered_ek(mine: Any, said: Any) -> Any:
    """The index and document of tshark, in which below "layers" 4.4 has an order that says nothing."""
    index, document = said
    if oracle.WIRESHARK < (4, 4):
        return said
    return index, {**document, "layers": tree_order(mine["layers"], document["layers"])}


def compare(style: str, packet: Any, said: Any) -> str | None:
    if style == "wishpy":
        theirs = as_json(packet.to_dict())
        mine = cut_times(json.loads(packet.to_json()), theirs)
    elif style == "tshark":
        theirs, mine = said, json.loads(packet.to_json(style="tshark"))
    else:
        index, document = packet._json_line("ek", False).decode().removesuffix("\n").split("\n")
        mine = (json.loads(index), json.loads(document))
        theirs = ordered_ek(mine[1], said)
        if strict(mine) == strict(theirs):
            mine = (mine[0], json.loads(packet.to_json(style="ek")))
    if strict(mine) == strict(theirs):
        return None
    mine, theirs = (mine[1], theirs[1]) if style == "ek" else (mine, theirs)
    return f"{style}: frame {packet.number}: {first_difference(mine, theirs)}"


def packets_of(path: str) -> Iterator[Any]:
    try:
        with wishpy.Dissector(path) as dissector:
            yield from dissector
    except wishpy.FileError:
        pass  # cut short: tshark stops there too


def not_the_same(packet: Any, styles: list[str]) -> list[str]:
    """A text made from the tree is the one made from the packet's copy, and, byte by byte, the command line's."""
    live = [packet.to_json(style) for style in styles]
    assert packet.tree is not None  # which copies it
    kept = [packet.to_json(style) for style in styles]
    lines = [packet._json_line(style, False).decode().split("\n")[-2] for style in styles]
    return [f"frame {packet.number}: {first_difference(live, other)}" for other in (kept, lines) if other != live]


def conform(path: str, styles: list[str]) -> dict[str, Any]:
    sources = {"wishpy": lambda path: itertools.repeat(None), "tshark": tshark_elements, "ek": tshark_ek}
    runs = [sources[style](path) for style in styles]
    found: list[str] = []
    odd: dict[int, list[str]] = {}
    frames = 0
    for packet, *said in itertools.zip_longest(packets_of(path), *runs, fillvalue=END):
        if packet is END or END in said:
            if any(one is not END for one, style in zip(said, styles) if style != "wishpy") or packet is not END:
                found.append("tshark and wishpy have different numbers of frames")
            break
        frames += 1
        if len(found) + len(odd) < MOST:
            found += not_the_same(packet, styles)
            wrong = list(filter(None, (compare(style, packet, one) for style, one in zip(styles, said))))
            if wrong:
                odd[packet.number] = wrong
    unsteady = oracle.unsteady_frames(path, set(odd)) if odd else set()
    found += [line for number, wrong in odd.items() if number not in unsteady for line in wrong]
    return {"path": path, "frames": frames, "found": found}


def main() -> None:
    logging.getLogger("wishpy").addHandler(logging.NullHandler())
    for line in sys.stdin:
        path = line.rstrip("\n")
        print(json.dumps({"start": path}), flush=True)
        print(json.dumps(conform(path, sys.argv[1:])), flush=True)


if __name__ == "__main__":
    try:
        main()
    except (BrokenPipeError, subprocess.SubprocessError):
        sys.exit(1)
