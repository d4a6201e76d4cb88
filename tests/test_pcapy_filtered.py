"""pcapy-ng's next_batch, loop_filtered, loop_to_buffer and filtered_stats: what its README says."""

from __future__ import annotations

import random
import socket
import struct
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from traffic import ethernet, ipv4, tcp, udp, write_pcap

from wishpy import pcapy

OTHER, FLOW_HEAD, SET_MATCH = range(3)
DNS, HTTP, NOISE, ADDRESS, HANDSHAKE, SYN = range(6)
BAD = ["198.51.100.7", "198.51.100.9"]


def packed(addresses: Sequence[str]) -> bytes:
    return b"".join(socket.inet_aton(address) for address in addresses)


class Capture:
    """A file of packets, read anew by each call."""

    def __init__(self, folder: Path) -> None:
        self.path = str(folder / "x.pcap")

    def write(self, packets: list[bytes], **options: Any) -> None:
        write_pcap(self.path, packets, **options)

    def filtered(self, packets: list[bytes], *arguments: Any, **keywords: Any) -> tuple[tuple[int, ...], list[Any]]:
        self.write(packets)
        found = []
        reader = pcapy.open_offline(self.path)
        result = reader.loop_filtered(-1, lambda header, data, c: found.append((c, data)), *arguments, **keywords)
        assert reader.filtered_stats() == result
        assert result[0] == len(found) and sum(result[2:]) == result[0] + result[1] == len(packets)
        return result, found

    def security(self, packets: list[bytes], **keywords: Any) -> tuple[int, ...]:
        """The counts of the security profile's classes."""
        return self.filtered(packets, 0xFF, profile=1, **keywords)[0][2:]

    def one(self, packet: bytes, **keywords: Any) -> int:
        """The security class of one packet."""
        return self.security([packet], **keywords).index(1)


@pytest.fixture
def capture(tmp_path: Path) -> Capture:
    return Capture(tmp_path)


def flow(
    source: str = "10.0.0.5", port: int = 50000, size: int = 50, to: int = 443, destination: str = "1.2.3.4"
) -> bytes:
    return ethernet(ipv4(6, source, destination, tcp(port, to, payload=b"\0" * size)))


MIXED = [
    ethernet(ipv4(17, "10.0.0.5", "8.8.8.8", udp(5000, 53, b"q" * 20))),
    flow(to=80),
    ethernet(ipv4(6, "10.0.0.5", "1.2.3.4", tcp(4000, 9999, flags=0x02))),
    flow(),
    ethernet(ipv4(17, "10.0.0.5", BAD[0], udp(5000, 6000, b"x"))),
    ethernet(ipv4(1, "10.0.0.5", "1.2.3.4", b"ping")),
    ethernet(b"\0" * 28, 0x0806),
]


# ---- The general profile


def test_without_anything_to_look_for_all_is_other(capture: Capture) -> None:
    result, found = capture.filtered(MIXED)
    assert result == (7, 0, 7, 0, 0)
    assert found == [(OTHER, packet) for packet in MIXED]


def test_the_mask_wants_classes_and_the_counts_do_not_depend_on_it(capture: Capture) -> None:
    whole, found = capture.filtered(MIXED, 7, packed(BAD), 1)
    assert [c for c, _ in found] == [FLOW_HEAD, FLOW_HEAD, FLOW_HEAD, FLOW_HEAD, SET_MATCH, OTHER, OTHER]
    for mask in range(8):
        result, some = capture.filtered(MIXED, mask, packed(BAD), 1)
        assert some == [(c, data) for c, data in found if mask >> c & 1]
        assert result[2:] == whole[2:] == (2, 4, 1)


def test_flow_heads(capture: Capture) -> None:
    assert capture.filtered([flow()] * 10, flow_cutoff=3)[0] == (10, 0, 7, 3, 0)
    assert capture.filtered([flow()] * 10, flow_cutoff=0)[0][2:] == (10, 0, 0)
    # Each direction, each port, each protocol is a flow of its own.
    several = [
        flow(),
        flow(source="1.2.3.4", destination="10.0.0.5", port=443, to=50000),
        flow(port=50001),
        ethernet(ipv4(17, "10.0.0.5", "1.2.3.4", udp(50000, 443))),
    ]
    assert capture.filtered(several * 2, flow_cutoff=1)[0][2:] == (4, 4, 0)
    for port in (0x7FFF, 0x8000, 0xFFFF, 1):
        several.append(flow(port=port))
    assert capture.filtered(several, flow_cutoff=1)[0][3] == 8


def test_no_flow_head_is_missed_among_many_flows(capture: Capture) -> None:
    packets = [flow(f"10.{i >> 16}.{i >> 8 & 255}.{i & 255}", 1024 + i, 1) for i in range(4000)] * 2
    random.Random(7).shuffle(packets)
    assert capture.filtered(packets, flow_cutoff=1)[0][3] >= 4000  # a flow whose place was taken counts anew


