"""Dissector: an iterator of packets, its keywords, its end, and its one place in a process."""

from __future__ import annotations

import gc
import importlib.util
import logging
import os
import sys
import time
import weakref
from collections.abc import Callable
from pathlib import Path

import oracle
import pytest
from conftest import DATA, SHARED, Finished, captures_under, needs_tshark

import wishpy

CHOSEN = [
    "arkime/tls13.pcap",
    "arkime/imap.pcap",
    "arkime/v6-http.pcap",
    "arkime/sctp-www.pcap",
    "arkime/http2-nghttp2.pcap",
]
SOME = [*captures_under(DATA), *(SHARED / name for name in CHOSEN if (SHARED / name).exists())]


def name_of(path: Path) -> str:
    return path.name


def trees(path: object, **options: object) -> list[oracle.Pairs]:
    with wishpy.Dissector(path, **options) as dissector:
        return [oracle.expected_pairs(packet.layers) for packet in dissector]


# --- an iterator and a context manager ------------------------------------------------------------------------


def test_iteration(demo: str) -> None:
    dissector = wishpy.Dissector(demo)
    assert iter(dissector) is dissector
    assert next(dissector).number == 1
    assert [packet.number for packet in dissector] == list(range(2, 14))
    with pytest.raises(StopIteration):
        next(dissector)
    with pytest.raises(StopIteration):
        next(dissector)
    dissector.close()


def test_the_context_manager_gives_the_dissector_and_closes_it(demo: str) -> None:
    dissector = wishpy.Dissector(demo)
    with dissector as inner:
        assert inner is dissector
    with pytest.raises(ValueError, match="closed"):
        next(dissector)


def test_the_context_manager_lets_exceptions_through(demo: str) -> None:
    with pytest.raises(KeyError, match="mine"), wishpy.Dissector(demo) as packets:
        for _ in packets:
            raise KeyError("mine")
    assert len(trees(demo)) == 13


def test_close_is_idempotent_and_final(demo: str) -> None:
    dissector = wishpy.Dissector(demo)
    next(dissector)
    for _ in range(3):
        dissector.close()
    for use in (lambda: next(dissector), lambda: list(dissector), lambda: dissector.__enter__()):
        with pytest.raises(ValueError, match="closed"):
            use()
    dissector.close()


def test_an_empty_capture(data: Path) -> None:
    with wishpy.Dissector(data / "empty.pcap") as dissector:
        assert list(dissector) == []


def test_repr_tells_the_source_and_the_state(demo: str) -> None:
    dissector = wishpy.Dissector(demo)
    assert "demo.pcapng" in repr(dissector)
    dissector.close()
    assert "closed" in repr(dissector)


# --- its one place --------------------------------------------------------------------------------------------


def test_a_second_open_dissector_is_refused_with_advice(demo: str, data: Path) -> None:
    with wishpy.Dissector(demo) as first:
        next(first)
        with pytest.raises(wishpy.SessionError) as caught:
            wishpy.Dissector(data / "dns.pcap", isolated=False)
        assert "close" in str(caught.value)
        assert [packet.number for packet in first] == list(range(2, 14))
    assert len(trees(data / "dns.pcap")) == 7


def test_the_end_of_the_iteration_does_not_take_the_last_packet_away(demo: str) -> None:
    dissector = wishpy.Dissector(demo)
    *_, last = dissector
    assert last["tcp.stream"] == 0
    dissector.close()
    assert last.number == 13


@pytest.mark.parametrize("leave", ["break", "exception", "collection", "cycle"])
def test_a_loop_left_early_frees_the_place(leave: str, demo: str) -> None:
    """Without a with statement, as in a notebook or a quick script."""

    def loop() -> None:
        dissector = wishpy.Dissector(demo)
        if leave == "cycle":
            cycle = [dissector]
            cycle.append(cycle)
        for packet in dissector:
            if packet.number == 3:
                if leave == "exception":
                    raise LookupError("mine")
                break

    if leave == "exception":
        with pytest.raises(LookupError):
            loop()
        sys.last_value = None
    else:
        loop()
    gc.collect()
    assert len(trees(demo)) == 13


def test_a_failed_open_leaves_the_place_free(demo: str, tmp_path: Path) -> None:
    for wrong in [
        lambda: wishpy.Dissector(tmp_path / "none"),
        lambda: wishpy.Dissector(demo, display_filter="no such thing"),
        lambda: wishpy.Dissector(demo, fields=["no.such.field"]),
        lambda: wishpy.Dissector(demo, read_filter="ip"),
        lambda: wishpy.Dissector(demo, count=-1),
    ]:
        with pytest.raises((wishpy.Error, ValueError)):
            wrong()
        assert len(trees(demo)) == 13


