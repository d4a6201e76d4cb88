"""Bad input gets a clear exception: of the right class, with its facts as attributes and the name in its text."""

from __future__ import annotations

import errno
import os
import pickle
import struct
from pathlib import Path
from typing import Any

import oracle
import pytest
from conftest import DATA, SHARED, needs_tshark, not_as_root

import wishpy


def read(source: Any, **options: Any) -> list[wishpy.Packet]:
    with wishpy.Dissector(source, **options) as dissector:
        return list(dissector)


def read_until_error(source: Any, **options: Any) -> tuple[int, wishpy.FileError]:
    """How many packets came before the FileError, and the error."""
    count = 0
    with pytest.raises(wishpy.FileError) as caught, wishpy.Dissector(source, **options) as dissector:
        for _ in dissector:
            count += 1
    return count, caught.value


# --- the classes ----------------------------------------------------------------------------------------------

BASES = {
    "FileError": OSError, "FilterError": ValueError, "FieldError": KeyError, "PreferenceError": ValueError,
    "CaptureError": OSError, "SessionError": RuntimeError, "DissectorCrash": RuntimeError,
}  # fmt: skip


@pytest.mark.parametrize("name", BASES)
def test_each_class_is_an_error_and_a_builtin(name: str) -> None:
    cls = getattr(wishpy, name)
    assert issubclass(cls, wishpy.Error)
    assert issubclass(cls, BASES[name])


@pytest.mark.parametrize(
    "error",
    [
        wishpy.Error("text"),
        wishpy.FileError("text", errno=2, path="x"),
        wishpy.FilterError("text", filter="ip ==", position=3, span=2),
        wishpy.FieldError("text", field="x.y"),
        wishpy.PreferenceError("text", preference="a.b"),
        wishpy.SessionError("text"),
        wishpy.DissectorCrash("text", path="x", frame=7),
    ],
    ids=lambda error: type(error).__name__,
)
def test_errors_pickle_with_their_facts(error: wishpy.Error) -> None:
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is type(error)
    assert str(again) == str(error) == "text"
    assert again.__dict__ == error.__dict__


# --- files ----------------------------------------------------------------------------------------------------


def test_no_such_file(tmp_path: Path) -> None:
    path = str(tmp_path / "nothing here.pcap")
    with pytest.raises(wishpy.FileError) as caught:
        wishpy.Dissector(path)
    assert caught.value.errno == errno.ENOENT
    assert caught.value.path == path
    assert "nothing here.pcap" in str(caught.value)
    assert isinstance(caught.value, OSError)


def test_a_directory(tmp_path: Path) -> None:
    with pytest.raises(wishpy.FileError) as caught:
        read(tmp_path)
    assert caught.value.errno == errno.EISDIR
    assert str(tmp_path) in str(caught.value)


@not_as_root
def test_no_permission(tmp_path: Path) -> None:
    path = tmp_path / "closed.pcap"
    path.write_bytes((DATA / "dns.pcap").read_bytes())
    path.chmod(0)
    with pytest.raises(wishpy.FileError) as caught:
        read(path)
    assert caught.value.errno == errno.EACCES


def test_no_permission_as_another_user(python: Any, tmp_path: Path) -> None:
    """Where the suite runs as root: a process that has become nobody."""
    if os.geteuid() != 0:
        pytest.skip("needs root to become another user; test_no_permission does it without")
    path = tmp_path / "closed.pcap"
    path.write_bytes((DATA / "dns.pcap").read_bytes())
    path.chmod(0o600)
    for folder in (tmp_path, *tmp_path.parents):
        if not folder.stat().st_mode & 1 and folder != Path("/"):
            folder.chmod(folder.stat().st_mode | 0o011)
    code = """
import os, sys, wishpy, wishpy._epan
os.setgid(65534); os.setuid(65534)
try:
    wishpy.Dissector(sys.argv[1])
except wishpy.FileError as error:
    print(error.errno, error)
"""
    out = python(str(path), code=code).check()
    assert out.startswith(f"{errno.EACCES} ")
    assert "closed.pcap" in out


