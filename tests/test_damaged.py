"""Damaged captures: cut and with wrong bytes. The process lives, gives packets, and at most raises FileError.

The damage is drawn from a seeded generator, so a run can be repeated; hypothesis adds damage of its own choosing.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import oracle
import pytest
from conftest import DATA, SANITIZED, Finished, captures_under, needs_tshark, printed
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import wishpy

FILES = [path for path in captures_under(DATA) if path.name != "empty.pcap"]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_damaged_files(path: Path, isolated: Callable[..., Finished]) -> None:
    """A hundred damaged twins of each file, in a process of its own so that a crash is a status here."""
    isolated("damaged_captures", str(path), "40" if SANITIZED else "120").check()


def damaged(data: bytes, chance: random.Random) -> bytes:
    twin = bytearray(data)
    for _ in range(chance.choice([1, 3, 20])):
        twin[chance.randrange(24, len(twin))] = chance.randrange(256)
    return bytes(twin)


@needs_tshark
@pytest.mark.parametrize("seed", range(12))
def test_damaged_files_are_read_as_tshark_reads_them(seed: int, tmp_path: Path) -> None:
    chance = random.Random(seed)
    path = tmp_path / "damaged.pcap"
    path.write_bytes(damaged(FILES[seed % len(FILES)].read_bytes(), chance))
    run = oracle.json_frames(path)
    frames = list(run)
    mine, status = [], oracle.NOT_OPENED
    try:
        with wishpy.Dissector(path) as dissector:
            status = oracle.CUT_SHORT
            for packet in dissector:
                mine.append(oracle.expected_pairs(packet.layers))
            status = 0
    except wishpy.FileError:
        pass
    assert mine == frames
    assert run.status == status


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_bytes_as_a_frame(data: st.DataObject, tmp_path: Path) -> None:
    """A capture of one frame with any bytes and any common link type."""
    frame = data.draw(st.binary(max_size=200))
    linktype = data.draw(st.sampled_from([0, 1, 101, 105, 113, 127, 147, 187, 189, 195, 220, 228, 251, 276]))
    head = DATA.joinpath("micro_little.pcap").read_bytes()[:20] + linktype.to_bytes(4, "little")
    size = len(frame).to_bytes(4, "little")
    path = tmp_path / "any.pcap"
    path.write_bytes(head + b"\0" * 8 + size + size + frame)
    try:
        with wishpy.Dissector(path) as dissector:
            (packet,) = dissector
    except wishpy.FileError:
        return  # some link types have a header of their own inside the record, and it may be too short
    assert packet.number == 1
    assert packet.layers[0].name == "frame"
    assert packet.to_dict()["frame"]["frame.number"] == 1
    _ = (str(packet), printed(packet.hexdump), packet.to_json())
