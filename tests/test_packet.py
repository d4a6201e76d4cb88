"""Packet: what api.md promises of it, and that it stays what it is whenever it is asked."""

from __future__ import annotations

import copy
import gc
import json
import os
import pickle
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import oracle
import pytest
from conftest import DATA, SHARED, Finished, captures_under, needs_tshark, printed

import wishpy

CHOSEN = [
    "arkime/tls13.pcap",
    "arkime/imap.pcap",
    "arkime/http2-nghttp2.pcap",
    "whad/ble_pairing.pcap",
    "scapy/candump_gmlan_scanner.pcap.gz",
]
SOME = [*captures_under(DATA), *(SHARED / name for name in CHOSEN if (SHARED / name).exists())]


@pytest.fixture
def packets(demo: str) -> Iterator[list[wishpy.Packet]]:
    """The demo's 13 packets, kept beyond the Dissector."""
    with wishpy.Dissector(demo) as dissector:
        kept = list(dissector)
    yield kept


@pytest.fixture
def answer(packets: list[wishpy.Packet]) -> wishpy.Packet:
    return packets[1]


# --- members --------------------------------------------------------------------------------------------------


def test_frame_members(answer: wishpy.Packet) -> None:
    assert (answer.number, answer.length, answer.captured_length) == (2, 91, 91)
    assert answer.time_ns == 1_700_000_000_131_111_110
    assert answer.time == datetime(2023, 11, 14, 22, 13, 20, 131111, tzinfo=timezone.utc)
    assert answer.interface == "eth0"
    assert answer.comment is None
    assert answer.linktype in ("EN10MB", 1)
    assert answer.data[:12] == bytes.fromhex("00005e00530100005e005302")
    assert answer.protocols == ["eth", "ethertype", "ip", "udp", "dns"]
    assert all(type(name) is str for name in answer.protocols)


def test_a_comment(packets: list[wishpy.Packet]) -> None:
    assert packets[0].comment == "the question"


@needs_tshark
def test_columns(packets: list[wishpy.Packet], demo: str) -> None:
    rows = oracle.lines(demo, "-T", "tabs")
    for packet, row in zip(packets, rows, strict=True):
        number, _time, source, arrow, destination, protocol, length, info = (part.strip() for part in row.split("\t"))
        assert arrow == "\u2192"
        assert (packet.number, packet.length) == (int(number), int(length))
        assert (packet.source, packet.destination, packet.protocol) == (source, destination, protocol)
        assert packet.info.strip() == info
        assert list(packet.columns) == ["No.", "Time", "Source", "Destination", "Protocol", "Length", "Info"]
        assert packet.columns["Info"] == packet.info


# --- values by name -------------------------------------------------------------------------------------------


def test_values_by_name(answer: wishpy.Packet) -> None:
    assert answer["dns.qry.name"] == "www.example.com"
    assert answer["dns.a"] == "192.0.2.80"
    assert answer["ip.ttl"] == 64
    assert answer["dns.flags.response"] is True
    assert answer["frame.time_delta"] == pytest.approx(0.007654321)
    assert answer["frame.time"] == answer.time
    assert answer["eth.type"] == 0x0800
    assert answer["dns.time"] == pytest.approx(0.007654321)
    assert answer["dns.response_to"] == 1


def test_the_first_of_several_and_all_of_them(data: Path) -> None:
    with wishpy.Dissector(data / "dns.pcap") as dissector:
        packet = list(dissector)[2]
    assert packet["dns.a"] == "192.0.2.81"
    assert packet.get_all("dns.a") == ["192.0.2.81", "192.0.2.82"]
    assert packet.get_all("dns.resp.name") == ["www.example.com"] * 2
    assert packet.get_all("dns.aaaa") == []


def test_a_layer_is_a_dict(answer: wishpy.Packet) -> None:
    layer = answer["ip"]
    assert type(layer) is dict
    assert layer["ip.src"] == "192.0.2.53"
    assert layer == answer.to_dict()["ip"]
    assert answer.get("udp")["udp.dstport"] == 50007
    assert answer.get("tcp") is None


