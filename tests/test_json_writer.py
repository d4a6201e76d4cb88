"""Packet.to_json: equal to tshark's JSON and to to_dict(), and valid whatever is in the packet.

The sweep over all captures runs in two processes (isolated/json_conform.py). "tshark" and "ek" are compared with what
tshark prints; "wishpy" with to_dict(), which test_conformance holds against tshark node by node.
"""

from __future__ import annotations

import io
import json
import math
import os
import random
import re
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import DATA, ISOLATED, SANITIZED, SHARED, WIRESHARK, captures_under, needs_tshark
from hypothesis import given, settings
from hypothesis import strategies as st

import wishpy

FULL = bool(os.environ.get("WISHPY_FULL"))
OWN = captures_under(DATA)
OTHERS = captures_under(SHARED) if SHARED.is_dir() else []
WORKERS = 2


# --- against tshark, over every capture -----------------------------------------------------------------------


def sweep(paths: list[Path]) -> dict[str, dict[str, Any]]:
    """What json_conform.py finds; each worker begins with its longest captures."""
    chosen = sorted(paths, key=lambda path: -path.stat().st_size)
    workers = [
        subprocess.Popen(
            [sys.executable, "-X", "faulthandler", str(ISOLATED / "json_conform.py"), "wishpy", "tshark", "ek"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env={**os.environ, "TZ": "UTC"},
        )
        for _ in range(WORKERS)
    ]  # fmt: skip
    for number, worker in enumerate(workers):
        assert worker.stdin is not None
        worker.stdin.write("".join(f"{path}\n" for path in chosen[number::WORKERS]))
        worker.stdin.close()
    found = {}
    for worker in workers:
        assert worker.stdout is not None
        for line in worker.stdout:
            said = json.loads(line)
            if "found" in said:
                found[said["path"]] = said
        worker.stdout.close()
        assert worker.wait() == 0
    return found


def check(found: dict[str, dict[str, Any]], paths: list[Path]) -> None:
    assert set(found) == {str(path) for path in paths}
    wrong = [said for said in found.values() if said["found"]]
    assert not wrong, "\n".join(f"{said['path']}: {text}" for said in wrong for text in said["found"])


@needs_tshark
def test_our_own_captures() -> None:
    found = sweep(OWN)
    check(found, OWN)
    assert sum(said["frames"] for said in found.values()) > 100


@needs_tshark
@pytest.mark.skipif(not OTHERS, reason="../shared/captures is not there: only tests/data is compared")
def test_shared_captures() -> None:
    """All of them with WISHPY_FULL=1 (some minutes); else every sixth of those of up to 100,000 bytes.

    Starting tshark twice for each capture is what takes the time, and test_conformance compares every capture.
    """
    small = [path for path in OTHERS if path.stat().st_size <= 100_000]
    chosen = OTHERS if FULL else small[::6]
    assert len(chosen) >= 40
    check(sweep(chosen), chosen)


@needs_tshark
def test_the_sweep_can_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ISOLATED))
    import json_conform

    with wishpy.Dissector(DATA / "demo.pcapng") as packets:
        packet = list(packets)[1]
    said = list(json_conform.tshark_elements(str(DATA / "demo.pcapng")))[1]
    assert json_conform.compare("tshark", packet, said) is None
    said["_source"]["layers"]["ip"]["ip.ttl"] = "63"
    assert "ip.ttl" in (json_conform.compare("tshark", packet, said) or "")
    index, document = list(json_conform.tshark_ek(str(DATA / "demo.pcapng")))[1]
    assert json_conform.compare("ek", packet, (index, document)) is None
    document["layers"]["ip"]["ip_ip_ttl"] = "63"
    assert "ip_ip_ttl" in (json_conform.compare("ek", packet, (index, document)) or "")


# --- the bytes of each field (tshark -x) ----------------------------------------------------------------------


@needs_tshark
@pytest.mark.parametrize("name", ["demo.pcapng", "http.pcapng", "tls13_secrets.pcapng", "dns.pcap"])
def test_raw(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "UTC")
    monkeypatch.syspath_prepend(str(ISOLATED))
    import json_conform

    path = str(DATA / name)
    with wishpy.Dissector(path) as dissector:
        packets = list(dissector)
    elements = list(json_conform.tshark_elements(path, "-x"))
    documents = list(json_conform.tshark_ek(path, "-x", loads=all_pairs))
    assert len(packets) == len(elements) == len(documents)
    for packet, element, (_, document) in zip(packets, elements, documents):
        # The frame's own bytes are an extra that tshark -x writes for no field: "frame_raw" is there for the layer.
        assert json.loads(packet.to_json("tshark", raw=True)) == element
        assert all_pairs(packet.to_json("ek", raw=True)) == document
    layers = json.loads(packets[0].to_json(raw=True))
    assert layers["ip"]["ip.src_raw"] == element_raw(elements[0], "ip", "ip.src_raw")


