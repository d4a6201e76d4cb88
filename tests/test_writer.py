"""wishpy.Writer. What it writes is compared with what tshark -w writes of the same capture, byte by byte."""

from __future__ import annotations

import errno
import gc
import gzip
import os
import pickle
import queue
import struct
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import oracle
import pytest
from conftest import DATA, ROOT, SHARED, WIRESHARK, Finished, captures_under, needs_root, needs_tshark

import wishpy

# Several interfaces, sections, byte orders and clocks; link types with and without a pseudo header; cut packets.
CHOSEN = """
    gopacket/be-test200.pcapng ndpi/nano.pcapng ndpi/can.pcap ndpi/tls_ech.pcapng crackle/le_secure_connections.pcapng
    tcpdump/802_15_4-data.pcap tcpdump/arcnet-rfc1051-arp-icmp-http.pcap tcpdump/HDLC.pcap
    tcpdump/isup.pcap tcpdump/ipoib.pcap tcpdump/empty.pcapng tcpdump/tcp-handshake-nano.pcap tcpdump/nflog.pcap
    arkime/80211http.pcap arkime/bigendian.pcap arkime/icmp-frame-relay.pcap scapy/canfd.pcap.gz
    scapy/ikev2_nat_t.pcapng malformed/tcpdump-atm-heapoverflow.pcap malformed/tcpdump-isis-seg-fault-3.pcapng
    pyshark/capture_test.pcapng
""".split()
CAPTURES = [*captures_under(DATA), *(SHARED / name for name in CHOSEN if (SHARED / name).exists())]


def name_of(path: Path) -> str:
    return path.name


