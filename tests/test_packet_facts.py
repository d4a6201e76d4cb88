"""What a Packet knows beside its tree: expert information, streams to follow, the bytes that were dissected."""

from __future__ import annotations

import gzip
import pickle
import re
from collections import Counter
from pathlib import Path
from typing import Any

import oracle
import pytest
import traffic
from conftest import DATA, SHARED, TESTS, needs_tshark

import wishpy
from wishpy.records import DataSource, ExpertInfo

SEVERITIES = {"Errors": "Error", "Warns": "Warning", "Notes": "Note", "Chats": "Chat", "Comments": "Comment"}
EXPERT_CAPTURES = [
    DATA / "demo.pcapng",
    DATA / "http.pcapng",
    DATA / "several.pcapng",
    DATA / "tls13_secrets.pcapng",
    SHARED / "ndpi/webdav.pcapng",
    SHARED / "malformed/tcpdump-isis-infinite-loop.pcap",
    SHARED / "malformed/tcpdump-icmp-icmp_print-oobr-2.pcap",
    SHARED / "malformed/tcpdump-q933-heapoverflow-2.pcap",
    SHARED / "arkime/http2-nghttp2.pcap",
]


def read(path: object, **options: Any) -> list[wishpy.Packet]:
    with wishpy.Dissector(path, **options) as packets:
        return list(packets)


def needs(path: Path) -> Path:
    if not path.exists():
        pytest.skip(f"{path.name} is one of the shared captures, which are not here")
    return path


def tshark_expert(path: Path) -> Counter[tuple[str, str, str, str]]:
    """What `tshark -z expert` counts, as (severity, group, protocol, summary). With -V, so that it builds trees."""
    found: Counter[tuple[str, str, str, str]] = Counter()
    lines = oracle.lines(path, "-V", "-z", "expert")
    severity = None
    for i, line in enumerate(lines):
        heading = re.fullmatch(r"(\w+) \(\d+\)", line)
        if heading and lines[i + 1 : i + 2] == ["============="]:
            severity = SEVERITIES[heading[1]]
        row = re.fullmatch(r" *(\d+) +(\S+) {1,18}(\S.*?)  (\S.*)", line)
        if severity is not None and row:
            found[severity, row[2], row[3], row[4]] += int(row[1])
    return found


@needs_tshark
@pytest.mark.parametrize("path", EXPERT_CAPTURES, ids=lambda path: path.name)
def test_expert_is_what_tshark_counts(path: Path) -> None:
    packets = read(needs(path))
    mine = Counter((e.severity, e.group, e.protocol, e.summary) for packet in packets for e in packet.expert)
    assert mine
    assert mine == tshark_expert(path)


@pytest.mark.parametrize("path", EXPERT_CAPTURES, ids=lambda path: path.name)
def test_expert_is_in_the_order_of_the_tree(path: Path) -> None:
    for packet in read(needs(path)):
        nodes = []
        for field in packet.find_all("_ws.expert"):
            below = {child.name: child for child in field.children}
            words = [below[f"_ws.expert.{name}"].text.partition(": ")[2] for name in ("severity", "group")]
            nodes.append((*words, below["_ws.expert.message"].value))
        assert [tuple(info[:3]) for info in packet.expert] == nodes


def test_expert_information_is_a_record(demo: str) -> None:
    with wishpy.Dissector(demo) as packets:
        syn = next(packet for packet in packets if "tcp" in packet)
        live = syn.expert
    assert live == [ExpertInfo("Chat", "Sequence", live[0].summary, "TCP")]
    assert live[0].summary.startswith("Connection establish request (SYN)")
    assert syn.expert == live
    assert pickle.loads(pickle.dumps(syn)).expert == live
    assert pickle.loads(pickle.dumps(live)) == live


@needs_tshark
def test_expert_where_only_some_fields_are_extracted(demo: str) -> None:
    """Then no line is built for it, and it is told all the same, as tshark -z expert does without -V."""
    found = Counter(info for packet in read(demo, fields=["ip.src"]) for info in packet.expert)
    assert found == Counter(info for packet in read(demo) for info in packet.expert)