def test_get_and_in(answer: wishpy.Packet) -> None:
    assert answer.get("dns.a") == "192.0.2.80"
    assert answer.get("tcp.port") is None
    assert answer.get("tcp.port", 7) == 7
    assert "dns.a" in answer
    assert "dns" in answer
    assert "tcp.port" not in answer
    assert 7 not in answer if _takes_anything(answer) else True


def _takes_anything(packet: wishpy.Packet) -> bool:
    try:
        7 in packet  # noqa: B015
    except TypeError:
        return False
    return True


def test_keys_are_the_names_in_the_tree(answer: wishpy.Packet) -> None:
    def names(fields: Any) -> Iterator[str]:
        for field in fields:
            if field.name:
                yield field.name
            yield from names(field.children)

    keys = list(answer.keys())
    assert set(keys) == set(names(answer.layers))
    assert len(keys) == len(set(keys))
    for name in keys:
        assert name in answer
        assert len(answer.get_all(name)) == len(answer.find_all(name))


def test_a_name_that_is_not_in_this_packet(answer: wishpy.Packet) -> None:
    with pytest.raises(KeyError) as caught:
        answer["tcp.port"]
    assert "tcp.port" in str(caught.value)


@pytest.mark.parametrize(("wrong", "near"), [("dns.qry.nane", "dns.qry.name"), ("ip.scr", "ip.src"), ("tpc", "tcp")])
def test_a_name_that_exists_nowhere_tells_the_nearest(answer: wishpy.Packet, wrong: str, near: str) -> None:
    for use in (lambda: answer[wrong], lambda: answer.find_all(wrong), lambda: answer.get_all(wrong)):
        try:
            found = use()
        except wishpy.FieldError as error:
            assert isinstance(error, KeyError)
            assert error.field == wrong
            assert wrong in str(error)
            assert near in str(error)
        else:
            assert found == []  # get_all and find_all may simply find nothing
            assert use is not None
    with pytest.raises(wishpy.FieldError, match=near.replace(".", r"\.")):
        answer[wrong]


def test_names_of_the_wrong_type(answer: wishpy.Packet) -> None:
    with pytest.raises(TypeError):
        answer[7]
    with pytest.raises(TypeError):
        answer.get(7)
    with pytest.raises(TypeError):
        answer.get_all(b"ip")
    for odd in ("", "\0", "ip\0src", "\ud800", "ip.src ", "x" * 100_000):
        with pytest.raises((KeyError, ValueError)):
            answer[odd]


def test_layers_tree_and_find(answer: wishpy.Packet) -> None:
    assert [layer.name for layer in answer.layers] == ["frame", "eth", "ip", "udp", "dns"]
    assert all(layer.type == "FT_PROTOCOL" for layer in answer.layers)
    tree = answer.tree
    layers = tree.children if hasattr(tree, "children") else tree
    assert [layer.name for layer in layers] == [layer.name for layer in answer.layers]
    found = answer.find("dns.a")
    assert (found.name, found.value, found.display) == ("dns.a", "192.0.2.80", "192.0.2.80")
    assert answer.find("tcp.port") is None
    assert [field.value for field in answer.find_all("udp.port")] == answer.get_all("udp.port") == [53, 50007]
    assert answer.find("ip").children[0].name == "ip.version"


def test_matches(answer: wishpy.Packet, packets: list[wishpy.Packet]) -> None:
    assert answer.matches("dns.a == 192.0.2.80")
    assert not answer.matches("tcp")
    with pytest.raises(wishpy.FilterError):
        answer.matches("dns.a ==")
    assert [packet.number for packet in packets if packet.matches("http")] == [6, 9]


# --- to_dict and to_json --------------------------------------------------------------------------------------


def test_to_dict_holds_plain_values(packets: list[wishpy.Packet]) -> None:
    def check(value: Any) -> None:
        if type(value) is dict:
            assert all(type(key) is str for key in value)
            for inner in value.values():
                check(inner)
        elif type(value) is list:
            for inner in value:
                check(inner)
        else:
            assert value is None or type(value) in (str, int, float, bool, bytes, datetime)

    for packet in packets:
        check(packet.to_dict())