def test_a_dissector_can_be_referenced_weakly_or_says_no(demo: str) -> None:
    with wishpy.Dissector(demo) as dissector:
        try:
            reference = weakref.ref(dissector)
        except TypeError:
            return
        assert reference() is dissector


def test_one_after_another_gives_the_same_answers(data: Path) -> None:
    """Three hundred Dissectors over different files, some left in the middle: nothing of one shows in the next."""
    paths = [
        data / name for name in ("demo.pcapng", "dns.pcap", "several.pcapng", "tls13_secrets.pcapng", "http.pcapng")
    ]
    first = {path: trees(path) for path in paths}
    for turn in range(60):
        for path in paths:
            if turn % 3:
                with wishpy.Dissector(path) as dissector:
                    for _ in range(turn % 5):
                        next(dissector)
            else:
                assert trees(path) == first[path]


# --- keywords -------------------------------------------------------------------------------------------------

FILTERS = ["dns", "tcp.flags.syn == 1", "ip.src == 192.0.2.1 && !dns", "frame.number > 4", "http", "frame", "not frame"]


@needs_tshark
@pytest.mark.parametrize("text", FILTERS)
def test_display_filter(text: str, demo: str) -> None:
    """The same frames, and in them the same times since the frame that was displayed before."""
    assert trees(demo, display_filter=text) == list(oracle.json_frames(demo, "-Y", text))


def test_an_empty_filter_lets_all_through(demo: str) -> None:
    assert len(trees(demo, display_filter="")) == 13
    assert len(trees(demo, display_filter=None)) == 13


@needs_tshark
def test_frames_that_a_filter_rejects_still_build_state(demo: str) -> None:
    with wishpy.Dissector(demo, display_filter="http.response") as dissector:
        (packet,) = dissector
    assert packet.number == 9
    assert packet["http.request_in"] == 6
    assert packet["tcp.segment.count"] == 2


@needs_tshark
@pytest.mark.parametrize("path", SOME, ids=name_of)
def test_two_pass(path: Path) -> None:
    assert trees(path, two_pass=True) == list(oracle.json_frames(path, "-2"))


@needs_tshark
def test_two_pass_looks_ahead(data: Path) -> None:
    with wishpy.Dissector(data / "dns.pcap") as dissector:
        assert "dns.response_in" not in next(dissector)
    with wishpy.Dissector(data / "dns.pcap", two_pass=True) as dissector:
        packets = list(dissector)
    assert packets[0]["dns.response_in"] == 3
    assert packets[1]["dns.response_in"] == 4
    assert "dns.response_in" not in packets[6]


@needs_tshark
@pytest.mark.parametrize("text", ["dns.flags.response == 1", "frame.number != 3", "ip", "arp"])
@pytest.mark.parametrize("then", [None, "frame.number > 1", "dns.count.answers > 1"])
def test_read_filter(text: str, then: str | None, data: Path) -> None:
    path = data / "dns.pcap"
    said = list(oracle.json_frames(path, "-2", "-R", text, *(["-Y", then] if then else [])))
    assert trees(path, two_pass=True, read_filter=text, display_filter=then) == said


def test_read_filter_needs_two_pass(demo: str) -> None:
    with pytest.raises(ValueError, match="two_pass"):
        wishpy.Dissector(demo, read_filter="ip")


