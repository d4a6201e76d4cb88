"""Sources other than files: queues, iterables, a Capturer, one frame at a time; and a new state after N frames."""

from __future__ import annotations

import ctypes
import ctypes.util
import itertools
import os
import queue
import re
import sys
import threading
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from conftest import DATA, SHARED, plain_memory, run_python

from wishpy import Capturer, Dissector, RawPacket

sys.path.insert(0, str(DATA))
from make_data import NANO, Blocks

FULL = bool(os.environ.get("WISHPY_FULL"))


def packets_of(source: Any, **keywords: Any) -> list[Any]:
    with Dissector(source, **keywords) as packets:
        return list(packets)


def json_of(source: Any, **keywords: Any) -> list[str]:
    with Dissector(source, **keywords) as packets:
        return [packet.to_json() for packet in packets]


@pytest.fixture
def raws() -> list[RawPacket]:
    """An Ethernet capture's packets as libpcap reads them."""
    with Capturer(path=DATA / "dns.pcap") as capturer:
        return list(capturer)


@pytest.fixture
def expected() -> list[str]:
    return json_of(DATA / "dns.pcap")


def old_header(raw: RawPacket) -> tuple[int, int, int, int, int]:
    """As wishpy 0.1's PCAPHeader is, and what a serialiser makes of it. It has microseconds."""
    seconds, ns = divmod(raw.time_ns, 10**9)
    return raw.linktype, seconds, ns // 1000, raw.length, len(raw.data)


class Pkthdr:
    """As pcapy's."""

    def __init__(self, raw: RawPacket) -> None:
        self.raw = raw

    def getts(self) -> tuple[int, int]:
        seconds, ns = divmod(self.raw.time_ns, 10**9)
        return seconds, ns // 1000

    def getlen(self) -> int:
        return self.raw.length

    def getcaplen(self) -> int:
        return len(self.raw.data)


def test_raw_packets_equal_reading_the_file(raws: list[RawPacket], expected: list[str]) -> None:
    assert json_of(raws) == expected
    assert json_of(iter(raws)) == expected
    assert json_of((raw, raw.data) for raw in raws) == expected


def test_packets_can_be_dissected_again(expected: list[str]) -> None:
    assert json_of(packets_of(DATA / "dns.pcap")) == expected


def test_a_capturer_is_a_source(expected: list[str]) -> None:
    with Capturer(path=DATA / "dns.pcap") as capturer:
        assert json_of(capturer) == expected


def test_a_capturer_goes_back_to_its_owner() -> None:
    with Capturer(path=DATA / "dns.pcap") as capturer:
        with Dissector(capturer) as packets:
            first = next(packets)
            with pytest.raises(ValueError, match="is reading from this Capturer"):
                next(capturer)
        assert first.number == 1
        assert isinstance(next(capturer), RawPacket)


@pytest.mark.parametrize("end", [None, ("stop", None)])
def test_a_queue(raws: list[RawPacket], expected: list[str], end: Any) -> None:
    items: queue.Queue[Any] = queue.Queue()
    for raw in raws:
        items.put((raw, raw.data))
    items.put(end)
    items.put("never looked at")
    assert json_of(items) == expected
    assert items.qsize() == 1


def test_old_headers_and_pcapys(raws: list[RawPacket]) -> None:
    old = packets_of((old_header(raw), raw.data) for raw in raws)
    pcapy = packets_of(((Pkthdr(raw), raw.data) for raw in raws), linktype="EN10MB")
    for mine, raw in zip(old + pcapy, raws * 2, strict=True):
        assert mine.time_ns == raw.time_ns // 1000 * 1000
        assert (mine.length, mine.data) == (raw.length, raw.data)


def test_plain_bytes_need_a_link_type(raws: list[RawPacket]) -> None:
    with pytest.raises(ValueError, match="linktype"):
        packets_of([raws[0].data])
    for linktype in ("EN10MB", "DLT_EN10MB", "en10mb", 1):
        (packet,) = packets_of([raws[0].data], linktype=linktype)
        assert packet["dns.qry.name"] == "www.example.com"
        assert packet.time is None
    with pytest.raises(ValueError, match="EN10MB"):
        Dissector([], linktype="EN10M")
    with pytest.raises(ValueError, match="linktype"):
        Dissector(DATA / "dns.pcap", linktype=1)


# Where a file's number for a link type is not libpcap's own (pcap-common.c).
FILE_NUMBERS = {11: 100, 12: 101, 16: 103, 19: 106}
# Their first bytes go by what a file says of the interface; and what no file has.
NOT_BY_BYTES = {"LINUX_IRDA", "LINUX_LAPD", "PPP_BSDOS"}


def libpcap_names() -> dict[int, str]:
    library = ctypes.CDLL(ctypes.util.find_library("pcap"))
    library.pcap_datalink_val_to_name.restype = ctypes.c_char_p
    names = {number: library.pcap_datalink_val_to_name(number) for number in range(400)}
    return {number: name.decode() for number, name in names.items() if name}


def layers_of(packet: Any) -> dict[str, Any]:
    """All but what a file says of a frame."""
    return {name: layer for name, layer in packet.to_dict().items() if name != "frame"}