# ---- following


FOLLOWED = {
    "tcp": ["tcp.stream"],
    "udp": ["udp.stream"],
    "dccp": ["dccp.stream"],
    "tls": ["tcp.stream"],
    "http": ["tcp.stream"],
    "http2": ["tcp.stream", "http2.streamid"],
    "quic": ["quic.connection.number", "quic.stream.stream_id"],
}
FOLLOW_CAPTURES = [
    DATA / "demo.pcapng",
    DATA / "tls13_secrets.pcapng",
    SHARED / "scapy/http2_h2c.pcap",
    SHARED / "arkime/http2-nghttp2.pcap",
    SHARED / "tcpdump/dccp_partial_csum_v4_simple.pcap",
]


def as_tuple(key: Any) -> tuple[Any, ...]:
    return key if isinstance(key, tuple) else (key,)


@pytest.mark.parametrize("path", FOLLOW_CAPTURES, ids=lambda path: path.name)
def test_follow_agrees_with_the_tree(path: Path) -> None:
    """A protocol that is in the packet has its stream there; the numbers are those of Wireshark's own fields."""
    seen = set()
    for packet in read(needs(path)):
        follow = packet.follow
        followed = {name for name, fields in FOLLOWED.items() if name in packet.protocols and fields[-1] in packet}
        assert followed == set(follow)   # HTTP/2's magic is of no stream
        for name, key in follow.items():
            seen.add(name)
            numbers = as_tuple(key)
            assert len(numbers) == len(FOLLOWED[name])
            for field, number in zip(FOLLOWED[name], numbers, strict=True):
                assert number in packet.get_all(field)
    assert seen


@needs_tshark
@pytest.mark.parametrize("path", FOLLOW_CAPTURES, ids=lambda path: path.name)
def test_tshark_follows_what_follow_says(path: Path) -> None:
    keys = {(name, as_tuple(key)) for packet in read(needs(path)) for name, key in packet.follow.items()}
    for name, numbers in sorted(keys)[:12]:
        what = ",".join(["follow", name, "hex", *map(str, numbers)])
        lines = oracle.lines(path, "-q", "-z", what)
        assert any(line.startswith("Filter: ") and str(numbers[0]) in line for line in lines), what


def test_streams_of_quic_are_those_that_wireshark_would_follow() -> None:
    """The first stream of the packet; none where it carries no stream."""
    keys = TESTS / "encrypted/quic.keys"
    seen = set()
    for packet in read(TESTS / "encrypted/quic.pcapng", tls_keylog=keys):
        streams = packet.get_all("quic.stream.stream_id")
        key = (packet["quic.connection.number"], streams[0]) if streams else None
        assert packet.follow.get("quic") == key
        seen.add(key)
    assert len(seen) > 3


def test_a_stream_within_a_connection_does_not_depend_on_when_it_is_asked_for() -> None:
    """Of a packet with several of HTTP/2's streams it is the first, whenever one asks."""
    path = needs(SHARED / "arkime/http2-nghttp2.pcap")
    with wishpy.Dissector(path) as packets:
        at_once = [packet.follow for packet in packets]
    kept = read(path)
    assert [packet.follow for packet in kept] == at_once
    assert len({follow["http2"] for follow in at_once if "http2" in follow}) > 1
    assert [packet.follow for packet in read(path, isolated=True)] == at_once


def test_asking_for_the_streams_does_not_make_any() -> None:
    """SNMP and VNC end with another conversation than the one the packet began with: see find_stream in follow.c."""
    for name in ("ndpi/snmp.pcapng", "ndpi/vnc.pcapng"):
        path = needs(SHARED / name)
        with wishpy.Dissector(path) as packets:
            asked = [(packet.follow, packet.to_dict())[1] for packet in packets]
        with wishpy.Dissector(path) as packets:
            assert [packet.to_dict() for packet in packets] == asked