@pytest.mark.parametrize(
    "content",
    [b"this is no capture\n" * 20, bytes(range(256)) * 8, b"\0" * 5000],
    ids=["text", "bytes", "zeros"],
)
def test_not_a_capture(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "other.dat"
    path.write_bytes(content)
    with pytest.raises(wishpy.FileError) as caught:
        read(path)
    assert "other.dat" in str(caught.value)


def test_an_empty_file(tmp_path: Path) -> None:
    path = tmp_path / "empty.dat"
    path.write_bytes(b"")
    with pytest.raises(wishpy.FileError) as caught:
        read(path)
    assert "empty.dat" in str(caught.value)


def test_a_null_device() -> None:
    with pytest.raises(wishpy.FileError):
        read("/dev/null")


def test_a_name_with_a_null_byte() -> None:
    with pytest.raises(ValueError, match="null"):
        wishpy.Dissector("with\0null.pcap")


def test_an_empty_name() -> None:
    with pytest.raises(wishpy.FileError):
        wishpy.Dissector("")


@pytest.mark.parametrize("two_pass", [False, True])
@pytest.mark.parametrize("name", ["micro_little.pcap", "nano_big.pcap", "demo.pcapng"])
def test_a_cut_file_gives_its_whole_frames_and_then_the_error(name: str, two_pass: bool, tmp_path: Path) -> None:
    path = tmp_path / "cut.dat"
    whole = (DATA / name).read_bytes()
    path.write_bytes(whole[:-20])
    count, error = read_until_error(path, two_pass=two_pass)
    assert count == len(read(DATA / name)) - 1
    assert "cut.dat" in str(error)
    assert "cut short" in str(error)
    assert error.path == str(path) or os.fspath(error.path) == str(path)
    assert error.errno is None


@needs_tshark
@pytest.mark.parametrize(
    "name", ["micro_little.pcap", "demo.pcapng", "demo.pcapng.gz", "demo.pcapng.lz4", "demo.pcapng.zst"]
)
def test_a_file_cut_anywhere(name: str, tmp_path: Path) -> None:
    """As many frames as tshark has, and an error where it fails: its status is 2, and from 4.2 on others, too."""
    whole = (DATA / name).read_bytes()
    path = tmp_path / "cut.dat"
    for size in [*range(1, 60, 7), *range(60, len(whole), 97), len(whole) - 1]:
        path.write_bytes(whole[:size])
        run = oracle.fields_frames(path, ["frame.number"])
        frames = len(list(run))
        count, failed = 0, False
        try:
            with wishpy.Dissector(path) as dissector:
                for _ in dissector:
                    count += 1
        except wishpy.FileError:
            failed = True
        assert (count, failed) == (frames, run.status != 0), f"cut to {size} bytes: {run.messages}"


@pytest.mark.skipif(not SHARED.is_dir(), reason="../shared/captures is not there")
@pytest.mark.parametrize(
    ("name", "frames"),
    [("malformed/ndpi-fuzz-2021-10-13.pcap", 1), ("malformed/scapy-bad_rsn_parsing_overrides_ssid.pcap", 1),
     ("tcpdump/brcm-tag.pcap", 0), ("malformed/tcpdump-frf16_magic_ie-oobr.pcap", 0)],
)  # fmt: skip
def test_real_captures_that_cannot_be_read_to_the_end(name: str, frames: int) -> None:
    count, error = read_until_error(SHARED / name)
    assert count == frames
    assert os.path.basename(name) in str(error)


def test_an_unknown_link_type_is_named(tmp_path: Path) -> None:
    path = tmp_path / "odd.pcap"
    path.write_bytes(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 65000))
    _, error = read_until_error(path)
    assert "65000" in str(error)


def test_after_the_error_the_iterator_is_at_its_end(tmp_path: Path, demo: str) -> None:
    path = tmp_path / "cut.pcap"
    path.write_bytes((DATA / "micro_little.pcap").read_bytes()[:-5])
    dissector = wishpy.Dissector(path)
    with pytest.raises(wishpy.FileError):
        list(dissector)
    for _ in range(2):
        with pytest.raises((StopIteration, wishpy.FileError)):
            next(dissector)
    dissector.close()
    assert len(read(demo)) == 13


# --- filters --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("ip.src == ", None),
        ("ip.srcc == 1.2.3.4", 0),
        ("tcp && nonsense.field", 7),
        ("ip.ttl == abc", 10),
        ("(ip", None),
        ("ip.ttl &&& 3", None),
        ("tcp.flags.syn ==== 1", None),
        ("frame[", None),
        ('"unterminated', None),
    ],
)
@pytest.mark.parametrize("keyword", ["display_filter", "read_filter"])
def test_a_bad_filter(text: str, at: int | None, keyword: str, demo: str) -> None:
    options = {"two_pass": True} if keyword == "read_filter" else {}
    with pytest.raises(wishpy.FilterError) as caught:
        wishpy.Dissector(demo, **{keyword: text}, **options)
    error = caught.value
    assert isinstance(error, ValueError)
    assert error.filter == text
    assert text in str(error)
    if at is not None:
        assert error.position == at
    if error.position is not None:
        assert 0 <= error.position <= len(text)
        assert error.span is not None
        assert error.span >= 0  # 0: the mistake is that nothing follows
        # the caret stands under the mistake
        lines = str(error).splitlines()
        shown = next(number for number, line in enumerate(lines) if line.endswith(text))
        indent = lines[shown].index(text)
        assert lines[shown + 1].index("^") == indent + error.position
        assert lines[shown + 1].strip() == "^" + "~" * (error.span - 1)