def all_pairs(text: str) -> Any:
    """JSON with each pair of an object: in -T ek "tcp_tcp_seq_raw" is both tcp.seq_raw and the bytes of tcp.seq.

    Their order counts, but in 4.4, where it is a hash table's (and that of two of one key says nothing either).
    """
    return json.loads(text, object_pairs_hook=tuple if WIRESHARK < (4, 4) else lambda pairs: sorted(pairs, key=repr))


def element_raw(element: Any, layer: str, name: str) -> Any:
    return element["_source"]["layers"][layer][name]


# --- how it is asked for --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def answer() -> wishpy.Packet:
    with wishpy.Dissector(DATA / "demo.pcapng") as packets:
        return list(packets)[1]


@pytest.mark.parametrize("style", ["wishpy", "tshark", "ek"])
@pytest.mark.parametrize("indent", [0, 1, 2, 4])
def test_indent(answer: wishpy.Packet, style: Any, indent: int) -> None:
    plain = answer.to_json(style)
    assert "\n" not in plain
    text = answer.to_json(style, indent=indent)
    assert json.loads(text) == json.loads(plain)
    if style != "ek":  # there tshark has some names twice, which json.loads makes one
        read = json.loads(text, parse_float=lambda digits: f"{digits}!")
        laid_out = re.sub(r'"([-0-9.]+)!"', r"\1", json.dumps(read, indent=indent, ensure_ascii=False))
        assert text.splitlines() == laid_out.splitlines()
    assert text.splitlines()[1].startswith(" " * indent + '"')
    assert text.splitlines()[-1] == "}"


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"style": "xml"}, ValueError),
        ({"style": None}, TypeError),
        ({"indent": -1}, ValueError),
        ({"indent": 10**6}, ValueError),
        ({"indent": 10**30}, OverflowError),
        ({"indent": "2"}, TypeError),
        ({"colour": 1}, TypeError),
    ],
    ids=str,
)
def test_wrong_arguments(answer: wishpy.Packet, arguments: dict[str, Any], error: type[Exception]) -> None:
    with pytest.raises(error):
        answer.to_json(**arguments)
    assert answer.to_json()


def test_the_same_whenever_it_is_asked() -> None:
    def texts(packet: wishpy.Packet) -> list[str]:
        return [packet.to_json(), packet.to_json("tshark", 2), packet.to_json("ek", raw=True)]

    with wishpy.Dissector(DATA / "http.pcapng") as packets:
        at_once = [texts(packet) for packet in packets]
    with wishpy.Dissector(DATA / "http.pcapng") as packets:
        kept = list(packets)
    assert [texts(packet) for packet in kept] == at_once


@needs_tshark
@pytest.mark.parametrize("fraction", [0, 999_999_999, 10**9, 2**31 - 1, 2**31, 2_546_094_264, 2**32 - 1])
def test_times_with_more_nanoseconds_than_a_second_has(fraction: int, tmp_path: Path, monkeypatch: Any) -> None:
    """They are in damaged captures, and tshark writes them by the way of its release."""
    monkeypatch.syspath_prepend(str(ISOLATED))
    import json_conform

    path = tmp_path / "times.pcap"
    start = DATA.joinpath("nano_little.pcap").read_bytes()
    path.write_bytes(start[:24] + start[24:28] + struct.pack("<I", fraction) + start[32 : 24 + 16 + 42])
    with wishpy.Dissector(path) as packets:
        (packet,) = packets
    (said,) = json_conform.tshark_ek(str(path))
    assert json_conform.compare("ek", packet, said) is None


def test_native_types(answer: wishpy.Packet) -> None:
    layers = json.loads(answer.to_json())
    assert layers["frame"]["frame.time"] == "2023-11-14T22:13:20.131111110Z"
    assert layers["frame"]["frame.time_delta"] == 0.007654321
    assert layers["eth"]["eth.type"] == 2048
    assert layers["ip"]["ip.flags_tree"]["ip.flags.df"] is True
    assert layers["ip"]["ip.addr"] == ["192.0.2.53", "192.0.2.1"]
    assert layers["udp"]["udp.payload"].startswith("00:07:81:80:")
    assert json.loads(answer.to_json("tshark"))["_source"]["layers"]["eth"]["eth.type"] == "0x0800"