def dissected_as(frame: bytes, kinds: dict[int, Any]) -> dict[int, Any]:
    """The same frame under each link type that Wireshark takes."""
    found = {}
    with Dissector() as dissector:
        for number, kind in kinds.items():
            try:
                found[number] = dissector.dissect(frame, time_ns=10**18, linktype=kind)
            except ValueError as error:
                assert re.search("not known to Wireshark|invalid sll_protocol", str(error)), (kind, error)
    return found


def test_every_link_type_of_libpcap_by_name_and_number(tmp_path: Path) -> None:
    """The same frame as from a file, whatever its first bytes tell the dissector."""
    frame, path = bytes(number * 37 % 251 for number in range(120)), tmp_path / "all.pcapng"
    names = {number: name for number, name in libpcap_names().items() if name not in NOT_BY_BYTES}
    assert len(names) > 140
    spelled = [names, {number: f"dlt_{name.lower()}" for number, name in names.items()}, {each: each for each in names}]
    mine = [dissected_as(frame, kinds) for kinds in spelled]
    assert len(mine[0]) > 100
    file = Blocks()
    file.section()
    for index, number in enumerate(mine[0]):
        file.interface(FILE_NUMBERS.get(number, number), NANO)
        file.packet(index, 10**18, frame)
    path.write_bytes(file.data)
    read = dict(zip(mine[0], packets_of(path), strict=True))
    for found in mine:
        assert list(found) == list(read)
        for number, packet in read.items():
            assert found[number].data == packet.data, names[number]
            assert layers_of(found[number]) == layers_of(packet), names[number]


def test_what_an_iterable_raises_comes_out_as_it_is(raws: list[RawPacket]) -> None:
    mine = KeyError("mine")

    def broken() -> Iterator[RawPacket]:
        yield raws[0]
        raise mine

    with Dissector(broken()) as packets:
        assert next(packets).number == 1
        with pytest.raises(KeyError) as caught:
            next(packets)
    assert caught.value is mine


@pytest.mark.parametrize("item", [5, "text", (1, 2, 3), (object(), b"x"), object()])
def test_items_that_are_no_packets(item: Any) -> None:
    with Dissector([item], linktype=1) as packets, pytest.raises(TypeError):
        next(packets)


def test_sources_that_are_none() -> None:
    with pytest.raises(TypeError, match="int"):
        Dissector(5)
    with pytest.raises(ValueError, match="two_pass"):
        Dissector([], two_pass=True)


def test_packets_are_delivered_when_they_come(raws: list[RawPacket]) -> None:
    """Each packet is out before the next one is put in."""
    items: queue.Queue[Any] = queue.Queue()
    with Dissector(items) as packets:
        for number, raw in enumerate(raws, 1):
            items.put(raw)
            assert next(packets).number == number


def test_count_does_not_wait_for_one_more(raws: list[RawPacket]) -> None:
    items: queue.Queue[Any] = queue.Queue()
    items.put(raws[0])
    assert len(packets_of(items, count=1)) == 1


def test_others_run_while_a_queue_is_empty(raws: list[RawPacket]) -> None:
    items: queue.Queue[Any] = queue.Queue()
    threading.Timer(0.2, items.put, [raws[0]]).start()
    with Dissector(items) as packets:
        assert next(packets).number == 1


def test_control_c_ends_a_waiting_queue() -> None:
    code = """
import queue, signal, wishpy
signal.setitimer(signal.ITIMER_REAL, 0.3)
signal.signal(signal.SIGALRM, signal.default_int_handler)
try:
    next(wishpy.Dissector(queue.Queue()))
except KeyboardInterrupt:
    print("interrupted")
"""
    assert run_python(code=code, timeout=30).check() == "interrupted\n"


# --- one frame --------------------------------------------------------------------------------------------------

ETHERNET = ["ndpi/sip.pcap", "ndpi/dns_fragmented.pcap", "ndpi/smb_frags.pcap", "ndpi/modbus.pcap", "ndpi/sctp.pcap",
            "ndpi/http_ipv6.pcap", "ndpi/gtp_c.pcap", "tcpdump/various_gre.pcap", "tcpdump/RADIUS.pcap"]  # fmt: skip


@pytest.mark.parametrize("name", ["dns.pcap", *("+" + name for name in ETHERNET)])
def test_dissect_of_every_frame_equals_reading_the_file(name: str) -> None:
    path = SHARED / name[1:] if name.startswith("+") else DATA / name
    if not Path(path).exists():
        pytest.skip(f"{name} is one of the shared captures, which are not here")
    read = packets_of(path)
    expected = [packet.to_json() for packet in read]
    with Dissector() as dissector:
        mine = []
        for packet in read:
            again = dissector.dissect(
                packet.data, time_ns=packet.time_ns, length=packet.length, linktype=packet.linktype
            )
            assert again is not None
            mine.append(again.to_json())
    assert mine == expected


def test_tcp_is_reassembled_over_frames_handed_in() -> None:
    with Dissector() as dissector:
        found = [
            dissector.dissect(packet.data, time_ns=packet.time_ns) for packet in packets_of(DATA / "demo.pcapng")
        ]
    assert [packet.number for packet in found if packet is not None and "http.response.code" in packet]