def test_a_follower_without_numbers_tells_its_filter() -> None:
    path = needs(SHARED / "ndpi/sip.pcap")
    packet = next(packet for packet in read(path) if "sip" in packet.protocols and "sip.Call-ID" in packet)
    assert packet.follow["sip"] == f'sip.Call-ID == "{packet["sip.Call-ID"]}"'
    assert packet.matches(str(packet.follow["sip"]))


def test_what_has_no_stream() -> None:
    assert [packet.follow for packet in read(DATA / "several.pcapng") if "arp" in packet] == [{}, {}]


# ---- data sources


def tcp_segment(sequence: int, payload: bytes) -> bytes:
    """From a web server's port."""
    header = (80).to_bytes(2, "big") + (4000).to_bytes(2, "big") + sequence.to_bytes(4, "big")
    header += (1).to_bytes(4, "big") + b"\x50\x18\x20\x00" + bytes(4)
    return traffic.ethernet(traffic.ipv4(6, "192.0.2.1", "192.0.2.2", header + payload))


def gzipped_http(path: Path) -> tuple[str, bytes]:
    """A response in two segments, with a compressed body, within one TCP stream."""
    body = b"".join(b"line %d of what was compressed\n" % i for i in range(60))
    packed = gzip.compress(body, mtime=0)
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Encoding: gzip\r\n"
    head += b"Content-Length: %d\r\n\r\n" % len(packed)
    response = head + packed
    cut = len(head) + 20

    frames = [tcp_segment(1, response[:cut]), tcp_segment(1 + cut, response[cut:])]
    return traffic.write_pcap(path, frames), body


def walk(fields: list[wishpy.Field]) -> list[wishpy.Field]:
    found = []
    for field in fields:
        found += [field, *walk(field.children)]
    return found


def tshark_dumps(path: str | Path) -> list[list[tuple[str, bytes]]]:
    """The data sources of each frame, out of tshark -x."""
    frames: list[list[tuple[str, bytes]]] = []
    name, data, offset_before = "", b"", -1
    for line in [*oracle.lines(path, "-x"), "Frame (0 bytes):"]:
        row = re.match(r"([0-9a-f]{4,})  ((?:[0-9a-f]{2} )+)", line)
        heading = re.fullmatch(r"(\S.* \(\d+ bytes\)):", line)
        if row:
            offset = int(row[1], 16)
            if offset == 0 and not name:   # a frame with one source has no heading
                frames.append([])
            data = (b"" if offset == 0 else data) + bytes.fromhex(row[2])
            offset_before = offset
        if heading or (not line and offset_before >= 0):
            if offset_before >= 0:
                frames[-1].append((name or f"Frame ({len(data)} bytes)", data))
                name, offset_before = "", -1
        if heading:
            name = heading[1]
            if name.startswith("Frame ("):
                frames.append([])
    return frames[:-1]


CASES: dict[str, tuple[str, list[str]]] = {
    "reassembled TCP": ("demo.pcapng", ["Frame", "Reassembled TCP"]),
    "decrypted TLS": ("tls13_secrets.pcapng", ["Frame", "Decrypted TLS"]),
}


@needs_tshark
@pytest.mark.parametrize("case", [*CASES, "decompressed body"])
def test_data_sources_are_those_that_tshark_dumps(case: str, tmp_path: Path) -> None:
    name, words = CASES.get(case, ("", ["Frame", "Reassembled TCP", "Uncompressed entity body"]))
    path = DATA / name if name else gzipped_http(tmp_path / "gzip.pcap")[0]
    packets = read(path)
    mine = [[tuple(source) for source in packet.data_sources] for packet in packets]
    assert mine == tshark_dumps(path)
    names = [str(source[0]) for frame in mine for source in frame]
    assert all(any(name.startswith(word) for name in names) for word in words)