def test_with_fields_it_is_flat() -> None:
    with wishpy.Dissector(DATA / "demo.pcapng", fields=["frame.number", "ip.addr", "dns.a"]) as packets:
        documents = [json.loads(packet.to_json()) for packet in packets]
    assert documents[1] == {"frame.number": 2, "ip.addr": ["192.0.2.53", "192.0.2.1"], "dns.a": "192.0.2.80"}


# --- whatever is in the packet --------------------------------------------------------------------------------

ETHERNET = 1


def udp(payload: bytes, port: int) -> bytes:
    """A payload in UDP, IPv4 and Ethernet, with good lengths and no checksums."""
    datagram = struct.pack(">HHHH", 40000, port, 8 + len(payload), 0) + payload
    packet = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 20 + len(datagram), 1, 0, 64, 17, 0, b"\xc0\0\2\1", b"\xc0\0\2\2")
    return bytes(6) + b"\2\0\0\0\0\1" + b"\x08\0" + packet + datagram


@pytest.fixture
def dissect() -> Iterator[Callable[[bytes], wishpy.Packet]]:
    """An Ethernet frame to its Packet."""
    with wishpy.Dissector() as dissector:

        def run(frame: bytes) -> wishpy.Packet:
            packet = dissector.dissect(frame)
            assert packet is not None
            return packet

        yield run


def refuse_constant(name: str) -> None:
    raise AssertionError(f"{name} is no JSON")


def check_texts(packet: wishpy.Packet) -> Any:
    """All styles are valid JSON and valid UTF-8; returns the native one."""
    for style in ("tshark", "ek"):
        for raw in (False, True):
            text = packet.to_json(style, raw=raw)
            text.encode("utf-8")
            json.loads(text, parse_constant=refuse_constant)
    text = packet.to_json()
    assert text.encode("utf-8").decode("utf-8") == text
    return json.loads(text, parse_constant=refuse_constant)


def leaves(value: Any) -> Iterator[Any]:
    if isinstance(value, dict):
        for item in value.values():
            yield from leaves(item)
    elif isinstance(value, list):
        for item in value:
            yield from leaves(item)
    else:
        yield value


# Syslog shows its payload as a string, whatever bytes it has.
SYSLOG = 514

nasty = st.one_of(
    st.binary(max_size=60),
    st.text(max_size=40).map(lambda text: text.encode("utf-8", "surrogatepass")),
    st.lists(
        st.sampled_from(
            [b'"', b"\\", b"\0", b"\x1f", b"\x7f", b"</script>", b"\xc0\x80", b"\xed\xa0\x80", b"\xf4\x90\x80\x80",
             b"\xe2\x82", b"\xff", b"\xf0\x9f\x98\x80", b"\xe2\x80\xa8", b"\r\n", b"\t", b"\xc3\xa9", b"a", b"\xc2"]
        ),
        max_size=12,
    ).map(b"".join),
)  # fmt: skip


def test_any_text_is_escaped(dissect: Any) -> None:
    @settings(max_examples=1000 if FULL else 200, deadline=None)
    @given(payload=nasty)
    def holds(payload: bytes) -> None:
        packet = dissect(udp(b"<13>:" + payload, SYSLOG))
        layers = check_texts(packet)
        assert layers["syslog"]["syslog.msg"] == packet["syslog.msg"]
        shown = json.loads(packet.to_json("tshark"))["_source"]["layers"]["syslog"]["syslog.msg"]
        assert shown == packet.find("syslog.msg").display

    holds()


@pytest.mark.parametrize(
    ("payload", "text"),
    [
        (b"a\xffb", "a\ufffdb"),
        (b"\xe2\x82", "\ufffd"),
        (b"\xe2\x82A", "\ufffdA"),
        (b"\xed\xa0\x80", "\ufffd\ufffd\ufffd"),
        (b"\xc0\x80", "\ufffd\ufffd"),
        (b"\xf0\x9f\x98\x80", "\U0001f600"),
        (b'"\\/\x01', '"\\/\x01'),
    ],
    ids=repr,
)
def test_invalid_text_is_replaced_as_python_does(dissect: Any, payload: bytes, text: str) -> None:
    packet = dissect(udp(b"<13>" + payload, SYSLOG))
    # Wireshark itself replaces what is no UTF-8 in some strings; what it leaves is replaced here.
    assert json.loads(packet.to_json())["syslog"]["syslog.msg"] == packet["syslog.msg"]
    if WIRESHARK >= (4, 4):  # to it the message is ASCII, whatever the bytes are
        assert packet["syslog.msg"] == payload.decode("ascii", "replace")
        return
    assert packet["syslog.msg"] in (text, payload.decode("utf-8", "replace"))
    if payload.decode("utf-8", "ignore").encode() == payload:
        assert packet["syslog.msg"] == text


