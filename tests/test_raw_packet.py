"""RawPacket and PacketHeader: what they hold, and that they hold it for good."""

from __future__ import annotations

import copy
import pickle
from datetime import datetime, timedelta, timezone

import pytest

from wishpy import RawPacket
from wishpy._pcap import PacketHeader


def test_defaults() -> None:
    raw = RawPacket(b"abc")
    assert (raw.data, raw.time_ns, raw.length, raw.captured_length) == (b"abc", 0, 3, 3)
    assert (raw.linktype, raw.interface) == (1, None)


def test_members() -> None:
    raw = RawPacket(b"abc", time_ns=1_700_000_000_123_456_789, length=1500, linktype=113, interface="eth7")
    assert raw.time == datetime(2023, 11, 14, 22, 13, 20, 123456, tzinfo=timezone.utc)
    assert (raw.length, raw.captured_length, raw.linktype, raw.interface) == (1500, 3, 113, "eth7")
    assert repr(raw) == "<RawPacket 3 of 1500 bytes, LINUX_SLL, time_ns=1700000000123456789>"


@pytest.mark.parametrize("time_ns", [-1, -1_000_000_000, -1_500_000_000, 4_102_444_800_000_000_000, 999])
def test_times_before_and_long_after_the_epoch(time_ns: int) -> None:
    expected = datetime(1970, 1, 1, tzinfo=timezone.utc) + timedelta(microseconds=time_ns // 1000)
    assert RawPacket(b"", time_ns=time_ns).time == expected


def test_is_compared_by_value() -> None:
    raw = RawPacket(b"abc", time_ns=5, interface="a")
    assert raw == RawPacket(b"abc", time_ns=5, interface="a")
    assert hash(raw) == hash(RawPacket(b"abc", time_ns=5, interface="a"))
    for other in (
        RawPacket(b"abd", time_ns=5, interface="a"),
        RawPacket(b"abc", time_ns=6, interface="a"),
        RawPacket(b"abc", time_ns=5, interface="b"),
        RawPacket(b"abc", time_ns=5, interface="a", length=9),
        RawPacket(b"abc", time_ns=5, interface="a", linktype=9),
    ):
        assert raw != other
    assert raw != b"abc"
    with pytest.raises(TypeError):
        raw < raw  # type: ignore[operator]  # noqa: B015


@pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
def test_pickles(protocol: int) -> None:
    raw = RawPacket(b"abc", time_ns=-7, length=99, linktype=12, interface="lo")
    again = pickle.loads(pickle.dumps(raw, protocol))
    assert again == raw
    assert copy.deepcopy(raw) == raw


def test_is_read_only() -> None:
    raw = RawPacket(b"abc")
    for name in ("data", "time_ns", "length", "linktype", "interface", "time", "captured_length", "other"):
        with pytest.raises(AttributeError):
            setattr(raw, name, 1)


@pytest.mark.parametrize(
    ("arguments", "keywords", "error"),
    [
        (("text",), {}, TypeError),
        ((bytearray(b"x"),), {}, TypeError),
        ((b"",), {"length": -1}, OverflowError),
        ((b"",), {"length": 2**32}, ValueError),
        ((b"",), {"length": "x"}, TypeError),
        ((b"",), {"interface": 5}, TypeError),
        ((b"",), {"time_ns": 2**63}, OverflowError),
        ((b"", 5), {}, TypeError),
        ((), {}, TypeError),
    ],
)
def test_refuses(arguments: tuple[object, ...], keywords: dict[str, object], error: type[Exception]) -> None:
    with pytest.raises(error):
        RawPacket(*arguments, **keywords)  # type: ignore[arg-type]


def test_header_is_a_tuple_with_names() -> None:
    header = PacketHeader((5, 60, 40, 1, "lo"))
    time_ns, length, captured_length, linktype, interface = header
    assert (header.time_ns, header.length, header.captured_length) == (time_ns, length, captured_length)
    assert (header.linktype, header.interface) == (linktype, interface)
    again = pickle.loads(pickle.dumps(header))
    assert again == header and type(again) is PacketHeader