@needs_tshark
@pytest.mark.parametrize("case", [*CASES, "decompressed body"])
def test_raw_is_cut_out_of_the_right_source(case: str, tmp_path: Path) -> None:
    """Field by field, against the offsets and lengths of tshark -T json -x."""
    path = DATA / CASES[case][0] if case in CASES else gzipped_http(tmp_path / "gzip.pcap")[0]
    elsewhere = 0
    for packet, frame in zip(read(path), oracle.json_frames(path, "-x"), strict=True):
        theirs = raw_entries(frame)
        mine = []
        for field in walk(packet.tree):
            raw = field.raw
            if raw is None or field.source_index is None:
                continue
            source = packet.data_sources[field.source_index]
            assert source.name == field.source
            assert raw == source.data[field.offset : field.offset + field.length]
            elsewhere += field.source_index > 0 and bool(raw)
            if raw and field.name:
                mine.append((field.name, raw.hex(), field.offset, field.length))
        assert Counter(mine) >= Counter(theirs)
        assert len(theirs) > 20
    assert elsewhere > 5


def raw_entries(pairs: Any) -> list[tuple[str, str, int, int]]:
    """(name, hex, offset, length) of each name_raw in a frame of tshark's JSON, but for masked bit fields."""
    found = []
    for name, value in pairs:
        if name.endswith("_raw") and name != "frame_raw" and isinstance(value, list) and value and value[3] == 0:
            if value[2] > 0:
                found.append((name.removesuffix("_raw"), value[0], value[1], value[2]))
        elif isinstance(value, tuple):
            found += raw_entries(value)
    return found


def test_the_decompressed_body_has_its_bytes(tmp_path: Path) -> None:
    path, body = gzipped_http(tmp_path / "gzip.pcap")
    packet = read(path)[1]
    again = pickle.loads(pickle.dumps(packet))
    for one in (packet, again):
        assert one.data_sources[-1] == DataSource(f"Uncompressed entity body ({len(body)} bytes)", body)
        text = one.find("data-text-lines")
        assert text is not None
        assert text.source_index == 2
        assert text.raw == body
    assert [source.data for source in read(path, isolated=True)[1].data_sources] == [
        source.data for source in packet.data_sources
    ]


def test_sources_of_one_name_are_all_there() -> None:
    """Two decrypted records of one length share a name; none is lost."""
    packets = read(DATA / "tls13_secrets.pcapng")
    names = [[source.name for source in packet.data_sources] for packet in packets]
    assert sum(map(len, names)) == sum(len(frame) for frame in tshark_dumps(DATA / "tls13_secrets.pcapng"))


def test_more_sources_than_a_byte_can_count(tmp_path: Path) -> None:
    """400 responses in one segment, each with a compressed body, which is a source of its own."""
    bodies = [f"This is body number {i}.".encode() for i in range(400)]
    responses = []
    for body in bodies:
        packed = gzip.compress(body, mtime=0)
        head = f"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Encoding: gzip\r\nContent-Length: {len(packed)}"
        responses.append(head.encode() + b"\r\n\r\n" + packed)
    path = traffic.write_pcap(tmp_path / "many.pcap", [tcp_segment(1, b"".join(responses))])
    packet = read(path)[0]
    assert len(packet.data_sources) == 401
    assert [field.raw for field in packet.find_all("data-text-lines")] == bodies


def test_a_foreign_block_is_checked(demo: str) -> None:
    """Every offset in the new tables is looked at: a pickle with one bit flipped is a packet or a ValueError."""
    packet = read(demo)[2]
    function, (block, *others) = packet.__reduce__()[:2]
    refused = 0
    for at in range(0, len(block), 3):
        damaged = bytearray(block)
        damaged[at] ^= 0x80
        try:
            again = function(bytes(damaged), *others)
        except ValueError:
            refused += 1
            continue
        assert isinstance(again.expert, list)
        assert isinstance(again.follow, dict)
        assert isinstance(again.data_sources, list)
    assert refused > 50