@pytest.fixture(scope="module")
def special(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Captures that no collection has: records that are no packets, pseudo headers, all options of all blocks."""
    folder = tmp_path_factory.mktemp("special")
    for name, data in special_captures().items():
        (folder / name).write_bytes(data)
    return folder


# ---- pcapng, as bytes

SECTION, INTERFACE, NAMES, STATISTICS, PACKET, SECRETS, JOURNAL, CUSTOM, NO_COPY = (
    0x0A0D0D0A, 1, 4, 5, 6, 10, 9, 0x0BAD, 0x40000BAD,
)  # fmt: skip
APPLICATION = 4


def option(code: int, value: bytes) -> bytes:
    return struct.pack("=HH", code, len(value)) + value + bytes(-len(value) % 4)


def block(kind: int, fixed: bytes, *options: tuple[int, bytes], data: bytes = b"") -> bytes:
    body = fixed + data + bytes(-len(data) % 4) + b"".join(option(*one) for one in options)
    body += bytes(4) if options else b""
    return struct.pack("=II", kind, len(body) + 12) + body + struct.pack("=I", len(body) + 12)


def section(*options: tuple[int, bytes]) -> bytes:
    return block(SECTION, struct.pack("=IHHq", 0x1A2B3C4D, 1, 0, -1), *options)


def interface(linktype: int, *options: tuple[int, bytes], snaplen: int = 0) -> bytes:
    return block(INTERFACE, struct.pack("=HHI", linktype, 0, snaplen), *options)


def packet(number: int, units: int, data: bytes, *options: tuple[int, bytes], length: int | None = None) -> bytes:
    fixed = struct.pack(
        "=5I", number, units >> 32, units & 0xFFFFFFFF, len(data), len(data) if length is None else length
    )
    return block(PACKET, fixed, *options, data=data)


FRAME = bytes.fromhex("ffffffffffff020000000001" + "9999") + b"what the frame says" * 3
EVERY_OPTION = (
    (1, b"the first comment"),
    (1, "the second, \u2713".encode()),
    (2, struct.pack("=I", 1)),  # inbound
    (4, struct.pack("=Q", 7)),  # dropped before
    (5, struct.pack("=Q", 99)),
    (6, struct.pack("=I", 3)),
    (2988, struct.pack("=I", 32473) + b"text to copy"),
    (2989, struct.pack("=I", 32473) + b"\0\1\2\xff"),
    (19372, struct.pack("=I", 32473) + b"text not to copy"),
)


def special_captures() -> dict[str, bytes]:
    bpf = bytes([1]) + struct.pack("=HBBI", 0x28, 0, 0, 12) + struct.pack("=HBBI", 6, 0, 0, 65535)
    described = (
        (1, b"an interface's comment"), (2, b"eth9"), (3, b"the ninth"), (8, struct.pack("=Q", 10**9)), (9, b"\x09"),
        (11, b"\0udp port 53"), (12, b"an operating system"), (13, b"\x04"), (15, b"a card"),
    )  # fmt: skip
    head = section((1, b"of the section"), (2, b"a machine"), (3, b"a system"), (4, b"an application"))
    now = 1_700_000_000_123_456_789
    journal = b"__REALTIME_TIMESTAMP=1700000000000000\nMESSAGE=hello\n\n"
    binary = (2, b"binary"), (9, b"\x94")  # of times: 2 to the power of -20
    return {
        "options.pcapng": head
        + interface(1, *described)
        + interface(1, (2, b"eth10"), (9, b"\x09"), (11, bpf))
        + packet(0, now, FRAME, *EVERY_OPTION)
        + packet(1, now + 1, FRAME[:20], length=90)
        + packet(0, now + 2, FRAME),
        "twins.pcapng": section() + 2 * interface(1, (9, b"\x09")) + packet(1, now, FRAME) + packet(0, now + 1, FRAME),
        "records.pcapng": section()
        + block(JOURNAL, b"", data=journal)
        + interface(1)
        + packet(0, 5, FRAME)
        + block(CUSTOM, struct.pack("=I", 32473), data=b"a custom block's data, whole words.."),
        "offset.pcapng": section()
        + interface(1, (9, b"\x06"), (14, struct.pack("=q", 1_600_000_000)))
        + packet(0, 1_000_001, FRAME),
        "binary.pcapng": section() + interface(1, *binary) + packet(0, 1700000000 << 20 | 77, FRAME),
        "empty_packet.pcapng": section() + interface(1) + packet(0, 5, b"", length=60) + packet(0, 6, FRAME),
        "pseudo.pcapng": section()
        + interface(141 - 2, (2, b"mtp2"))  # MTP2 with a pseudo header
        + packet(0, 5, b"\1\0\0\7" + bytes.fromhex("8180008300"))
        + interface(201)  # Bluetooth H4 with one
        + packet(1, 6, b"\0\0\0\1" + bytes.fromhex("040e0401030c00"))
        + interface(177)  # LAPD, cooked
        + packet(2, 7, bytes.fromhex("0004 03ff 0001 0000 0000 0000 0000 0030 0001 7f")),
    }


def blocks(path: Path | str) -> list[tuple[int, bytes]]:
    """All blocks, (type, body).

    Left out: who wrote the file; the length of a section, of which tshark says that of the file that it read; an
    interface's statistics, of which tshark writes what it has read before the first packet: with -2 they are there.
    """
    data, found, at = Path(path).read_bytes(), [], 0
    if data[:2] == b"\x1f\x8b":
        data = gzip.decompress(data)
    while at < len(data):
        kind, size = struct.unpack_from("=II", data, at)
        assert size >= 12 and at + size <= len(data) and data[at + size - 4 : at + size] == data[at + 4 : at + 8]
        body = data[at + 8 : at + size - 4]
        if kind != STATISTICS:
            found.append((kind, without_application(body) if kind == SECTION else body))
        at += size
    return found


def tsharks_blocks(path: Path) -> list[tuple[int, bytes]]:
    """Those that a Writer writes, too: from 4.4 on tshark copies the names of addresses that a file has."""
    return [one for one in blocks(path) if WIRESHARK < (4, 4) or one[0] != NAMES]


def without_application(body: bytes) -> bytes:
    kept, at = body[:8], 16
    while at < len(body):
        code, size = struct.unpack_from("=HH", body, at)
        step = 4 + size + -size % 4
        written_here = body[at + 4 :].startswith((b"wishpy 1", b"TShark"))
        kept += b"" if code == 0 or (code == APPLICATION and written_here) else body[at : at + step]
        at += step
    return kept


# ---- reading back

Facts = list[tuple[Any, ...]]


def facts(path: Path | str) -> Facts:
    """What there is of each packet in a file: what must be the same however it went there."""
    with wishpy.Dissector(str(path)) as packets:
        return [
            (p.time_ns, p.length, p.captured_length, p.linktype, p.interface, p.data, *p.get_all("frame.comment"))
            for p in packets
        ]


def tshark_writes(source: Path, target: Path, *options: str) -> subprocess.CompletedProcess[bytes]:
    assert oracle.TSHARK is not None
    command = [oracle.TSHARK, "-r", str(source), "-w", str(target), *options]
    return subprocess.run(command, capture_output=True, env=oracle.environment(), timeout=120)


def write(packets: Any, target: Path | str, *arguments: Any, **keywords: Any) -> int:
    with wishpy.Writer(target, *arguments, **keywords) as writer:
        for one in packets:
            writer.write(one)
    return writer.count


def rewrite(source: Path, target: Path, *arguments: Any, **keywords: Any) -> int:
    """The capture's packets one by one, as they come; up to the place where it is damaged."""
    with wishpy.Dissector(source, **keywords) as packets, wishpy.Writer(target, *arguments) as writer:
        try:
            for one in packets:
                writer.write(one)
        except wishpy.FileError as error:
            assert error.path == source
    return writer.count


def kept(path: Path, **keywords: Any) -> list[wishpy.Packet]:
    with wishpy.Dissector(path, **keywords) as packets:
        return list(packets)


# ---- as tshark -w


FILTERS = (None, "frame.number % 2 == 1", "frame.len > 100")


@needs_tshark
@pytest.mark.parametrize("source", CAPTURES, ids=name_of)
def test_pcapng_is_tsharks_byte_by_byte(source: Path, tmp_path: Path) -> None:
    for display_filter in FILTERS:
        options = [] if display_filter is None else ["-Y", display_filter]
        tshark_writes(source, tmp_path / "theirs", *options)
        count = rewrite(source, tmp_path / "ours", display_filter=display_filter)
        theirs, ours = tsharks_blocks(tmp_path / "theirs"), blocks(tmp_path / "ours")
        if count == 0:  # no packet, and so nothing of their file's either
            ours, theirs = [b for b in ours if b[0] != SECTION], [b for b in theirs if b[0] not in (SECTION, INTERFACE)]
        assert ours == theirs, display_filter
        assert count == sum(kind == PACKET for kind, _ in theirs)


@needs_tshark
@pytest.mark.parametrize("name", sorted(special_captures()))
def test_special_captures_are_tsharks_byte_by_byte(name: str, special: Path, tmp_path: Path) -> None:
    tshark_writes(special / name, tmp_path / "theirs")
    rewrite(special / name, tmp_path / "ours")
    assert blocks(tmp_path / "ours") == tsharks_blocks(tmp_path / "theirs")
    assert len(blocks(tmp_path / "ours")) > 2


@needs_tshark
@pytest.mark.parametrize("source", CAPTURES, ids=name_of)
def test_pcap_is_tsharks_byte_by_byte(source: Path, tmp_path: Path) -> None:
    done = tshark_writes(source, tmp_path / "theirs", "-F", "nsecpcap")
    if b"can't be saved" in done.stderr or b"doesn't support" in done.stderr or b"can't be written" in done.stderr:
        # 4.4 looks at the interfaces, whether or not there are packets of theirs.
        if WIRESHARK >= (4, 4) and not kept(source):
            assert rewrite(source, tmp_path / "ours", "pcap") == 0
            return
        with pytest.raises(ValueError, match=r"its link type is .*a pcap file has one"):
            rewrite(source, tmp_path / "ours", "pcap")
        return
    count = rewrite(source, tmp_path / "ours", "pcap")
    theirs, ours = (tmp_path / "theirs").read_bytes(), (tmp_path / "ours").read_bytes()
    assert ours[24:] == theirs[24:]
    assert ours[:16] == theirs[:16]
    assert ours[20:24] == theirs[20:24] or count == 0


@needs_tshark
@pytest.mark.skipif(not (SHARED / "tcpdump").exists(), reason="../shared/captures is not there")
def test_a_dissector_that_changes_the_record(tmp_path: Path) -> None:
    """PKTAP's takes the frame for Ethernet from there on. Without a filter tshark does not dissect what it writes."""
    source = SHARED / "tcpdump" / "LINKTYPE_PKTAP.pcap"
    tshark_writes(source, tmp_path / "theirs")
    rewrite(source, tmp_path / "ours", display_filter="frame")
    assert blocks(tmp_path / "ours") == tsharks_blocks(tmp_path / "theirs")
    assert {packet.linktype for packet in kept(source)} == {258}


@pytest.mark.parametrize("how", ["kept", "pickled", "pickled together", "isolated"])
def test_packets_may_come_from_anywhere(how: str, special: Path, tmp_path: Path) -> None:
    for source in [DATA / "several.pcapng", DATA / "tls13_secrets.pcapng", *sorted(special.glob("*.pcapng"))]:
        rewrite(source, tmp_path / "live")
        packets = kept(source, isolated=how == "isolated")
        if how == "pickled":
            packets = [pickle.loads(pickle.dumps(one)) for one in packets]
        elif how == "pickled together":
            packets = pickle.loads(pickle.dumps(packets))
        write(packets, tmp_path / "other")
        assert facts(tmp_path / "other") == facts(tmp_path / "live")
        live, other = blocks(tmp_path / "live"), blocks(tmp_path / "other")
        assert sorted(live) == sorted(other)  # the same blocks; those about interfaces and secrets come earlier
        assert [b for b in live if b[0] == INTERFACE] == [b for b in other if b[0] == INTERFACE]


def test_a_reader_of_few_fields_and_two_passes(tmp_path: Path) -> None:
    source = DATA / "several.pcapng"
    rewrite(source, tmp_path / "all")
    rewrite(source, tmp_path / "few", fields=["ip.src"])
    rewrite(source, tmp_path / "twice", two_pass=True)
    assert facts(tmp_path / "few") == facts(tmp_path / "all") == facts(tmp_path / "twice") == facts(source)
    write(kept(source, fields=["ip.src"]), tmp_path / "few")
    assert facts(tmp_path / "few") == facts(source)


# ---- several sources


def test_each_source_keeps_its_interfaces(special: Path, tmp_path: Path) -> None:
    first, second = DATA / "several.pcapng", special / "options.pcapng"
    with wishpy.Dissector(first) as one, wishpy.Dissector(second, isolated=True) as other:
        mixed = [packet for pair in zip(one, other) for packet in pair]
    write(mixed, tmp_path / "mixed")
    expected = [fact for pair in zip(facts(first), facts(second)) for fact in pair]
    assert facts(tmp_path / "mixed") == expected
    interfaces = [body for kind, body in blocks(tmp_path / "mixed") if kind == INTERFACE]
    assert len(interfaces) == len(set(interfaces)) == 4


def test_the_same_interface_of_two_files_is_one(tmp_path: Path) -> None:
    both = [packet for _ in range(2) for packet in kept(DATA / "nano_little.pcap")]
    write([pickle.loads(pickle.dumps(packet)) for packet in both], tmp_path / "twice")
    assert [kind for kind, _ in blocks(tmp_path / "twice")] == [SECTION, INTERFACE] + [PACKET] * 16


def test_twins_in_one_file_stay_two(special: Path, tmp_path: Path) -> None:
    rewrite(special / "twins.pcapng", tmp_path / "x")
    found = blocks(tmp_path / "x")
    assert [kind for kind, _ in found] == [SECTION, INTERFACE, INTERFACE, PACKET, PACKET]
    assert [struct.unpack_from("=I", body)[0] for kind, body in found if kind == PACKET] == [1, 0]


def test_secrets_come_along_once(tmp_path: Path) -> None:
    source = DATA / "tls13_secrets.pcapng"
    packets = [pickle.loads(pickle.dumps(packet)) for packet in kept(source)]
    write(packets, tmp_path / "x")
    kinds = [kind for kind, _ in blocks(tmp_path / "x")]
    assert kinds.count(SECRETS) == 1 and kinds.index(SECRETS) < kinds.index(PACKET)
    decrypted = [packet.get_all("http.request.uri") for packet in kept(tmp_path / "x")]
    assert any(decrypted) and decrypted == [packet.get_all("http.request.uri") for packet in kept(source)]
    write(packets, tmp_path / "y", "pcap")
    assert not any(packet.get_all("http.request.uri") for packet in kept(tmp_path / "y"))


# ---- packets that were not dissected


def test_raw_packets(tmp_path: Path) -> None:
    raws = list(wishpy.Capturer(path=DATA / "nano_little.pcap"))
    assert write(raws, tmp_path / "x") == 8
    assert [fact[:4] for fact in facts(tmp_path / "x")] == [
        (raw.time_ns, raw.length, raw.captured_length, raw.linktype) for raw in raws
    ]
    assert [fact[5] for fact in facts(tmp_path / "x")] == [raw.data for raw in raws]


def test_raw_packets_of_several_interfaces_and_link_types(tmp_path: Path) -> None:
    raws = [
        wishpy.RawPacket(FRAME, time_ns=1, interface="eth7"),
        wishpy.RawPacket(FRAME, time_ns=1_700_000_000_987_654_321, interface="wlan0"),
        wishpy.RawPacket(FRAME[14:], time_ns=3, interface="eth7", linktype=101, length=5000),
        wishpy.RawPacket(FRAME, time_ns=4, interface="eth7"),
        wishpy.RawPacket(FRAME, time_ns=5),
    ]
    write(raws, tmp_path / "x")
    assert facts(tmp_path / "x") == [
        (1, 71, 71, 1, "eth7", FRAME),
        (1_700_000_000_987_654_321, 71, 71, 1, "wlan0", FRAME),
        (3, 5000, 57, 101, "eth7", FRAME[14:]),
        (4, 71, 71, 1, "eth7", FRAME),
        (5, 71, 71, 1, "unknown", FRAME),
    ]


def test_raw_packets_with_a_pseudo_header(tmp_path: Path) -> None:
    data = b"\1\0\0\7" + bytes.fromhex("8180008300")  # MTP2's
    with wishpy.Writer(tmp_path / "x") as writer:
        writer.write(wishpy.RawPacket(data, time_ns=5, linktype=139))
    assert [body[20:-3] for kind, body in blocks(tmp_path / "x") if kind == PACKET] == [data]


def test_headers_with_bytes_and_plain_bytes(tmp_path: Path) -> None:
    items: queue.SimpleQueue[Any] = queue.SimpleQueue()
    wishpy.Capturer(path=DATA / "nano_little.pcap").put_to(items)
    write(iter(items.get, None), tmp_path / "x")
    assert [fact[0] for fact in facts(tmp_path / "x")] == [fact[0] for fact in facts(DATA / "nano_little.pcap")]
    write([FRAME, bytearray(FRAME), (None, FRAME)], tmp_path / "x", linktype="EN10MB")
    assert [fact[3:] for fact in facts(tmp_path / "x")] == [(1, "unknown", FRAME)] * 3
    with wishpy.Writer(tmp_path / "x") as writer:
        with pytest.raises(ValueError, match="do not say what they are: give a linktype"):
            writer.write(FRAME)
        with pytest.raises(TypeError, match=r"a packet is a RawPacket, .*, not int"):
            writer.write(7)
        with pytest.raises(ValueError, match="link type 4711 is not known"):
            writer.write(wishpy.RawPacket(FRAME, linktype=4711))
        assert writer.count == 0
        writer.write(wishpy.RawPacket(FRAME))
        assert writer.count == 1


def test_dissected_from_a_capturer_or_by_hand(tmp_path: Path) -> None:
    source = DATA / "nano_little.pcap"
    rewrite(wishpy.Capturer(path=source), tmp_path / "x")  # type: ignore[arg-type]
    assert [fact[:4] for fact in facts(tmp_path / "x")] == [fact[:4] for fact in facts(source)]
    with wishpy.Dissector() as dissector:
        one = dissector.dissect(FRAME, time_ns=1_234_567_890_123_456_789, length=99)
    write([one], tmp_path / "x")
    assert facts(tmp_path / "x") == [(1_234_567_890_123_456_789, 99, 71, 1, "unknown", FRAME)]


# ---- what a format can't have


def refused(writer: wishpy.Writer, packet: Any, text: str, **keywords: Any) -> None:
    before = writer.count
    with pytest.raises(ValueError, match=text) as caught:
        writer.write(packet, **keywords)
    assert str(writer.path) in str(caught.value)
    assert writer.count == before


def test_times(tmp_path: Path) -> None:
    newer = tuple(map(int, wishpy.versions()["libwireshark"].split(".")[:2])) >= (4, 4)
    last_of_pcap, last_of_pcapng = 2**31 - 1 if newer else 2**32 - 1, 2**63 // 10**9 - 1
    with wishpy.Writer(tmp_path / "x.pcap", "pcap") as pcap, wishpy.Writer(tmp_path / "x.pcapng") as pcapng:
        for seconds in (0, last_of_pcap):
            pcap.write(wishpy.RawPacket(FRAME, time_ns=seconds * 10**9 + 999_999_999))
        for seconds in (0, last_of_pcap + 1, last_of_pcapng):
            pcapng.write(wishpy.RawPacket(FRAME, time_ns=seconds * 10**9 + 123_456_789))
        beyond = wishpy.RawPacket(FRAME, time_ns=(last_of_pcap + 1) * 10**9)
        refused(pcap, beyond, f"beyond what pcap can say: {2038 if newer else 2106}")
        refused(pcap, wishpy.RawPacket(FRAME, time_ns=-1), "before 1970")
        refused(pcapng, wishpy.RawPacket(FRAME, time_ns=-1), "before 1970")
        with wishpy.Dissector() as dissector:
            refused(pcapng, dissector.dissect(FRAME, time=2**40), "frame 1 .* beyond what pcapng can say")
    assert [fact[0] for fact in facts(tmp_path / "x.pcap")] == [999_999_999, last_of_pcap * 10**9 + 999_999_999]
    assert [fact[0] for fact in facts(tmp_path / "x.pcapng")] == [
        seconds * 10**9 + 123_456_789 for seconds in (0, last_of_pcap + 1, last_of_pcapng)
    ]


def test_link_types(special: Path, tmp_path: Path) -> None:
    ethernet, raw = kept(DATA / "several.pcapng")[:2]
    with wishpy.Writer(tmp_path / "x", "pcap") as writer:
        writer.write(ethernet)
        refused(writer, raw, "frame 2 .* its link type is Raw IP, and that of the file Ethernet")
        writer.write(ethernet)
    assert len(facts(tmp_path / "x")) == 2
    with wishpy.Writer(tmp_path / "x", "pcap") as writer:
        writer.write(raw)
        refused(writer, ethernet, "its link type is Ethernet, and that of the file Raw IP")
    assert [fact[3] for fact in facts(tmp_path / "x")] == [101]


def test_records_that_are_no_packets(special: Path, tmp_path: Path) -> None:
    journal, _, custom = kept(special / "records.pcapng")
    with wishpy.Writer(tmp_path / "x", "pcap") as writer:
        refused(writer, journal, "frame 1 .* no packet but another record")
        refused(writer, custom, "frame 3 .* no packet but another record")
    forbidden = section() + interface(1) + block(NO_COPY, struct.pack("=I", 32473), data=b"four") + packet(0, 5, FRAME)
    (tmp_path / "forbidden").write_bytes(forbidden)
    with wishpy.Writer(tmp_path / "x") as writer:
        one, other = kept(tmp_path / "forbidden")
        refused(writer, one, "a custom block that says that it must not be copied")
        writer.write(other)
    assert [kind for kind, _ in blocks(tmp_path / "x")] == [SECTION, INTERFACE, PACKET]


def test_link_types_that_no_file_has(tmp_path: Path) -> None:
    (tmp_path / "log.txt").write_text("05-06 12:00:00.123  1000  1000 I Tag     : a line of logcat\n" * 3)
    packets = kept(tmp_path / "log.txt")
    assert packets and all(one.linktype is None for one in packets)
    for format in ("pcap", "pcapng"):
        with wishpy.Writer(tmp_path / "x", format) as writer:
            refused(writer, packets[0], "frame 1 .* no pcap or pcapng file has its link type")
        assert facts(tmp_path / "x") == [] if format == "pcap" else len(blocks(tmp_path / "x")) == 1


def test_comments(special: Path, tmp_path: Path) -> None:
    one = kept(special / "options.pcapng")[0]
    with wishpy.Writer(tmp_path / "x") as writer:
        writer.write(one, comment="third, \u00e9")
        writer.write(wishpy.RawPacket(FRAME), comment="alone")
        writer.write(wishpy.RawPacket(FRAME))
        writer.write(one, comment=None)
        refused(writer, one, "65,535 bytes at most", comment="x" * 65_536)
        with pytest.raises(TypeError):
            writer.write(one, comment=7)  # type: ignore[arg-type]
    first, second = "the first comment", "the second, \u2713"
    assert [fact[6:] for fact in facts(tmp_path / "x")] == [
        (first, second, "third, \u00e9"), ("alone",), (), (first, second),
    ]  # fmt: skip
    with wishpy.Writer(tmp_path / "y", "pcap") as writer:
        writer.write(one)
        refused(writer, one, "a pcap file has no comments", comment="x")


# ---- the file


def test_paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for path in ("a", b"b", Path("c"), "d\u00e9", os.fsdecode(b"e\xff")):
        with wishpy.Writer(path) as writer:
            writer.write(wishpy.RawPacket(FRAME))
            assert writer.path == path and not writer.closed
        assert len(facts(os.fsdecode(path))) == 1
    for path in (7, None):
        with pytest.raises(TypeError):
            wishpy.Writer(path)  # type: ignore[arg-type]
    with pytest.raises(ValueError):
        wishpy.Writer("x\0y")


def test_what_cannot_be_opened(tmp_path: Path) -> None:
    for path, number in ((tmp_path / "none" / "x", errno.ENOENT), (tmp_path, errno.EISDIR)):
        with pytest.raises(wishpy.FileError) as caught:
            wishpy.Writer(path)
        assert caught.value.path == path and caught.value.errno == number and str(path) in str(caught.value)


def test_an_existing_file_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(bytes(100_000))
    assert write(kept(DATA / "demo.pcapng"), tmp_path / "x") == 13
    assert len(facts(tmp_path / "x")) == 13


def test_nothing_written_is_an_empty_capture(tmp_path: Path) -> None:
    for format in ("pcapng", "pcap"):
        assert write([], tmp_path / "x", format) == 0
        assert kept(tmp_path / "x") == []
        assert list(wishpy.Capturer(path=tmp_path / "x")) == [] if format == "pcap" else True


def test_closing(tmp_path: Path) -> None:
    writer = wishpy.Writer(tmp_path / "x")
    assert repr(writer) == f"<Writer {tmp_path / 'x'!r}, pcapng, open>"
    assert (writer.format, writer.compression, writer.count) == ("pcapng", None, 0)
    writer.write(wishpy.RawPacket(FRAME))
    writer.close()
    writer.close()
    assert writer.closed and writer.count == 1 and "closed" in repr(writer)
    for work in (lambda: writer.write(wishpy.RawPacket(FRAME)), writer.flush, writer.__enter__):
        with pytest.raises(ValueError, match="the Writer is closed"):
            work()
    with pytest.raises(LookupError), wishpy.Writer(tmp_path / "y") as other:
        other.write(wishpy.RawPacket(FRAME))
        raise LookupError
    assert other.closed and len(facts(tmp_path / "y")) == 1


def test_one_that_nobody_closed(tmp_path: Path) -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        wishpy.Writer(tmp_path / "x").write(wishpy.RawPacket(FRAME))
        gc.collect()
    assert [warning.category for warning in caught] == [ResourceWarning]
    assert len(facts(tmp_path / "x")) == 1


def test_flush_lets_others_read(tmp_path: Path) -> None:
    with wishpy.Writer(tmp_path / "x") as writer:
        writer.flush()
        for count in (1, 2):
            writer.write(wishpy.RawPacket(FRAME))
            writer.flush()
            assert len(facts(tmp_path / "x")) == count


def test_unknown_formats_and_arguments(tmp_path: Path) -> None:
    for arguments, keywords, kind, text in (
        (("erf",), {}, ValueError, "format must be 'pcapng' or 'pcap', not 'erf'"),
        ((), {"compression": "zip"}, ValueError, "compression must be None, 'gzip'"),
        ((), {"compression": "zstd"}, ValueError, "reads zstd but can't write it: compression can be None, 'gzip'"),
        ((), {"linktype": "ETHERNETT"}, ValueError, "no link type is called"),
        ((), {"snaplen": 7}, TypeError, "snaplen"),
        ((7,), {}, TypeError, "str"),
    ):
        with pytest.raises(kind, match=text):
            wishpy.Writer(tmp_path / "x", *arguments, **keywords)  # type: ignore[arg-type]
        assert not (tmp_path / "x").exists()


# ---- compression


def test_gzip(special: Path, tmp_path: Path) -> None:
    for source in (DATA / "several.pcapng", DATA / "tls13_secrets.pcapng", special / "options.pcapng"):
        rewrite(source, tmp_path / "plain")
        rewrite(source, tmp_path / "x.gz", "pcapng", "gzip")
        assert gzip.decompress((tmp_path / "x.gz").read_bytes()) == (tmp_path / "plain").read_bytes()
        assert facts(tmp_path / "x.gz") == facts(source)
    empty = kept(special / "empty_packet.pcapng")
    with wishpy.Writer(tmp_path / "x.gz", compression="gzip") as writer:
        with pytest.raises(ValueError, match=r"frame 1 .* has no bytes"):
            writer.write(empty[0])
        writer.write(empty[1])
    assert len(facts(tmp_path / "x.gz")) == 1


def test_lz4_where_libwiretap_can(tmp_path: Path) -> None:
    minor = tuple(int(part) for part in wishpy.versions()["libwireshark"].split(".")[:2])
    if minor < (4, 4):
        with pytest.raises(ValueError, match="reads lz4 but can't write it"):
            wishpy.Writer(tmp_path / "x", compression="lz4")
    else:
        assert write(kept(DATA / "demo.pcapng"), tmp_path / "x", compression="lz4") == 13
        assert len(facts(tmp_path / "x")) == 13


# ---- a full disk

FILL = """
import os, resource, sys
import wishpy
path, format, compression = sys.argv[1], sys.argv[2], sys.argv[3] or None
limit, size = int(sys.argv[4]), int(sys.argv[5])
packets = [wishpy.RawPacket(os.urandom(size), time_ns=number) for number in range(64)]
writer = wishpy.Writer(path, format, compression)
if limit:
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
for number in range(100_000_000):
    try:
        writer.write(packets[number % 64])
    except wishpy.FileError as failure:
        error = failure
        break
for work in (lambda: writer.write(packets[0]), writer.flush):
    try:
        work()
    except wishpy.FileError as again:
        assert str(again) == str(error), (again, error)
    else:
        raise AssertionError("goes on after a failure")
writer.close()
with wishpy.Writer(os.devnull) as other:
    other.write(packets[0])
print(error.errno, error.path == path, writer.count, str(error))
"""


def fill(python: Callable[..., Finished], path: Path, format: str, compression: str, limit: int, size: int) -> int:
    out = python(str(path), format, compression, str(limit), str(size), code=FILL, cwd=ROOT).check()
    number, named, count, message = out.split(" ", 3)
    assert int(number) in (errno.EFBIG, errno.ENOSPC) and named == "True"
    assert str(path) in message and f"{count} packets are in the file" in message
    return int(count)


@pytest.mark.parametrize("format", ["pcapng", "pcap"])
@pytest.mark.parametrize("size", [60, 1500, 70_000])
def test_a_full_disk_leaves_whole_packets(
    format: str, size: int, python: Callable[..., Finished], tmp_path: Path
) -> None:
    limit = 1_000_000
    count = fill(python, tmp_path / "x", format, "", limit, size)
    each = (32 if format == "pcapng" else 16) + size
    length = (tmp_path / "x").stat().st_size
    assert limit - each - 200 < length <= limit
    found = facts(tmp_path / "x")  # raises where the end is not whole
    assert [fact[0] for fact in found] == [number % 64 for number in range(count)]
    assert count == (limit - (length - count * each)) // each


@pytest.mark.parametrize("limit", [6_000_000, 1_000])
def test_a_full_disk_leaves_a_whole_gzip_file(limit: int, python: Callable[..., Finished], tmp_path: Path) -> None:
    count = fill(python, tmp_path / "x.gz", "pcapng", "gzip", limit, 1500)
    data = gzip.decompress((tmp_path / "x.gz").read_bytes())  # checks its length and its sum
    assert [kind for kind, _ in blocks(tmp_path / "x.gz")].count(PACKET) == count
    if limit > 5_000_000:
        assert count * 1532 > 4_000_000 and len(facts(tmp_path / "x.gz")) == count
    else:
        assert data == b"" or count == 0


@needs_root
def test_a_full_file_system(python: Callable[..., Finished], tmp_path: Path) -> None:
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(tmp_path)]).returncode != 0:
        pytest.skip("no file system may be mounted here")
    try:
        count = fill(python, tmp_path / "x", "pcapng", "", 0, 1000)
        assert count == len(facts(tmp_path / "x")) > 200
    finally:
        subprocess.run(["umount", str(tmp_path)], check=True)


