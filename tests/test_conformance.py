"""Every frame of every capture here, node by node, against what tshark of this machine prints.

For each frame the tree of the Packet is written as `tshark -T json`, `-T json --no-duplicate-keys` and `-T pdml` would
write it, and must be that: the same nodes, order, nesting and repeats, names, printed values, offsets, lengths, texts,
hidden marks and bytes. Each native value must say what the printed value says, and to_dict() must hold the native
values in the shape of the JSON. The columns are those that tshark prints with a tree. See oracle.py.

The captures are read in two processes (isolated/conform.py), each opening hundreds of Dissectors one after another,
while each of tshark's runs is a fresh process: what a Dissector leaves behind would be seen as a difference.

Wireshark is not always deterministic: some dissectors read memory that nobody wrote. When a frame differs, tshark is
asked about it again, with other characters in such memory (see oracle.unsteady_frames); only where its own answers
differ from each other is the frame let off, with a warning that says so.
"""

from __future__ import annotations

import copy
import csv
import json
import os
import subprocess
import sys
import threading
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import oracle
import pytest
from conftest import DATA, ISOLATED, SHARED, captures_under, needs_tshark

import wishpy

# All captures are compared before the first test is done: with other work on the machine that takes its time.
pytestmark = [needs_tshark, pytest.mark.timeout(3600)]

OWN = captures_under(DATA)
OTHERS = captures_under(SHARED) if SHARED.is_dir() else []
CAPTURES = [*OWN, *OTHERS]
FUZZ = SHARED / "malformed" / "ndpi-fuzz-2020-02-16-11740.pcapng"
WORKERS = 2


def capture_id(path: Path) -> str:
    return f"data/{path.name}" if path.parent == DATA else str(path.relative_to(SHARED))


# --- the comparison, in processes of their own ----------------------------------------------------------------


class Worker(threading.Thread):
    """Feeds captures to isolated/conform.py; one on which the process dies is noted, and another process goes on."""

    def __init__(self, paths: list[str], results: dict[str, dict[str, Any]]) -> None:
        super().__init__()
        self.paths, self.results = paths, results
        self.broken: str | None = None  # what ended this thread, if it ended badly

    def run(self) -> None:
        left = list(self.paths)
        while left:
            started = self.feed(left)
            left = [path for path in left if path not in self.results]
            if left and started is None:
                self.broken = self.messages
                return

    def feed(self, paths: list[str]) -> str | None:
        """One process over these captures; returns the capture it began last."""
        process = subprocess.Popen(
            [sys.executable, "-X", "faulthandler", str(ISOLATED / "conform.py")],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=oracle_free(),
        )  # fmt: skip
        assert process.stdin and process.stdout and process.stderr
        kept: list[str] = []
        errors = threading.Thread(target=lambda stream=process.stderr: kept.append(stream.read()))
        errors.start()
        feeder = threading.Thread(target=feed_lines, args=(process.stdin, paths))
        feeder.start()
        started = None
        for line in process.stdout:
            said = json.loads(line)
            if "start" in said:
                started = said["start"]
            else:
                self.results[said["path"]] = said
        process.wait()
        feeder.join()
        errors.join()
        process.stdout.close()
        process.stderr.close()
        self.messages = kept[0]
        if started is not None and started not in self.results:
            death = f"the process ended with status {process.returncode}: {self.messages[-1500:]}"
            self.results[started] = {"found": [death], "frames": 0, "nodes": 0, "let_off": []}
        elif self.messages and started is not None:
            self.results[started]["found"].append(f"on standard error: {self.messages[-1500:]}")
        return started


def feed_lines(stream: Any, paths: list[str]) -> None:
    try:
        stream.write("".join(path + "\n" for path in paths))
        stream.close()
    except BrokenPipeError:
        pass  # the process died; its last capture says so


def oracle_free() -> dict[str, str]:
    return {**os.environ, "TZ": "UTC"}