def test_address_set(capture: Capture) -> None:
    base = int.from_bytes(socket.inet_aton("198.18.0.0"), "big")
    addresses = [socket.inet_ntoa((base + i).to_bytes(4, "big")) for i in range(100_000)]
    inside = [flow(addresses[i]) for i in (0, 1, 255, 256, 54_321, 99_999)]
    inside += [flow(destination=addresses[i]) for i in (0, 99_999)]
    outside = [flow(socket.inet_ntoa((base - 1).to_bytes(4, "big"))), flow("198.19.134.160"), flow("0.0.0.0")]
    six = [ethernet(b"\x60" + b"\0" * 59, 0x86DD)]
    _, found = capture.filtered(inside + outside + six, 4, packed([*addresses, "0.0.0.0", addresses[0]]) + b"\1\2")
    assert found == [(SET_MATCH, packet) for packet in inside]


@pytest.mark.parametrize("tags", [b"\x81\x00\x00\x05", b"\x88\xa8\x00\x05\x81\x00\x00\x06"])
def test_vlan_tags_are_skipped(capture: Capture, tags: bytes) -> None:
    packet = flow(BAD[0])
    assert capture.filtered([packet[:12] + tags + packet[12:]], addr_set=packed(BAD))[0][4] == 1


@pytest.mark.parametrize(("offset", "front"), [(0, b""), (16, b"\0" * 16), (20, b"\0" * 20)])
def test_other_link_types(capture: Capture, offset: int, front: bytes) -> None:
    packet = front + flow(BAD[0])[14:]
    assert capture.filtered([packet], addr_set=packed(BAD), l2_offset=offset)[0][4] == 1


# ---- The security profile


@pytest.mark.parametrize(
    ("expected", "packet", "options"),
    [
        (DNS, MIXED[0], {}),
        (DNS, ethernet(ipv4(6, "10.0.0.5", "8.8.8.8", tcp(5000, 53, payload=b"\0"))), {}),
        (NOISE, MIXED[0], {"dns_port": 5353}),
        (HTTP, flow(to=80), {}),
        (HTTP, flow(to=40000, port=8080), {}),
        (NOISE, flow(to=80, size=0), {}),
        (NOISE, flow(to=80), {"dpi_ports": []}),
        (HTTP, flow(to=8443), {"dpi_ports": (8443, 1)}),
        (SYN, MIXED[2], {}),
        (NOISE, flow(), {}),
        (HANDSHAKE, flow(), {"flow_cutoff": 1}),
        (NOISE, flow(to=8443), {"flow_cutoff": 1}),
        (HANDSHAKE, flow(to=8443), {"flow_cutoff": 1, "tls_ports": [8443]}),
        (ADDRESS, MIXED[4], {"addr_set": packed(BAD)}),
        (ADDRESS, ethernet(ipv4(1, BAD[1], "10.0.0.5", b"ping")), {"addr_set": packed(BAD)}),
        (ADDRESS, flow(destination=BAD[0]), {"addr_set": packed(BAD), "flow_cutoff": 2}),
        (NOISE, MIXED[5], {}),
        (NOISE, MIXED[6], {}),
        (NOISE, ethernet(b"\x60" + b"\0" * 59, 0x86DD), {"addr_set": packed(BAD)}),
    ],
)
def test_security_classes(capture: Capture, expected: int, packet: bytes, options: dict[str, Any]) -> None:
    assert capture.one(packet, **options) == expected


def test_security_numbers_and_default_mask_index(capture: Capture) -> None:
    result, found = capture.filtered(MIXED, 59, packed(BAD), 1, profile=1)
    assert [c for c, _ in found] == [100 + c for c in (DNS, HTTP, SYN, HANDSHAKE, ADDRESS)]
    assert result == (5, 2, 1, 1, 2, 1, 1, 1)


# ---- Arguments


@pytest.mark.parametrize("method", ["loop_filtered", "loop_to_buffer"])
@pytest.mark.parametrize(
    ("keywords", "error"),
    [
        ({"l2_offset": 65}, ValueError),
        ({"l2_offset": -1}, ValueError),
        ({"profile": 2}, ValueError),
        ({"dns_port": 65536}, ValueError),
        ({"dpi_ports": ["nope"]}, TypeError),
        ({"dpi_ports": 80}, TypeError),
        ({"tls_ports": [70000]}, ValueError),
        ({"addr_set": "text"}, TypeError),
        ({"no_such": 1}, TypeError),
    ],
)
def test_bad_arguments(capture: Capture, method: str, keywords: dict[str, Any], error: type[Exception]) -> None:
    capture.write(MIXED)
    reader = pcapy.open_offline(capture.path)
    target: Any = print if method == "loop_filtered" else bytearray(100)
    with pytest.raises(error):
        getattr(reader, method)(-1, target, **keywords)
    assert reader.next()[1] == MIXED[0]


def test_a_read_only_buffer_is_refused(capture: Capture) -> None:
    capture.write(MIXED)
    with pytest.raises(TypeError, match="read-write bytes-like object"):
        pcapy.open_offline(capture.path).loop_to_buffer(-1, b"read only")


