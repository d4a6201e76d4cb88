"""DisplayFilter and Packet.matches(): many filters on each packet of a capture, against as many runs of tshark -Y."""

from __future__ import annotations

import pickle
from pathlib import Path

import oracle
import pytest
from conftest import DATA, SHARED, needs_tshark

from wishpy import DisplayFilter, Dissector, FilterError, Packet

FILTERS = [
    "ip",
    "dns",
    "not tcp",
    "tcp.flags.syn == 1",
    "tcp.flags.syn == 1 && tcp.flags.ack == 0",
    "ip.src == 192.0.2.0/24",
    "ip.addr == 192.0.2.1 and not ip.addr == 192.0.2.53",
    "frame.len > 100",
    "frame.number >= 3 and frame.number <= 7",
    'frame contains "example"',
    'tcp contains "HTTP"',
    'http.request.method == "GET"',
    'http.host matches "EXAMPLE"',
    'dns.qry.name == "www.example.com"',
    "dns.a == 192.0.2.80",
    "eth.src[0:3] == 00:00:5e",
    "tcp[13] & 0x12",
    "udp.port in {53, 5353, 1000..2000}",
    "frame.time_delta > 0.001",
    "len(http.host) > 3",
    'upper(http.request.method) == "GET" || ipv6 || arp',
    "ip.ttl < 60 or tcp.analysis.flags",
    "eth.dst == 00:00:5e:00:53:02",
    "tcp.stream == 0 and tcp.len > 0",
    "_ws.expert",
]

SHARED_CAPTURES = [
    "ndpi/sip.pcap",
    "ndpi/webdav.pcapng",
    "tcpdump/various_gre.pcap",
    "ndpi/smb_frags.pcap",
    "ndpi/dns_fragmented.pcap",
]
ON_OTHERS = ["frame.len > 99", 'frame contains "a"', 'udp contains "a" || tcp contains "a"', "ip[8] > 60", "_ws.expert"]


def captures() -> list[Path]:
    own = [DATA / name for name in ("demo.pcapng", "http.pcapng", "dns.pcap", "several.pcapng", "tls13_secrets.pcapng")]
    return own + [SHARED / name for name in SHARED_CAPTURES if (SHARED / name).exists()]


def all_packets(path: Path) -> list[Packet]:
    with Dissector(path) as packets:
        return list(packets)


@needs_tshark
def test_many_filters_on_each_packet_equal_as_many_runs_of_tshark() -> None:
    """Half of the packets are asked while they are live, all of them again when they are kept."""
    filters = [DisplayFilter(text) for text in FILTERS]
    assert len(filters) >= 20
    live: dict[tuple[str, int], list[int]] = {}
    kept: dict[tuple[str, int], list[int]] = {}
    for path in captures():
        packets = []
        with Dissector(path) as dissector:
            for packet in dissector:
                packets.append(packet)
                for i, display_filter in enumerate(filters):
                    if display_filter.matches(packet):
                        live.setdefault((path.name, i), []).append(packet.number)
        for packet in packets:
            for i, display_filter in enumerate(filters):
                if packet.matches(display_filter):
                    kept.setdefault((path.name, i), []).append(packet.number)
    assert live == kept
    assert {i for _, i in live} == set(range(len(FILTERS))), "a filter that never matches shows nothing"
    for path in (DATA / "demo.pcapng", DATA / "dns.pcap"):
        for i, text in enumerate(FILTERS):
            lines = oracle.lines(path, "-Y", text, "-T", "fields", "-e", "frame.number")
            assert [int(line) for line in lines] == live.get((path.name, i), []), text


@needs_tshark
@pytest.mark.parametrize("name", SHARED_CAPTURES)
def test_on_other_captures(name: str) -> None:
    path = SHARED / name
    if not path.exists():
        pytest.skip(f"{name} is one of the shared captures, which are not here")
    packets = all_packets(path)
    for text in ON_OTHERS:
        mine = [packet.number for packet in packets if packet.matches(text)]
        lines = oracle.lines(path, "-Y", text, "-T", "fields", "-e", "frame.number")
        assert [int(line) for line in lines] == mine, text


def test_a_pickled_packet_answers_the_same(demo: str) -> None:
    packets = all_packets(Path(demo))
    again = pickle.loads(pickle.dumps(packets))
    for text in FILTERS:
        assert [p.matches(text) for p in packets] == [p.matches(text) for p in again]


def test_what_a_filter_tells_of_itself() -> None:
    display_filter = DisplayFilter("ip.src == 192.0.2.1 && dns")
    assert display_filter.fields == ["dns", "ip.src"]
    assert display_filter.text == "ip.src == 192.0.2.1 && dns"
    assert repr(display_filter) == "DisplayFilter('ip.src == 192.0.2.1 && dns')"
    assert display_filter.warnings == []
    assert DisplayFilter("bootp.type == 1").warnings
    assert pickle.loads(pickle.dumps(display_filter)).fields == display_filter.fields


def test_an_empty_filter_matches_everything(demo: str) -> None:
    assert all(packet.matches("") for packet in all_packets(Path(demo)))


def test_a_mistake_has_its_position(demo: str) -> None:
    with pytest.raises(FilterError) as caught:
        DisplayFilter("ip.src == 1.2.3.4 && nosuch.field")
    assert caught.value.position == 21
    packet = all_packets(Path(demo))[0]
    with pytest.raises(FilterError):
        packet.matches("ip ==")
    with pytest.raises(TypeError):
        packet.matches(5)  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        DisplayFilter("ip").matches("a packet")  # type: ignore[arg-type]


def test_filters_come_and_go_while_a_session_is_open(demo: str) -> None:
    """A filter's own tree marks its fields as wanted, process-wide: the session's must stay so."""
    with Dissector(demo, display_filter="tcp.stream == 0") as packets:
        numbers = []
        for packet in packets:
            display_filter = DisplayFilter("tcp.stream == 0 && ip.ttl > 1")
            assert display_filter.matches(packet)
            del display_filter
            numbers.append(packet.number)
    with Dissector(demo) as packets:
        assert numbers == [packet.number for packet in packets if packet.matches("tcp.stream == 0")]