def test_a_disk_that_is_full_from_the_start() -> None:
    writer = wishpy.Writer("/dev/full")
    writer.write(wishpy.RawPacket(FRAME))
    with pytest.raises(wishpy.FileError, match="/dev/full: No space left on device") as caught:
        writer.close()
    assert caught.value.errno == errno.ENOSPC
    writer.close()
    assert writer.closed


# ---- processes and threads


def test_a_fork_writes_nothing_twice(tmp_path: Path, python: Callable[..., Finished]) -> None:
    code = """
import os, sys, wishpy
for compression in (None, "gzip"):
    writer = wishpy.Writer(sys.argv[1] + str(compression), compression=compression)
    for number in range(5):
        writer.write(wishpy.RawPacket(b"x" * 60, time_ns=number))
    child = os.fork()
    if child == 0:
        try:
            writer.write(wishpy.RawPacket(b"y" * 60))
        except wishpy.SessionError as error:
            assert "parent" in str(error)
            writer.close()
            sys.exit(7)  # flushes what C has buffered
    assert os.waitpid(child, 0)[1] == 7 << 8
    writer.write(wishpy.RawPacket(b"x" * 60, time_ns=5))
    writer.close()
"""
    python(str(tmp_path / "x"), code=code, cwd=ROOT).check()
    for name in ("xNone", "xgzip"):
        assert [fact[0] for fact in facts(tmp_path / name)] == list(range(6))