def test_numbers_are_exact() -> None:
    with wishpy.Dissector(DATA / "http.pcapng") as packets:
        for kept in packets:
            native, read = kept.to_dict(), json.loads(kept.to_json())
            for one, other in zip(leaves(native), leaves(read)):
                if type(one) in (int, float, bool):
                    assert type(other) is type(one) and other == one


def test_doubles(dissect: Any) -> None:
    """A bandwidth in OSPF is FT_FLOAT: read back it is the same; NaN and the infinities are null."""

    @settings(max_examples=300, deadline=None)
    @given(value=st.floats(width=32))
    def holds(value: float) -> None:
        packet = dissect(ospf_with_bandwidth(value))
        native = packet.find("ospf.mpls.link_max_bw")
        assert native is not None and native.type == "FT_FLOAT"
        assert struct.pack(">f", native.value) == struct.pack(">f", value) or math.isnan(value)
        found = json.loads(packet.to_json(), parse_constant=refuse_constant)
        mine = [item for key, item in members(found) if key == native.name]
        assert mine == [native.value if math.isfinite(value) else None]
        check_texts(packet)

    holds()


def members(value: Any) -> Iterator[tuple[str, Any]]:
    for item in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from members(item)
    if isinstance(value, dict):
        yield from value.items()


def ospf_with_bandwidth(value: float) -> bytes:
    """An OSPF opaque LSA (RFC 3630) with a maximum-bandwidth sub-TLV."""
    link = struct.pack(">HHf", 6, 4, value)
    tlv = struct.pack(">HH", 2, len(link)) + link
    lsa = struct.pack(">HBB4s4sIHH", 1, 0, 10, b"\1\0\0\1", b"\1\1\1\1", 0x80000001, 0, 20 + len(tlv)) + tlv
    update = struct.pack(">I", 1) + lsa
    header = struct.pack(">BBH4s4sHH8s", 2, 4, 24 + len(update), b"\1\1\1\1", bytes(4), 0, 0, bytes(8))
    body = header + update
    packet = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 20 + len(body), 1, 0, 1, 89, 0, b"\xc0\0\2\1", b"\xe0\0\0\5")
    return bytes(6) + b"\2\0\0\0\0\1" + b"\x08\0" + packet + body


# --- damaged frames -------------------------------------------------------------------------------------------


def damaged(frames: list[bytes], count: int, seed: int) -> Iterator[bytes]:
    """Frames with a few bytes changed, cut out or doubled."""
    chance = random.Random(seed)
    for _ in range(count):
        frame = bytearray(chance.choice(frames))
        for _ in range(chance.randint(1, 6)):
            at = chance.randrange(len(frame))
            what = chance.random()
            if what < 0.7:
                frame[at] = chance.choice((0, 1, 0x7F, 0x80, 0xFF, chance.randrange(256)))
            elif what < 0.85 and len(frame) > 20:
                del frame[at : at + chance.randint(1, 8)]
            else:
                frame[at:at] = frame[at : at + chance.randint(1, 8)]
        yield bytes(frame)


def test_damaged_frames_give_valid_json() -> None:
    """A few thousand frames here; 200,000 with WISHPY_FULL=1."""
    frames: list[bytes] = []
    for path in [*OWN, *[path for path in OTHERS if path.stat().st_size < 20_000][:: 1 if FULL else 6]]:
        try:
            with wishpy.Dissector(path, count=20) as packets:
                frames += [packet.data for packet in packets if packet.linktype == ETHERNET and packet.data]
        except wishpy.FileError:
            pass
    count = 200_000 if FULL else 500 if SANITIZED else 2000
    with wishpy.Dissector(reset_after=1000) as dissector:
        for place, frame in enumerate(damaged(frames, count, seed=1)):
            packet = dissector.dissect(frame)
            assert packet is not None
            # A full run takes the native style alone for nine frames of ten: all share the escaping.
            if FULL and place % 10:
                json.loads(packet.to_json(), parse_constant=refuse_constant)
            else:
                check_texts(packet)


def test_written_to_a_stream(answer: wishpy.Packet) -> None:
    out = io.BytesIO()
    out.write(answer._json_line("ek", False))
    index, document, end = out.getvalue().decode().split("\n")
    assert end == ""
    assert json.loads(index) == {"index": {"_index": "packets-2023-11-14", "_type": "doc"}}
    assert document == answer.to_json("ek")