@pytest.fixture(scope="module")
def results(request: pytest.FixtureRequest) -> dict[str, dict[str, Any]]:
    """What was found for each capture that a selected test asks for."""
    chosen = {
        str(item.callspec.params["capture"])  # type: ignore[attr-defined]
        for item in request.session.items
        if getattr(item, "originalname", "") == "test_equal_to_tshark"
    }
    everything = request.session.items and any(
        item.name == "test_nothing_was_left_out" for item in request.session.items
    )
    paths = [str(path) for path in CAPTURES if everything or str(path) in chosen]
    paths.sort(key=lambda path: -os.path.getsize(path))  # the long ones first, so that both end together
    found: dict[str, dict[str, Any]] = {}
    workers = [Worker(paths[number::WORKERS], found) for number in range(WORKERS)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
        assert worker.broken is None, worker.broken
    return found


@pytest.mark.parametrize("capture", CAPTURES, ids=capture_id)
def test_equal_to_tshark(capture: Path, results: dict[str, dict[str, Any]]) -> None:
    result = results[str(capture)]
    if result["let_off"]:
        text = "\n".join([capture_id(capture), *result["let_off"]])
        warnings.warn(f"tshark says now this, now that about these frames of {text}", stacklevel=1)
    assert not result["found"], "\n".join(result["found"])


def test_nothing_was_left_out(results: dict[str, dict[str, Any]]) -> None:
    if not OTHERS:
        pytest.skip("../shared/captures is not there: only the captures of tests/data were compared")
    with open(SHARED / "manifest.csv", newline="") as file:
        manifest = {row["path"]: int(row["packets"]) for row in csv.DictReader(file)}
    compared = {capture_id(path): results[str(path)]["frames"] for path in OTHERS}
    assert compared == manifest


@pytest.mark.skipif(not FUZZ.exists(), reason="../shared/captures is not there")
def test_only_what_tshark_itself_cannot_say_is_let_off() -> None:
    """Frame 359 has an identity behind whose end EAP of Wireshark 4.0 reads on; its neighbours are fuzzed, too."""
    unsteady = oracle.unsteady_frames(FUZZ, set(range(340, 361)))
    assert unsteady == ({359} if wishpy.versions()["libwireshark"].startswith("4.0.") else unsteady & {359})


@pytest.mark.parametrize("fill", oracle.FILLS)
def test_the_heap_is_filled(fill: str) -> None:
    code = "import ctypes; libc = ctypes.CDLL(None); libc.malloc.restype = ctypes.c_void_p\n"
    code += "print([ctypes.string_at(libc.malloc(size), size) for size in (1, 100, 1 << 20)])"
    said = subprocess.run([sys.executable, "-c", code], env=oracle.dirty(fill), check=True, capture_output=True).stdout
    assert said.decode().strip() == str([fill.encode() * size for size in (1, 100, 1 << 20)])


# --- can the comparison fail? ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def frame() -> tuple[list[Any], dict[str, Any], Any, Any, Any]:
    """The DNS answer of the demo: its layers, its dict, and what tshark says of it."""
    path = DATA / "demo.pcapng"
    with wishpy.Dissector(path) as dissector:
        packet = list(dissector)[1]
    runs = [oracle.json_frames(path), oracle.grouped_frames(path), oracle.pdml_frames(path)]
    said = [list(run)[1] for run in runs]
    return ([oracle.Node(layer) for layer in packet.layers], packet.to_dict(), *said)  # type: ignore[return-value]


def all_fields(layers: list[Any]) -> list[Any]:
    fields = []
    for layer in layers:
        fields += [layer, *all_fields(layer.children)]
    return fields


def test_the_unchanged_frame_is_equal(frame: Any) -> None:
    assert oracle.differences(*frame) == []


def other(value: Any) -> Any:
    """A value of the same type that is not this one."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, (int, float)):
        return value + 1
    if isinstance(value, bytes):
        return value + b"!"
    if isinstance(value, str):
        return value + "!"
    return "something else"


@pytest.mark.parametrize("name", ["name", "value", "display", "text", "offset", "length", "hidden", "raw"])
def test_one_changed_member_is_seen(frame: Any, name: str) -> None:
    """Each member of each field of the frame, changed by itself, is reported."""
    layers, _, pairs, grouped, pdml = frame
    unseen = []
    for number, field in enumerate(all_fields(layers)):
        if name in ("value", "display") and field.display is None:
            continue  # a protocol's value is made of its children, which are changed one by one
        if name == "hidden" and field.name == "":
            continue  # PDML has no mark for a line of text
        if name == "raw" and not (field.raw and field.length and field.display is not None):
            continue  # no bytes in PDML
        mine = copy.deepcopy(layers)
        changed = all_fields(mine)[number]
        setattr(changed, name, other(getattr(field, name)))
        if not oracle.differences(mine, None, pairs, grouped, pdml):
            unseen.append(f"{field.name or field.text}: {getattr(field, name)!r} to {getattr(changed, name)!r}")
    assert unseen == []


def drop(children: list[Any], at: int) -> None:
    del children[at]


def repeat(children: list[Any], at: int) -> None:
    children.insert(at, children[at])


def swap(children: list[Any], at: int) -> None:
    children[at], children[at - 1] = children[at - 1], children[at]


def nest(children: list[Any], at: int) -> None:
    children[at - 1].children.append(children.pop(at))


@pytest.mark.parametrize("change", [drop, repeat, swap, nest])
def test_one_changed_place_is_seen(frame: Any, change: Callable[[list[Any], int], None]) -> None:
    layers, _, pairs, grouped, pdml = frame
    parents = [None, *(number for number, field in enumerate(all_fields(layers)) if len(field.children) > 1)]
    for number in parents:
        mine = copy.deepcopy(layers)
        change(mine if number is None else all_fields(mine)[number].children, 1)
        assert oracle.differences(mine, None, pairs, grouped, pdml), f"{change.__name__} under {number} was not seen"


def test_one_changed_value_in_a_dict_is_seen(frame: Any) -> None:
    layers, as_dict, pairs, grouped, pdml = frame
    for key, wrong in [("ip.ttl", 63), ("ip.ttl", "64"), ("ip.ttl", 64.0), ("ip.src", None)]:
        mine = copy.deepcopy(as_dict)
        mine["ip"][key] = wrong
        assert oracle.differences(layers, mine, pairs, grouped, pdml), f"{key} = {wrong!r} was not seen"
    mine = copy.deepcopy(as_dict)
    mine["ip"]["ip.version"] = True  # equal to 1, and no int to whoever reads it
    mine["ip"]["more"] = 1
    assert oracle.differences(layers, mine, pairs, grouped, pdml)