def test_threads(tmp_path: Path) -> None:
    def work(number: int) -> None:
        for sequence in range(500):
            writer.write(wishpy.RawPacket(bytes([number]) * 60, time_ns=sequence))

    with wishpy.Writer(tmp_path / "x") as writer:
        threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert writer.count == 2000
    found = facts(tmp_path / "x")
    for number in range(4):
        assert [fact[0] for fact in found if fact[5][0] == number] == list(range(500))


def test_others_run_while_a_pipe_is_full(tmp_path: Path) -> None:
    """The GIL is let go: a thread that waits for the pipe's reader does not keep the reader from running."""
    path = tmp_path / "pipe"
    os.mkfifo(path)

    def work() -> None:
        with wishpy.Writer(path) as writer:
            for number in range(300):
                writer.write(wishpy.RawPacket(bytes(1000), time_ns=number))

    thread = threading.Thread(target=work)
    thread.start()
    with open(path, "rb") as reader:
        time.sleep(0.2)
        assert thread.is_alive()
        data = reader.read()
    thread.join()
    (tmp_path / "x").write_bytes(data)
    assert [fact[0] for fact in facts(tmp_path / "x")] == list(range(300))


def test_a_reader_that_goes_away_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    with pytest.raises(wishpy.FileError) as caught, wishpy.Writer(path) as writer:
        os.close(reader)
        for _ in range(1000):
            writer.write(wishpy.RawPacket(bytes(1000)))
    assert caught.value.errno == errno.EPIPE


