"""Field: one node of a packet's tree. The values themselves are held against tshark in test_conformance."""

from __future__ import annotations

import csv
import gc
import pickle
import subprocess
from datetime import datetime
from pathlib import Path
from typing import Any

import oracle
import pytest
from conftest import DATA, SHARED, captures_under, needs_tshark

import wishpy


def read(path: object, **options: object) -> list[wishpy.Packet]:
    with wishpy.Dissector(path, **options) as dissector:
        return list(dissector)


def walk(fields: Any) -> Any:
    for field in fields:
        yield field
        yield from walk(field.children)


@pytest.fixture
def answer(demo: str) -> wishpy.Packet:
    return read(demo)[1]


def test_members(answer: wishpy.Packet) -> None:
    field = answer.find("eth.type")
    assert (field.name, field.title) == ("eth.type", "Type")
    assert field.value == 0x0800
    assert field.raw == b"\x08\x00"
    assert field.text == "Type: IPv4 (0x0800)"
    assert field.display == "0x0800"
    assert field.type == "FT_UINT16"
    assert (field.offset, field.length) == (12, 2)
    assert field.hidden is False
    assert field.generated is False
    assert list(field.children) == []


def test_marks(answer: wishpy.Packet) -> None:
    assert answer.find("dns.response_to").generated is True
    assert answer.find("ip.addr").hidden is True


def test_children_are_in_order(answer: wishpy.Packet) -> None:
    names = [child.name for child in answer.find("udp").children]
    assert names[:6] == ["udp.srcport", "udp.dstport", "udp.port", "udp.port", "udp.length", "udp.checksum"]


def test_a_layers_value_is_a_dict(answer: wishpy.Packet) -> None:
    assert answer.find("udp").value == answer["udp"] == answer.to_dict()["udp"]
    assert answer.find("udp").display is None


def test_lines_without_a_field_have_an_empty_name() -> None:
    """The lines that a dissector writes for people only."""
    lines = [
        f for path in (DATA / "tls13_recorded.pcapng", DATA / "http.pcapng") for p in read(path) for f in walk(p.layers)
    ]
    bare = [field for field in lines if field.name == ""]
    assert bare
    for field in bare:
        assert field.text
        assert field.value is None if not field.children else isinstance(field.value, dict)
        assert field.display is None
        assert field.type == "FT_NONE"


def test_a_bit_field_keeps_its_bytes_in_raw(demo: str) -> None:
    syn = read(demo)[2].find("tcp.flags.syn")
    assert syn.value is True
    assert syn.display == "1"
    assert syn.length == len(syn.raw)
    assert syn.raw == read(demo)[2].data[syn.offset : syn.offset + syn.length]


def test_source_tells_which_bytes(demo: str) -> None:
    """The HTTP of the demo lies in two TCP segments."""
    packet = read(demo)[8]
    frame, body = packet.find("tcp.srcport").source, packet.find("http.response.code").source
    assert frame != body
    assert "Frame" in str(frame)
    assert "Reassembled TCP" in str(body)
    assert packet.find("http.response.code").raw == b"200"
    assert packet.find("http.response.version").offset == 0


@needs_tshark
def test_sources_are_those_that_tshark_dumps(demo: str) -> None:
    names = {line.rsplit(" (", 1)[0] for line in oracle.lines(demo, "-x") if line.endswith("bytes):")}
    mine = {
        str(field.source).rsplit(" (", 1)[0]
        for packet in read(demo)
        for field in walk(packet.layers)
        if field.source is not None
    }
    assert mine <= names
    assert "Reassembled TCP" in mine


def test_equality_and_hash(answer: wishpy.Packet) -> None:
    one, two = answer.find("ip.src"), answer.find("ip.dst")
    assert one != two
    assert len({one, two}) == 2


def test_repr(answer: wishpy.Packet) -> None:
    assert "eth.type" in repr(answer.find("eth.type"))
    for field in walk(answer.layers):
        assert "\n" not in repr(field)


def test_members_cannot_be_set(answer: wishpy.Packet) -> None:
    with pytest.raises(AttributeError):
        answer.find("eth.type").value = 1


def test_a_field_keeps_its_packet(demo: str) -> None:
    field = read(demo)[1].find("dns.a")
    gc.collect()
    assert field.value == "192.0.2.80"
    assert field.raw == bytes([192, 0, 2, 80])


def test_pickling_a_field_works_or_is_refused(answer: wishpy.Packet) -> None:
    field = answer.find("dns.a")
    try:
        data = pickle.dumps(field)
    except TypeError:
        return
    again = pickle.loads(data)
    assert (again.name, again.value, again.text) == (field.name, field.value, field.text)


# --- types over all captures ----------------------------------------------------------------------------------

_BY_RULE = {
    oracle._agree_integer: int,
    oracle._agree_character: int,
    oracle._agree_truth: bool,
    oracle._agree_medical: float,
    oracle._agree_duration: float,
    oracle._agree_time: datetime,
    oracle._agree_string: str,
    oracle._agree_address: str,
    oracle._agree_bytes: bytes,
}
PYTHON = {name: _BY_RULE.get(agree, float) for name, agree in oracle.AGREE.items()}


@pytest.mark.parametrize("path", captures_under(DATA), ids=lambda path: path.name)
def test_values_are_of_the_type_of_their_field(path: Path) -> None:
    for packet in read(path):
        for field in walk(packet.layers):
            if field.type in ("FT_PROTOCOL", "FT_NONE"):
                assert field.value is None or type(field.value) is dict
            else:
                assert type(field.value) is PYTHON[field.type], (field.name, field.type, field.value)


@needs_tshark
def test_types_and_titles_are_the_registrys(demo: str) -> None:
    """tshark -G fields: F, title, name, type, protocol, base, mask, description."""
    assert oracle.TSHARK is not None
    text = subprocess.run(
        [oracle.TSHARK, "-G", "fields"], capture_output=True, env=oracle.environment(), check=True
    ).stdout
    known: dict[str, set[tuple[str, str]]] = {}
    for row in text.decode("utf-8", "replace").splitlines():
        kind, title, name, *rest = row.split("\t")
        known.setdefault(name, set()).add((title, rest[0] if kind == "F" else "FT_PROTOCOL"))
    for packet in read(demo):
        for field in walk(packet.layers):
            if field.name and not field.name.startswith("tcp.options"):  # of those one name has several fields
                assert (field.title, field.type) in known[field.name]


@needs_tshark
@pytest.mark.skipif(not SHARED.is_dir(), reason="../shared/captures is not there")
def test_the_captures_have_most_types_of_field() -> None:
    """So that test_conformance means something: which FT_* types are compared there."""
    seen: set[str] = set()
    with open(SHARED / "manifest.csv", newline="") as file:
        names = [row["path"] for row in csv.DictReader(file) if int(row["packets"]) < 60 and row["tshark_exit"] == "0"]
    for name in names:
        for packet in read(SHARED / name):
            seen |= {field.type for field in walk(packet.layers)}
    words = """
        NONE PROTOCOL BOOLEAN UINT8 UINT16 UINT24 UINT32 UINT40
        UINT64 INT8 INT16 INT32 INT64 FLOAT DOUBLE ABSOLUTE_TIME RELATIVE_TIME
        STRING STRINGZ UINT_STRING ETHER BYTES IPv4 IPv6 FRAMENUM GUID OID
    """
    expected = {"FT_" + word for word in words.split()}
    assert expected <= seen, f"no value of {sorted(expected - seen)}; seen {sorted(seen)}"