def test_two_pass_needs_a_file_that_can_be_read_again(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    writer = os.open(path, os.O_RDWR)
    os.write(writer, (DATA / "dns.pcap").read_bytes())
    try:
        with pytest.raises((wishpy.FileError, ValueError)) as caught:
            wishpy.Dissector(path, two_pass=True)
        assert "pipe" in str(caught.value)
    finally:
        os.close(writer)


@needs_tshark
def test_two_pass_with_a_filter(demo: str) -> None:
    assert trees(demo, two_pass=True, display_filter="http") == list(oracle.json_frames(demo, "-2", "-Y", "http"))


@pytest.mark.parametrize("two_pass", [False, True])
def test_skip_and_count(demo: str, two_pass: bool) -> None:
    def numbers(**options: object) -> list[int]:
        with wishpy.Dissector(demo, two_pass=two_pass, **options) as dissector:
            return [packet.number for packet in dissector]

    assert numbers(skip=0) == list(range(1, 14))
    assert numbers(count=3) == [1, 2, 3]
    assert numbers(count=0) == []
    assert numbers(count=100) == list(range(1, 14))
    assert numbers(skip=11) == [12, 13]
    assert numbers(skip=13) == numbers(skip=10**12) == []
    assert numbers(skip=2, count=2) == [3, 4]
    assert numbers(display_filter="tcp", count=2) == [3, 4]
    assert numbers(display_filter="http", skip=6) == [9]
    with pytest.raises(ValueError, match="skip"):
        numbers(skip=-1)
    with pytest.raises(ValueError, match="count"):
        numbers(count=-1)
    for wrong in ({"skip": "1"}, {"count": 1.5}, {"skip": None}):
        with pytest.raises(TypeError):
            numbers(**wrong)


def test_skipped_frames_still_build_state(demo: str) -> None:
    with wishpy.Dissector(demo, skip=8, count=1) as dissector:
        (packet,) = dissector
    assert packet["http.request_in"] == 6


# -N's letters for each of the names; "network" takes the names in captured DNS answers with it, as Wireshark does by
# itself. "dns" would ask the network, and this tshark has no letter for "maxmind".
RESOLVERS = {"mac": "m", "network": "nd", "transport": "t", "vlan": "v"}


@needs_tshark
@pytest.mark.parametrize(
    "names", [(), ("mac",), ("transport",), ("mac", "transport"), ("network",), ("vlan",)], ids=str
)
@pytest.mark.parametrize("capture", ["demo.pcapng", "several.pcapng", "micro_little.pcap"])
def test_name_resolution(names: tuple[str, ...], capture: str, data: Path) -> None:
    letters = "".join(RESOLVERS[name] for name in names)
    options = ["-N", letters] if letters else ["-n"]
    assert trees(data / capture, name_resolution=names) == list(oracle.json_frames(data / capture, *options))


def test_name_resolution_does_not_stay(data: Path) -> None:
    path = data / "several.pcapng"
    plain = trees(path)
    assert trees(path, name_resolution=("network", "transport")) != plain
    assert trees(path) == plain
    assert trees(path, name_resolution=()) != plain
    assert trees(path) == plain


def test_name_resolution_refuses_what_it_does_not_know(demo: str) -> None:
    with pytest.raises(ValueError, match="netwrok"):
        wishpy.Dissector(demo, name_resolution=("netwrok",))
    with pytest.raises((TypeError, ValueError)):
        wishpy.Dissector(demo, name_resolution="mac")
    with pytest.raises(TypeError):
        wishpy.Dissector(demo, name_resolution=7)


def test_unknown_keywords_are_refused(demo: str) -> None:
    with pytest.raises(TypeError, match="displayfilter"):
        wishpy.Dissector(demo, displayfilter="ip")
    with pytest.raises(TypeError):
        wishpy.Dissector(demo, demo)
    with pytest.raises(TypeError):
        wishpy.Dissector(3.5)


# --- fields= --------------------------------------------------------------------------------------------------

FIELDS = """
    frame.number frame.time frame.time_delta eth.src ip.src ip.addr tcp.flags.syn tcp.port tcp.options.mss_val
    dns.qry.name dns.a http.host udp.payload
""".split()


@needs_tshark
@pytest.mark.parametrize("path", SOME, ids=name_of)
def test_fields_are_those_that_tshark_extracts(path: Path) -> None:
    with wishpy.Dissector(path, fields=FIELDS) as dissector:
        packets = list(dissector)
    said = list(oracle.fields_frames(path, FIELDS))
    assert len(packets) == len(said)
    for packet, values in zip(packets, said):
        assert set(packet.keys()) == set(values)
        assert packet.to_dict() == {
            name: packet.get_all(name)[0] if len(texts) == 1 else packet.get_all(name) for name, texts in values.items()
        }
        for name, texts in values.items():
            assert len(packet.get_all(name)) == len(texts), name
            assert packet[name] == packet.get_all(name)[0]


def test_extracted_values_are_those_of_the_whole_tree(data: Path) -> None:
    for path in SOME:
        with wishpy.Dissector(path) as dissector:
            whole = [{name: packet.get_all(name) for name in FIELDS} for packet in dissector]
        with wishpy.Dissector(path, fields=FIELDS) as dissector:
            assert [{name: packet.get_all(name) for name in FIELDS} for packet in dissector] == whole


def test_other_fields_are_not_there(demo: str) -> None:
    with wishpy.Dissector(demo, fields=["dns.qry.name"]) as dissector:
        packet = next(dissector)
        assert list(packet.keys()) == ["dns.qry.name"]
        assert packet["dns.qry.name"] == "www.example.com"
        assert packet.get("dns.a") is None
        assert packet.get_all("ip.src") == []
        assert "ip.src" not in packet
        with pytest.raises(KeyError):
            packet["ip.src"]
        assert packet.number == 1
        assert packet.length == 75


def test_a_filter_needs_no_extracted_fields(demo: str) -> None:
    with wishpy.Dissector(demo, fields=["frame.number"], display_filter='http.host == "www.example.com"') as dissector:
        assert [packet.to_dict() for packet in dissector] == [{"frame.number": 6}]


@needs_tshark
def test_wildcards(demo: str) -> None:
    with wishpy.Dissector(demo) as dissector:
        whole = [{name for name in list(packet.keys()) if name.startswith("dns.")} for packet in dissector]
    with wishpy.Dissector(demo, fields=["dns.*"]) as dissector:
        assert [set(packet.keys()) for packet in dissector] == whole
    with wishpy.Dissector(demo, fields=["tcp.flags.*", "ip.ttl"]) as dissector:
        names = set(list(dissector)[2].keys())
    assert "tcp.flags.syn" in names
    assert "ip.ttl" in names
    assert all(name == "ip.ttl" or name.startswith("tcp.flags.") for name in names)


def test_no_fields_at_all(demo: str) -> None:
    with wishpy.Dissector(demo, fields=[]) as dissector:
        assert [packet.to_dict() for packet in dissector] == [{}] * 13


def test_fields_may_be_any_iterable_but_a_string(demo: str) -> None:
    for fields in (("ip.src",), {"ip.src"}, iter(["ip.src"]), {"ip.src": 1}):
        with wishpy.Dissector(demo, fields=fields) as dissector:
            assert next(dissector).to_dict() == {"ip.src": "192.0.2.1"}
    with pytest.raises(TypeError, match="str"):
        wishpy.Dissector(demo, fields="ip.src")  # not six fields of one letter
    with pytest.raises(TypeError):
        wishpy.Dissector(demo, fields=[b"ip.src"])


# --- the user's own settings, logging, time zones -------------------------------------------------------------

SUMMARY = """
import sys, wishpy
with wishpy.Dissector(sys.argv[1]) as packets:
    for packet in packets:
        print(packet.protocols, packet.info, packet.columns, packet.get("frame.time"))
"""


def test_the_users_settings_are_not_read(python: Callable[..., Finished], demo: str, tmp_path: Path) -> None:
    plain = python(demo, code=SUMMARY).check()
    folder = tmp_path / "wireshark"
    folder.mkdir()
    (folder / "preferences").write_text(
        'gui.column.format: "Mine","%m"\ndns.tcp.port: 1\ntcp.relative_sequence_numbers: FALSE\n'
    )
    (folder / "disabled_protos").write_text("dns\nhttp\n")
    (folder / "hosts").write_text("192.0.2.80 mine.example\n")
    changed = {
        **os.environ,
        "HOME": str(tmp_path),
        "XDG_CONFIG_HOME": str(tmp_path),
        "WIRESHARK_CONFIG_DIR": str(folder),
    }
    assert python(demo, code=SUMMARY, env=changed).check() == plain


@needs_tshark
@pytest.mark.parametrize("zone", ["UTC", "America/New_York", "Asia/Kathmandu"])
def test_printed_times_follow_the_time_zone_as_tsharks_do(
    python: Callable[..., Finished], zone: str, demo: str
) -> None:
    code = "import sys, wishpy\nfor p in wishpy.Dissector(sys.argv[1]): print(p.find('frame.time').display, p.time_ns)"
    lines = python(demo, code=code, env={**os.environ, "TZ": zone}).check().splitlines()
    said = oracle.json_frames(demo, env=oracle.environment(TZ=zone))
    times = [dict(dict(frame)["frame"])["frame.time"] for frame in said]
    assert [line.rsplit(" ", 1)[0] for line in lines] == times
    assert int(lines[0].rsplit(" ", 1)[1]) == 1_700_000_000_123_456_789


@pytest.mark.skipif(not (SHARED / "ndpi/ceph.pcap").exists(), reason="../shared/captures is not there")
def test_what_wireshark_logs_goes_to_logging(
    caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    """tshark warns of a dissector's bug in this capture; here it is a log record, and nothing is printed."""
    with caplog.at_level(logging.DEBUG), wishpy.Dissector(SHARED / "ndpi/ceph.pcap") as dissector:
        assert len(list(dissector)) == 39
    lines = [record for record in caplog.records if "Dissector bug, protocol Ceph" in record.getMessage()]
    assert lines
    assert all(record.levelno == logging.WARNING and record.name.startswith("wishpy") for record in lines)
    assert capfd.readouterr() == ("", "")


def test_nothing_is_printed(capfd: pytest.CaptureFixture[str], data: Path) -> None:
    for path in captures_under(data):
        trees(path)
        trees(path, two_pass=True)
    assert capfd.readouterr() == ("", "")


# --- process matters ------------------------------------------------------------------------------------------


SUBINTERPRETERS = """
import sys, wishpy
try:
    import _interpreters as subinterpreters  # from Python 3.13, where a failure is returned
    made = [subinterpreters.create("legacy"), subinterpreters.create("isolated")]
except ImportError:
    import _xxsubinterpreters as subinterpreters
    made = [subinterpreters.create()]
with wishpy.Dissector(sys.argv[1]) as packets:
    print(len(list(packets)))
for one in made:
    try:
        failed = subinterpreters.run_string(one, "import wishpy._epan")
    except RuntimeError as error:
        print("refused", error)
    else:
        print("refused", failed.formatted)
"""


def test_a_subinterpreter_is_refused_clearly(python: Callable[..., Finished], demo: str) -> None:
    """With an own lock for its threads (isolated) Python itself refuses; else wishpy does."""
    if not any(map(importlib.util.find_spec, ("_interpreters", "_xxsubinterpreters"))):
        pytest.skip("this Python has no module to make subinterpreters with")
    first, *refused = python(demo, code=SUBINTERPRETERS).check().splitlines()
    assert first == "13" and refused
    for line in refused:
        assert line.startswith("refused") and "ImportError" in line and "interpreter" in line


def test_fork(demo: str, data: Path) -> None:
    """A child may dissect, also where the parent has a Dissector open; the parent goes on with its own."""
    with wishpy.Dissector(demo) as dissector:
        packet = next(dissector)
        child = os.fork()
        if child == 0:
            status = 1
            try:
                right = packet["dns.qry.name"] == "www.example.com" and len(trees(data / "dns.pcap")) == 7
                status = 0 if right else 2
            finally:
                os._exit(status)
        deadline = time.monotonic() + 60
        while (ended := os.waitpid(child, os.WNOHANG)) == (0, 0):
            if time.monotonic() > deadline:
                os.kill(child, 9)
            time.sleep(0.01)
        assert os.waitstatus_to_exitcode(ended[1]) == 0
        assert [packet.number for packet in dissector] == list(range(2, 14))


def test_fork_from_threads(isolated: Callable[..., Finished], demo: str, data: Path, tmp_path: Path) -> None:
    capture = (data / "dns.pcap").read_bytes()
    long = tmp_path / "long.pcap"
    long.write_bytes(capture[:24] + capture[24:] * 30_000)
    isolated("fork_while_dissecting", demo, str(long)).check()


def test_the_interpreter_may_end_with_a_dissector_open(python: Callable[..., Finished], demo: str) -> None:
    for code in [
        "import sys, wishpy; d = wishpy.Dissector(sys.argv[1]); p = next(d)",
        "import sys, wishpy; l = [wishpy.Dissector(sys.argv[1])]; l.append(l); p = next(l[0])",
        "import sys, wishpy, atexit; d = wishpy.Dissector(sys.argv[1]); atexit.register(lambda: print(next(d).number))",
        "import sys, wishpy, threading, time\n"
        "def run():\n"
        "    while True:\n"
        "        for packet in wishpy.Dissector(sys.argv[1]): packet.to_dict()\n"
        "threading.Thread(target=run, daemon=True).start(); time.sleep(0.7)",
    ]:  # fmt: skip
        assert python(demo, code=code).err == ""
        python(demo, code=code).check()


def test_import_is_cheap(python: Callable[..., Finished]) -> None:
    code = """
import sys, time
before = set(sys.modules)
start = time.perf_counter()
import wishpy
took = time.perf_counter() - start
assert "wishpy._epan" not in sys.modules and "wishpy._pcap" not in sys.modules
assert took < 0.1, took
assert not {"typing", "re", "contextlib"} & (set(sys.modules) - before)
with open("/proc/self/maps") as maps:
    text = maps.read()
assert "libwireshark" not in text and "libpcap" not in text
assert {"Dissector", "Packet", "Field", "Error"} <= set(dir(wishpy))
"""
    python(code=code).check()