def test_each_dict_is_a_new_one(answer: wishpy.Packet) -> None:
    one = answer.to_dict()
    one["ip"]["ip.ttl"] = 1
    del one["udp"]
    answer["eth"].clear()
    assert answer.to_dict()["ip"]["ip.ttl"] == 64
    assert "udp" in answer.to_dict()
    assert answer["eth"]


def plain(value: Any) -> Any:
    """A value as api.md's JSON column has it."""
    if isinstance(value, dict):
        return {key: plain(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [plain(inner) for inner in value]
    if isinstance(value, bytes):
        return ":".join(f"{byte:02x}" for byte in value)
    if isinstance(value, float) and (value != value or value in (float("inf"), float("-inf"))):
        return None
    return value


def without_times(one: Any, other: Any) -> None:
    """Equal, but for times: there JSON has nanoseconds, and a datetime has none."""
    if isinstance(one, dict):
        assert list(one) == list(other)
        for key in one:
            without_times(one[key], other[key])
    elif isinstance(one, list):
        assert len(one) == len(other)
        for inner, outer in zip(one, other):
            without_times(inner, outer)
    elif isinstance(one, datetime):
        assert isinstance(other, str)
        assert other.startswith(one.strftime("%Y-%m-%dT%H:%M:%S"))
        digits = other.partition(".")[2].removesuffix("Z").removesuffix("+00:00")
        assert len(digits) == 9
        assert int(digits) // 1000 == one.microsecond
    elif isinstance(one, float):
        assert other == pytest.approx(one)
    else:
        assert one == other
        assert type(one) is type(other)


@pytest.mark.parametrize("path", SOME, ids=lambda path: path.name)
def test_plain_json_says_what_to_dict_says(path: Path) -> None:
    with wishpy.Dissector(path) as dissector:
        for packet in dissector:
            text = packet.to_json()
            assert type(text) is str
            assert "\n" not in text
            read = json.loads(text, parse_constant=lambda word: pytest.fail(f"{word} is no JSON"))
            without_times(plain(packet.to_dict()), read)


def test_json_indented(answer: wishpy.Packet) -> None:
    text = answer.to_json(indent=2)
    assert json.loads(text) == json.loads(answer.to_json())
    assert text.splitlines()[1].startswith('  "frame": {')
    with pytest.raises(ValueError, match="styl"):
        answer.to_json(style="nonsense")
    with pytest.raises((ValueError, OverflowError)):
        answer.to_json(indent=-1)


def test_time_in_json(packets: list[wishpy.Packet]) -> None:
    time = json.loads(packets[0].to_json())["frame"]["frame.time"]
    assert time in ("2023-11-14T22:13:20.123456789Z", "2023-11-14T22:13:20.123456789+00:00")


# --- for people -----------------------------------------------------------------------------------------------


@needs_tshark
@pytest.mark.parametrize("path", SOME[:14], ids=lambda path: path.name)
def test_show_is_the_tree_that_tshark_prints(path: Path) -> None:
    with wishpy.Dissector(path) as dissector:
        mine = [printed(packet.show) for packet in dissector]
    text = "\n".join(oracle.lines(path, "-V"))
    shown = "\n\n".join(one.rstrip("\n") for one in mine)
    assert shown.split("\n") == text.rstrip("\n").split("\n")


@needs_tshark
def test_hexdump_is_what_tshark_prints(packets: list[wishpy.Packet], demo: str) -> None:
    dumps = "\n".join(oracle.lines(demo, "-x")).strip("\n")
    mine = "\n\n".join(printed(packet.hexdump).strip("\n") for packet in packets)
    assert mine.split("\n") == dumps.split("\n")


def test_show_prints_to_standard_output(answer: wishpy.Packet, capsys: pytest.CaptureFixture[str]) -> None:
    assert answer.show() is None
    assert capsys.readouterr() == (printed(answer.show), "")
    assert str(answer).rstrip("\n") == printed(answer.show).rstrip("\n")
    answer.hexdump()
    assert capsys.readouterr() == (printed(answer.hexdump), "")


class Full:
    def write(self, text: str) -> None:
        raise OSError("full")


def test_what_the_file_raises_goes_through(answer: wishpy.Packet) -> None:
    for show in (answer.show, answer.hexdump):
        with pytest.raises(OSError, match="full"):
            show(file=Full())
        with pytest.raises(AttributeError):
            show(file=7)


def test_repr_and_str(answer: wishpy.Packet) -> None:
    assert repr(answer).startswith("<")
    assert "Packet" in repr(answer)
    assert "2" in repr(answer)
    assert "DNS" in repr(answer) or "dns" in repr(answer)
    assert "\n" not in repr(answer)
    assert str(answer)


def test_repr_without_the_usual_columns(python: Callable[..., Finished], demo: str) -> None:
    code = """
import sys, wishpy
with wishpy.Dissector(sys.argv[1], preferences={"gui.column.format": '"Info","%i"'}) as packets:
    print(repr(next(packets)))
"""
    assert python(demo, code=code).check() == "<Packet 1, 75 bytes>\n"


def test_the_collector_may_ask_the_same_packet_for_more(python: Callable[..., Finished], demo: str) -> None:
    """A new list or dict may set it off; what it runs moves the packet's memory: no answer reads on in the old one."""
    code = """
import gc, sys, wishpy

asked = 0

class Asks:
    def __init__(self, packet):
        self.packet, self.me = packet, self
    def __del__(self):
        global asked
        asked += bool(self.packet.columns)

def children(fields):
    return [(field.name, children(field.children)) for field in fields]

QUESTIONS = [
    lambda packet: packet.to_dict(), lambda packet: packet.get("dns"), lambda packet: packet.get_all("dns"),
    lambda packet: packet.find("dns").value, lambda packet: children(packet.tree), lambda packet: packet.keys(),
]
with wishpy.Dissector(sys.argv[1]) as dissector:
    packets = list(dissector)[:2]
expected = [[question(packet) for question in QUESTIONS] for packet in packets]
gc.disable()
for threshold in range(1, 25):
    for number, question in enumerate(QUESTIONS):
        with wishpy.Dissector(sys.argv[1], count=2) as dissector:
            for packet, answers in zip(dissector, expected):
                packet.tree   # now it has memory of its own, but not yet all it is to have
                Asks(packet)
                gc.set_threshold(threshold)
                gc.enable()
                answer = question(packet)
                gc.disable()
                gc.set_threshold(700)
                assert answer == answers[number], (threshold, number, packet.number)
print(asked)
"""
    run = python(demo, code=code, env={**os.environ, "MALLOC_PERTURB_": "90"})
    assert int(run.check()) > 0


# --- lasting --------------------------------------------------------------------------------------------------


def everything(packet: wishpy.Packet) -> tuple[Any, ...]:
    """All that can be asked of a packet, as one comparable value."""

    def field(one: Any) -> tuple[Any, ...]:
        return (
            one.name, one.title, repr(one.value), one.raw, one.text, one.display, one.type, one.offset, one.length,
            one.source, one.hidden, one.generated, tuple(field(child) for child in one.children),
        )  # fmt: skip

    return (
        packet.number, packet.length, packet.captured_length, packet.linktype, packet.interface, packet.comment,
        packet.time, packet.time_ns, packet.data, packet.protocols, packet.protocol, packet.source, packet.destination,
        packet.info, packet.columns, tuple(field(layer) for layer in packet.layers), repr(packet.to_dict()),
        packet.to_json(), printed(packet.show), printed(packet.hexdump), repr(packet), str(packet), list(packet.keys()),
    )  # fmt: skip


@pytest.mark.parametrize("path", SOME, ids=lambda path: path.name)
def test_when_a_packet_is_asked_makes_no_difference(path: Path) -> None:
    """At once, one later, after close() of a list, after other files were read, and after pickling."""
    with wishpy.Dissector(path) as dissector:
        live = [everything(packet) for packet in dissector]
    with wishpy.Dissector(path) as dissector:
        later, before = [], None
        for packet in dissector:
            if before is not None:
                later.append(everything(before))
            before = packet
    if before is not None:
        later.append(everything(before))
    assert later == live
    with wishpy.Dissector(path) as dissector:
        kept = list(dissector)
    pickled = [pickle.dumps(packet) for packet in kept]
    with wishpy.Dissector(DATA / "several.pcapng", name_resolution=("network", "transport")) as dissector:
        others = list(dissector)
        assert [everything(packet) for packet in kept] == live
    del others
    gc.collect()
    assert [everything(packet) for packet in kept] == live
    assert [everything(pickle.loads(data)) for data in pickled] == live


def test_a_packet_asked_first_for_one_thing_answers_the_rest_later(demo: str) -> None:
    """Whatever is asked while the packet is live, the rest is right after it was kept."""
    with wishpy.Dissector(demo) as dissector:
        whole = [everything(packet) for packet in dissector]
    questions: list[Callable[[wishpy.Packet], Any]] = [
        lambda packet: packet.info,
        lambda packet: packet.data,
        lambda packet: packet.get("ip.src"),
        lambda packet: packet.layers[0],
        lambda packet: packet.to_dict(),
        lambda packet: packet.find("frame.number").text,
        lambda packet: packet.number,
        lambda packet: pickle.dumps(packet),
    ]
    for question in questions:
        with wishpy.Dissector(demo) as dissector:
            kept = []
            for packet in dissector:
                question(packet)
                kept.append(packet)
        assert [everything(packet) for packet in kept] == whole


def test_fields_outlive_their_packet(demo: str) -> None:
    with wishpy.Dissector(demo) as dissector:
        fields = [packet.layers[-1].children[0] for packet in dissector]
    gc.collect()
    with wishpy.Dissector(demo) as dissector:
        again = [(f.name, f.value, f.text, f.raw) for f in (packet.layers[-1].children[0] for packet in dissector)]
    assert [(f.name, f.value, f.text, f.raw) for f in fields] == again


def test_packets_of_a_flat_dissector_last_too(demo: str) -> None:
    with wishpy.Dissector(demo, fields=["ip.src", "tcp.*"]) as dissector:
        live = [(packet.to_dict(), packet.number, packet.time_ns) for packet in dissector]
    with wishpy.Dissector(demo, fields=["ip.src", "tcp.*"]) as dissector:
        kept = list(dissector)
    assert [(packet.to_dict(), packet.number, packet.time_ns) for packet in kept] == live
    again = [pickle.loads(pickle.dumps(packet)) for packet in kept]
    assert [(packet.to_dict(), packet.number, packet.time_ns) for packet in again] == live


@pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
def test_every_pickle_protocol(answer: wishpy.Packet, protocol: int) -> None:
    assert everything(pickle.loads(pickle.dumps(answer, protocol))) == everything(answer)


def test_copies(answer: wishpy.Packet) -> None:
    assert everything(copy.copy(answer)) == everything(answer)
    assert everything(copy.deepcopy(answer)) == everything(answer)


def test_a_pickle_goes_to_another_process(packets: list[wishpy.Packet]) -> None:
    code = """
import pickle, sys
for p in pickle.load(sys.stdin.buffer):
    print(p.number, p.info, p.get("dns.a"), p.layers[-1].text)
"""
    sent = subprocess.run([sys.executable, "-c", code], input=pickle.dumps(packets), capture_output=True, timeout=60)
    assert sent.returncode == 0, sent.stderr.decode()
    expected = [f"{p.number} {p.info} {p.get('dns.a')} {p.layers[-1].text}" for p in packets]
    assert sent.stdout.decode().splitlines() == expected


def test_a_damaged_pickle_is_refused_or_harmless(isolated: Callable[..., Finished], demo: str) -> None:
    """Whatever bytes a pickle of a packet holds, the process lives."""
    isolated("damaged_pickles", demo).check()


def test_a_packet_cannot_be_made_by_hand() -> None:
    with pytest.raises(TypeError):
        wishpy.Packet()
    with pytest.raises(TypeError):
        wishpy.Field()


def test_members_cannot_be_set(answer: wishpy.Packet) -> None:
    for name in ("number", "time", "layers", "data", "anything"):
        with pytest.raises(AttributeError):
            setattr(answer, name, 1)


def test_many_packets_kept(demo: str) -> None:
    kept = []
    for _ in range(100):
        with wishpy.Dissector(demo) as dissector:
            kept += list(dissector)
    assert [packet.number for packet in kept] == [*range(1, 14)] * 100
    assert {packet["frame.len"] for packet in kept[::13]} == {75}