def test_arguments_by_name_or_place(capture: Capture) -> None:
    capture.write(MIXED)
    by_place = pcapy.open_offline(capture.path).loop_filtered(
        -1, lambda *_: None, 255, packed(BAD), 3, None, None, 53, 14, 1
    )
    by_name = pcapy.open_offline(capture.path).loop_filtered(
        cnt=-1, cb=lambda *_: None, admit_mask=255, addr_set=packed(BAD), flow_cutoff=3, dpi_ports=None,
        tls_ports=None, dns_port=53, l2_offset=14, profile=1,
    )  # fmt: skip
    assert by_place == by_name


def test_count_exception_and_break(capture: Capture) -> None:
    capture.write(MIXED)
    reader = pcapy.open_offline(capture.path)
    assert reader.loop_filtered(2, lambda *_: None)[0] == 2
    with pytest.raises(ZeroDivisionError):
        reader.loop_filtered(-1, lambda *_: 1 / 0)
    assert reader.filtered_stats()[0] == 1
    assert reader.loop_filtered(-1, lambda *_: reader.breakloop())[0] == 1
    assert reader.next()[1] == MIXED[4]


def test_counts_are_there_while_it_runs(capture: Capture) -> None:
    capture.write(MIXED * 100)
    reader = pcapy.open_offline(capture.path)
    thread = threading.Thread(target=lambda: reader.loop_filtered(-1, lambda *_: time.sleep(0.0005)))
    thread.start()
    seen = set()
    while thread.is_alive():
        seen.add(reader.filtered_stats()[0])
        time.sleep(0.001)
    thread.join()
    assert len(seen) > 10 and reader.filtered_stats() == (700, 0, 700, 0, 0)


# ---- loop_to_buffer


def records(buffer: bytearray, used: int) -> list[tuple[int, bytes]]:
    found, at = [], 0
    while at < used:
        length, c = struct.unpack_from("<IB", buffer, at)
        found.append((c, bytes(buffer[at + 5 : at + 5 + length])))
        at += 5 + length
    return found


@pytest.mark.parametrize("profile", [0, 1])
def test_the_buffer_has_what_the_callback_would_get(capture: Capture, profile: int) -> None:
    result, found = capture.filtered(MIXED, 0b101111, packed(BAD), 1, profile=profile)
    buffer = bytearray(10_000)
    written, dropped, overflow, used, *counts = pcapy.open_offline(capture.path).loop_to_buffer(
        -1, buffer, 0b101111, packed(BAD), 1, profile=profile
    )
    assert records(buffer, used) == found
    assert (written, dropped, *counts) == result and overflow == 0


def test_a_full_buffer_counts_what_does_not_fit(capture: Capture) -> None:
    capture.write([b"a" * 100, b"b" * 1000, b"c" * 40])
    size = 105 + 45
    buffer = bytearray(size)
    result = pcapy.open_offline(capture.path).loop_to_buffer(-1, buffer)
    assert result == (2, 0, 1, size, 3, 0, 0)
    assert records(buffer, size) == [(0, b"a" * 100), (0, b"c" * 40)]
    assert pcapy.open_offline(capture.path).loop_to_buffer(-1, bytearray(0))[:4] == (0, 0, 3, 0)


# ---- next_batch


def test_next_batch(capture: Capture) -> None:
    packets = [bytes([i % 256]) * (i * 37 % 1500) for i in range(700)]
    capture.write(packets)
    plain, reader = pcapy.open_offline(capture.path), pcapy.open_offline(capture.path)
    sizes = []
    while True:
        data, meta = reader.next_batch(256)
        if not meta:
            assert data == b""
            break
        sizes.append(len(meta) // 16)
        for i in range(0, len(meta), 16):
            seconds, microseconds, offset, length = struct.unpack_from("=IIII", meta, i)
            header, expected = plain.next()
            assert header is not None and header.getts() == (seconds, microseconds)
            assert data[offset : offset + length] == expected
    assert sizes == [256, 256, 188]
    assert reader.next_batch(5) == (b"", b"")


def test_batch_sizes(capture: Capture) -> None:
    capture.write([b"x"] * 600)
    reader = pcapy.open_offline(capture.path)
    assert len(reader.next_batch(0)[1]) == 16 * 256  # pcapy-ng's own default
    assert len(reader.next_batch(1)[1]) == 16
    assert len(reader.next_batch(1_000_000)[1]) == 16 * 343
    with pytest.raises(ValueError, match="at most"):
        reader.next_batch(10**9)
    with pytest.raises(TypeError):
        reader.next_batch("x")  # type: ignore[arg-type]


def test_a_filter_counts_for_all_of_them(capture: Capture) -> None:
    capture.write(MIXED)
    reader = pcapy.open_offline(capture.path)
    reader.setfilter("udp")
    assert reader.loop_filtered(-1, lambda *_: None)[0] == 2