def test_positions_count_characters_not_bytes(demo: str) -> None:
    text = 'dns.qry.name == "\u00e9\u2713" && nonsense.field'
    with pytest.raises(wishpy.FilterError) as caught:
        wishpy.Dissector(demo, display_filter=text)
    assert caught.value.position == text.index("nonsense")


@pytest.mark.parametrize("text", ["\ud800", "ip\0.src", "ip.src == " + "1" * 100_000, "%s%s%n", "(" * 5000])
def test_odd_filters_are_refused(text: str, demo: str) -> None:
    with pytest.raises((wishpy.FilterError, ValueError)):
        wishpy.Dissector(demo, display_filter=text)


def test_a_long_filter(demo: str) -> None:
    assert len(read(demo, display_filter=" || ".join(["tcp.port == 80"] * 500))) == 11


def test_filters_are_text(demo: str) -> None:
    for wrong in (b"ip", 7, ["ip"]):
        with pytest.raises(TypeError):
            wishpy.Dissector(demo, display_filter=wrong)


# --- fields ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wrong", "near"),
    [("ip.scr", "ip.src"), ("tcp.flag.syn", "tcp.flags.syn"), ("dns.qry.nam", "dns.qry.name"), ("httpp", "http")],
)
def test_an_unknown_field_tells_the_nearest(wrong: str, near: str, demo: str) -> None:
    with pytest.raises(wishpy.FieldError) as caught:
        wishpy.Dissector(demo, fields=["ip.src", wrong])
    assert caught.value.field == wrong
    assert wrong in str(caught.value)
    assert near in str(caught.value)
    with wishpy.Dissector(demo) as dissector, pytest.raises(wishpy.FieldError) as caught:
        next(dissector)[wrong]
    assert caught.value.field == wrong
    assert near in str(caught.value)


def test_a_field_like_nothing(demo: str) -> None:
    for wrong in ("zzzzzzzzzzzzqqqq", "", "*.nonsense", "no.such.*", "%s"):
        with pytest.raises(wishpy.FieldError) as caught:
            wishpy.Dissector(demo, fields=[wrong])
        assert caught.value.field == wrong


def test_a_known_field_that_is_absent_is_another_matter(demo: str) -> None:
    with wishpy.Dissector(demo) as dissector:
        packet = next(dissector)
        with pytest.raises(KeyError) as caught:
            packet["http.host"]
        assert "http.host" in str(caught.value)
        assert packet.get("http.host") is None


def test_what_get_says_to_an_unknown_name(demo: str) -> None:
    """get() and in are questions: no answer is no error, as with a dict."""
    with wishpy.Dissector(demo) as dissector:
        packet = next(dissector)
        assert packet.get("no.such.field", 5) == 5
        assert "no.such.field" not in packet


# --- dissection that goes wrong -------------------------------------------------------------------------------


def test_a_frame_on_which_a_dissector_throws_comes_with_its_mark() -> None:
    packets = read(DATA / "dns.pcap")
    broken = packets[5]
    assert broken.number == 6
    assert "_ws.malformed" in broken
    assert [layer.name for layer in broken.layers][-1] == "_ws.malformed"
    assert "Malformed" in broken.info
    assert broken["ip.src"] == "192.0.2.53"
    assert packets[6]["dns.qry.name"] == "never.example.com"


@pytest.mark.skipif(not (SHARED / "ndpi/ceph.pcap").exists(), reason="../shared/captures is not there")
def test_a_dissectors_bug_comes_as_a_packet() -> None:
    packets = read(SHARED / "ndpi/ceph.pcap")
    assert len(packets) == 39
    assert any("Dissector bug" in str(packet) for packet in packets)


# --- a closed Dissector ---------------------------------------------------------------------------------------


def test_a_closed_dissector_says_so(demo: str) -> None:
    dissector = wishpy.Dissector(demo)
    dissector.close()
    with pytest.raises(ValueError, match="closed"):
        next(dissector)
    with pytest.raises(ValueError, match="closed"), dissector:
        pass
