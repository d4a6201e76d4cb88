"""Compare wishpy with tshark over the captures named on standard input, all in this one process; and what a worker
process says of the same captures with that, packet by packet, byte by byte of what is pickled.

For each capture: {"start": path} when it begins and {"path": ..., "frames": ..., "nodes": ..., "found": [...],
"let_off": [...]} at its end, a JSON object a line, so that a crash shows where it was; let off is what differs in
frames of which tshark itself says now this, now that. test_conformance runs two of these side by side.
"""

from __future__ import annotations

import itertools
import json
import logging
import os
import pickle
import sys
from collections.abc import Iterator
from typing import Any

sys.path.insert(0, os.path.join(os.path.dirname(__file__), os.pardir))

import oracle

import wishpy

COLUMNS = ["No.", "Time", "Source", "Destination", "Protocol", "Length", "Info"]
END = object()
MOST = 12  # differences reported for a file


def packets_of(path: str, errors: list[str], isolated: bool) -> Iterator[Any]:
    """The packets of a file; a FileError ends them and is noted."""
    try:
        with wishpy.Dissector(path, isolated=isolated) as dissector:
            yield from dissector
    except wishpy.FileError as error:
        errors.append(str(error))


def basics(packet: Any, frame: oracle.PdmlFrame, columns: dict[str, str]) -> list[str]:
    """The members of a Packet that are not its tree."""
    found = []
    # print_pdml_geninfo squeezes the seconds into a C int: only the rest of that division can be compared
    wrap = 2**32 * 10**9
    for name, mine, theirs in [
        ("number", packet.number, frame.number),
        ("length", packet.length, frame.length),
        ("captured_length", packet.captured_length, frame.captured_length),
        ("len(data)", len(packet.data), frame.captured_length),
        ("time_ns", (packet.time_ns or 0) % wrap, frame.time_ns % wrap),
        ("protocols", ":".join(packet.protocols), packet.get("frame.protocols", "")),
    ]:
        if mine != theirs:
            found.append(f"packet.{name}: tshark has {theirs!r}, wishpy {mine!r}")
    shown = {title: columns[title.lower().replace(".", "_")] for title in COLUMNS}
    if dict(packet.columns) != shown:
        found.append("columns: " + oracle.first_difference(shown, dict(packet.columns)))
    return found


def conform(path: str) -> dict[str, Any]:
    found: list[str] = []  # what is wrong with the file as a whole
    odd: dict[int, list[str]] = {}  # and with each frame
    failed: list[str] = []
    failed_there: list[str] = []
    runs = [
        oracle.json_frames(path),
        oracle.grouped_frames(path),
        oracle.pdml_frames(path),
        oracle.column_frames(path),
    ]
    count = nodes = 0
    here, there = packets_of(path, failed, False), packets_of(path, failed_there, True)
    for packet, other, *said in itertools.zip_longest(here, there, *runs, fillvalue=END):
        if (packet is END) != (other is END):
            found.append(f"{'in process' if packet is END else 'in a worker'} there are {count} frames, there are more")
        if packet is END or said[0] is END:
            found.append(f"{'tshark' if packet is END else 'wishpy'} has more than {count} frames")
            break
        pairs, grouped, pdml, columns = said
        count += 1
        nodes += len(pdml.nodes)
        wrong = basics(packet, pdml, columns)
        wrong += oracle.differences(
            [oracle.Node(layer) for layer in packet.layers], packet.to_dict(), pairs, grouped, pdml
        )
        if other is not END and pickle.dumps(packet) != pickle.dumps(other):
            wrong.append("a worker's packet is another one")
        if wrong:
            odd[count] = wrong
    for run in runs:
        run.close()
    status = runs[0].status
    theirs_failed = status in (oracle.CUT_SHORT, oracle.NOT_OPENED)
    if theirs_failed != bool(failed) and not any("more than" in line for line in found):
        found.append(f"tshark's exit status is {status}, wishpy raised {'FileError' if failed else 'nothing'}")
    if failed != failed_there:
        found.append(f"in process the file ended with {failed}, in a worker with {failed_there}")
    unsteady = oracle.unsteady_frames(path, set(odd)) if odd else set()
    lines = {True: [], False: found}  # type: dict[bool, list[str]]
    for number, wrong in odd.items():
        lines[number in unsteady] += [f"frame {number}: {line}" for line in wrong]
    return {"path": path, "frames": count, "nodes": nodes, "found": found[:MOST], "let_off": lines[True][:MOST]}


def main() -> None:
    logging.getLogger("wishpy").addHandler(logging.NullHandler())  # Wireshark's warnings; test_dissector looks at them
    for line in sys.stdin:
        path = line.rstrip("\n")
        print(json.dumps({"start": path}), flush=True)
        print(json.dumps(conform(path)), flush=True)


if __name__ == "__main__":
    main()