# ---- the command


def run(*arguments: Any, **options: Any) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "wishpy", "dissect", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, cwd=ROOT, timeout=120, **options)


@needs_tshark
def test_dissect_writes_what_tshark_writes(tmp_path: Path) -> None:
    source = DATA / "several.pcapng"
    for options in ([], ["-Y", "frame.number > 3"], ["-c", "2"], ["-2", "-R", "udp"]):
        tshark_writes(source, tmp_path / "theirs", *options)
        done = run(source, "-w", tmp_path / "ours", *options)
        assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
        assert blocks(tmp_path / "ours") == tsharks_blocks(tmp_path / "theirs"), options
    done = run(source, "-w", tmp_path / "ours", "-T", "fields", "-e", "frame.number")
    assert done.stdout.split() == [b"%d" % number for number in range(1, 8)] and len(facts(tmp_path / "ours")) == 7


def test_dissect_writes_to_standard_output_and_in_other_formats(tmp_path: Path) -> None:
    demo = DATA / "demo.pcapng"
    done = run(demo, "-w", "-")
    (tmp_path / "x").write_bytes(done.stdout)
    assert done.returncode == 0 and facts(tmp_path / "x") == facts(demo)
    assert run(demo, "-F", "pcap", "--compress", "gzip", "-w", tmp_path / "x").returncode == 0
    assert gzip.decompress((tmp_path / "x").read_bytes())[:4] == struct.pack("=I", 0xA1B23C4D)
    done = run(DATA / "several.pcapng", "-F", "pcap", "-w", tmp_path / "x")
    assert done.returncode == 2 and done.stderr.count(b"\n") == 1 and b"frame 2 can't be written" in done.stderr
    assert len(facts(tmp_path / "x")) == 6