def test_a_payload_at_a_dissector_by_name() -> None:
    with Dissector() as dissector:
        packet = dissector.dissect(b"OPTIONS sip:a@b SIP/2.0\r\nCall-ID: 77\r\n\r\n", dissector="sip")
        assert packet is not None
        assert packet.protocols == ["sip"]
        assert packet["sip.Call-ID"] == "77"
        nas = dissector.dissect(bytes.fromhex("7e004179000d0162f2100000000000000000"), dissector="nas-5gs")
        assert nas is not None and "nas-5gs" in nas.protocols
        with pytest.raises(ValueError, match="'sip'"):
            dissector.dissect(b"", dissector="sipp")
        ethernet = dissector.dissect(packets_of_first(), linktype=1)
        assert ethernet is not None and ethernet.protocols[0] == "eth"
        assert ethernet.number == 3


def packets_of_first() -> bytes:
    with Capturer(path=DATA / "dns.pcap") as capturer:
        return bytes(next(capturer).data)


def test_times_of_dissect() -> None:
    frame = packets_of_first()
    when = datetime(2024, 2, 29, 23, 59, 59, 123456, timezone(timedelta(hours=2)))
    with Dissector() as dissector:
        for time in (when, when.timestamp()):
            packet = dissector.dissect(frame, time=time)
            assert packet is not None and packet.time is not None
            assert abs((packet.time - when).total_seconds()) < 1e-6
        exact = dissector.dissect(frame, time=when)
        assert exact is not None and exact.time == when
        before = dissector.dissect(frame, time_ns=-1)
        assert before is not None and before.time_ns == -1
        assert dissector.dissect(frame, time=5).time_ns == 5 * 10**9  # type: ignore[union-attr]
        assert dissector.dissect(frame).time is None  # type: ignore[union-attr]
        for wrong in ({"time": "now"}, {"time": datetime(2024, 1, 1)}, {"time": 1, "time_ns": 1}, {"length": -1}):
            with pytest.raises((TypeError, ValueError)):
                dissector.dissect(frame, **wrong)  # type: ignore[arg-type]


def test_a_display_filter_counts_for_dissect() -> None:
    frame = packets_of_first()
    with Dissector(display_filter="tcp") as dissector:
        assert dissector.dissect(frame) is None
    with Dissector(display_filter="dns") as dissector:
        assert dissector.dissect(frame) is not None


def test_a_dissector_without_a_source_has_nothing_to_iterate() -> None:
    with Dissector() as dissector, pytest.raises(ValueError, match="dissect"):
        next(dissector)


def test_a_closed_dissector_dissects_nothing() -> None:
    dissector = Dissector()
    dissector.close()
    with pytest.raises(ValueError):
        dissector.dissect(packets_of_first())


# --- for days ---------------------------------------------------------------------------------------------------


def test_reset_after_begins_anew_and_counts_on(raws: list[RawPacket]) -> None:
    """The stream numbers say when the state began anew; kept packets stay what they were."""
    frames = list(itertools.islice(itertools.cycle(raws), 4 * len(raws)))
    plain = packets_of(frames)
    reset = packets_of(frames, reset_after=len(raws))
    assert [packet.number for packet in reset] == [packet.number for packet in plain] == list(range(1, len(frames) + 1))
    streams = [packet["udp.stream"] for packet in reset]
    assert streams == streams[: len(raws)] * 4
    assert all(packet["dns.qry.name"] for packet in reset)
    for wrong in (0, -1):
        with pytest.raises(ValueError, match="reset_after"):
            Dissector([], reset_after=wrong)


MEMORY_CODE = """
import itertools, sys, wishpy
frames, every = int(sys.argv[1]), int(sys.argv[2]) or None
def resident():
    return int(open("/proc/self/statm").read().split()[1]) * 4096
with wishpy.Capturer(path=sys.argv[3]) as capturer:
    raws = [bytearray(raw.data) for raw in capturer]
def endless():
    for number in itertools.count():
        frame = raws[number % len(raws)]
        frame[34:36] = (number % 65536).to_bytes(2, "big")   # from another port each time
        yield bytes(frame)
with wishpy.Dissector(endless(), linktype=1, reset_after=every) as packets:
    for packet in packets:
        if packet.number == frames:
            first = resident()
        elif packet.number == 2 * frames:
            break
    print(resident() - first)
"""


def growth(frames: int, every: int) -> int:
    """Bytes more after the second half of so many conversations than after the first."""
    arguments = [str(frames), str(every), str(DATA / "dns.pcap")]
    return int(run_python(*arguments, code=MEMORY_CODE, timeout=1200).check())


@plain_memory
def test_memory_stays_flat_with_reset_after() -> None:
    """WISHPY_FULL=1 runs the two million frames that this is for."""
    if FULL:
        assert abs(growth(1_000_000, 100_000)) < 5_000_000
    assert abs(growth(20_000, 2_000)) < 1_000_000
    assert growth(20_000, 0) > 4_000_000, "this would not notice a reset that does nothing"