def test_dissect_never_destroys_what_it_reads(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes((DATA / "demo.pcapng").read_bytes())
    (tmp_path / "link").symlink_to(path)
    with open(path, "rb") as file:
        for done in (run(path, "-w", tmp_path / "link"), run("-", "-w", path, stdin=file)):
            assert done.returncode == 1 and b"would destroy it" in done.stderr
    assert run(path, "-Y", "no.such.field", "-w", tmp_path / "other").returncode == 2
    assert not (tmp_path / "other").exists()
    assert path.read_bytes() == (DATA / "demo.pcapng").read_bytes()


def test_mistakes_of_dissect(tmp_path: Path) -> None:
    demo = DATA / "demo.pcapng"
    for arguments, status, text in (
        ((demo, "-F", "pcap"), 1, b"about the file that -w writes"),
        ((demo, "-w", "-", "--json"), 1, b"standard output"),
        ((demo, "-w", tmp_path / "none" / "x"), 2, b"No such file"),
        ((demo, "-w", "/dev/full"), 2, b"No space left on device"),
        ((demo, "-w", tmp_path / "x", "--compress", "zstd"), 2, b"can't write it"),
    ):
        done = run(*arguments)
        assert done.returncode == status and text in done.stderr, done.stderr


def test_a_closed_pipe_ends_it_silently() -> None:
    code = "import os, sys; os.read(0, 1); os.close(0)"
    big = b"".join([(DATA / "demo.pcapng").read_bytes()] * 200)
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE) as reader:
        done = subprocess.run(
            [sys.executable, "-m", "wishpy", "dissect", "-", "-w", "-"],
            input=big, stdout=reader.stdin, stderr=subprocess.PIPE, cwd=ROOT, timeout=120,
        )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, b"")
