"""Tables against `tshark -T fields`, value by value after its type; batches, options, errors, readings.

All shared captures are compared with WISHPY_FULL=1; else every sixth of them, and all of tests/data.
"""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import threading
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import oracle
import pytest
from conftest import DATA, SHARED, WIRESHARK, captures_under, needs_tshark

import wishpy
from wishpy._epan import TablePlan, TableReader

FIELDS = {
    "frame.number": "FT_UINT32",
    "frame.time": "FT_ABSOLUTE_TIME",
    "frame.time_delta": "FT_RELATIVE_TIME",
    "frame.len": "FT_UINT32",
    "frame.protocols": "FT_STRING",
    "frame.encap_type": "FT_INT16",
    "eth.src": "FT_ETHER",
    "eth.src.oui": "FT_UINT24",
    "eth.type": "FT_UINT16",
    "ip.addr": "FT_IPv4",
    "ip.ttl": "FT_UINT8",
    "ip.flags.df": "FT_BOOLEAN",
    "ipv6.addr": "FT_IPv6",
    "tcp": "FT_PROTOCOL",
    "tcp.analysis": "FT_NONE",
    "tcp.flags": "FT_UINT16",
    "tcp.window_size_scalefactor": "FT_INT32",
    "tcp.analysis.acks_frame": "FT_FRAMENUM",
    "tcp.payload": "FT_BYTES",
    "tcp.options.timestamp.tsval": "FT_UINT32",
    "dns.qry.name": "FT_STRING",
    "dns.resp.ttl": "FT_UINT32",
    "usb.urb_id": "FT_UINT64",
    "usb.urb_type": "FT_CHAR",
    "pfcp.ul_gbr": "FT_UINT40",
    "btle_rf.signal_dbm": "FT_INT8",
    "rtcp.ssrc.cum_nr": "FT_INT24",
    "wlan_radio.ifs": "FT_INT64",
    "stp.max_age": "FT_DOUBLE",
    "wpan-tap.rss": "FT_FLOAT",
    "wpan.addr64": "FT_EUI64",
    "smb2.fid": "FT_GUID",
    "x509af.algorithm.id": "FT_OID",
    "isis.hello.source_id": "FT_SYSTEM_ID",
    "ipx.net": "FT_IPXNET",
    "ax25.dst": "FT_AX25",
    "imap.line": "FT_STRINGZ",
    "mstp.config_name": "FT_STRINGZPAD",
    "afs.vldb.name": "FT_UINT_STRING",
    "image-gif.data_block": "FT_UINT_BYTES",
    "tls.handshake.random_time": "FT_ABSOLUTE_TIME",
}
NAMES = list(FIELDS)

# print_escaped_csv in epan/print.c. 4.4 does it to other types than strings, too, but can be told to leave all but the
# backslash as it is.
RAW = ["-E", "escape=n"] if WIRESHARK >= (4, 4) else []
ESCAPES = {"\b": "\\b", "\t": "\\t", "\n": "\\n", "\v": "\\v", "\f": "\\f", "\r": "\\r"}
ESCAPED = str.maketrans({} if RAW else ESCAPES)

# A value's text, which -T fields has, and JSON's parted in 4.2.
BOOLEANS = {"True": True, "False": False} if WIRESHARK >= (4, 2) else {"1": True, "0": False}

FULL = bool(os.environ.get("WISHPY_FULL"))
SHARED_CAPTURES = captures_under(SHARED)[:: 1 if FULL else 6] if SHARED.exists() else []


# ---- against tshark


def tshark_rows(path: Path, occurrence: str, names: list[str] = NAMES, *more: str) -> tuple[list[list[str]], int]:
    """Rows of texts, and the exit status. The first and the last field of a row are booleans, which have no line
    breaks in them: so those within others do no harm. (tshark fills in each field once, so there are two.)"""
    assert oracle.TSHARK is not None
    words = [word for name in ["frame.ignored", *names, "frame.marked"] for word in ("-e", name)]
    command = [oracle.TSHARK, "-r", str(path), "-T", "fields", *words, *more]
    command += ["-E", "separator=\x1e", "-E", "aggregator=\x1f", "-E", f"occurrence={occurrence}", *RAW]
    done = subprocess.run(command, capture_output=True, env=oracle.environment(), check=False)
    said = done.stdout.decode("utf-8", "replace")
    cells = (said.replace("\\\\", "\\") if RAW else said).split("\x1e")
    width = len(names) + 1
    rows = []
    for start in range(0, len(cells) - 1, width):
        rows.append(cells[start + 1 : start + width])
    return rows, done.returncode


def wishpy_rows(path: Path, occurrence: str, names: list[str] = NAMES, **options: Any) -> tuple[list[Any], bool]:
    """The same as Python values, and whether the file ended with an error."""
    rows: list[Any] = []
    try:
        for batch in wishpy.scan(path, names, occurrence=occurrence, **options).batches():
            rows += batch.rows()
    except wishpy.FileError:
        return rows, True
    return rows, False


def agrees(name: str, value: Any, text: str) -> bool:
    """Is the value what tshark's text says, after the field's type?"""
    kind = FIELDS[name]
    if value is None:
        # "" is an absent field or an empty string; what does not fit its type's width is null
        return text == "" or (kind == "FT_ABSOLUTE_TIME" and "representable" in text)
    if kind in ("FT_PROTOCOL", "FT_NONE"):
        return value is True and text != ""
    if kind == "FT_BOOLEAN":
        return value is BOOLEANS[text]
    if kind in ("FT_BYTES", "FT_UINT_BYTES") and text in ("<MISSING>", "<none>"):
        return bool(value == b"")
    if kind == "FT_SYSTEM_ID":
        return bool(value == text)
    if kind.startswith("FT_STRING"):
        value = value.translate(ESCAPED)
    return oracle.AGREE[kind](value, text)


def differences(path: Path) -> list[str]:
    """What differs between tshark and the three occurrences."""
    expected, status = tshark_rows(path, "a")
    found = []
    for occurrence in ("all", "first", "last"):
        rows, failed = wishpy_rows(path, occurrence)
        if len(rows) != len(expected) or failed != (status != 0):
            return [f"{path.name}: {len(rows)} rows for {len(expected)}, status {status}, failed {failed}"]
        for number, (row, texts) in enumerate(zip(rows, expected), 1):
            for name, value, text in zip(NAMES, row, texts):
                parts = text.split("\x1f")
                if occurrence == "all" and value is not None:
                    good = len(value) == len(parts) and all(agrees(name, v, part) for v, part in zip(value, parts))
                else:
                    good = agrees(name, value, parts[-1 if occurrence == "last" else 0])
                if not good:
                    found.append(f"{path.name} frame {number} {occurrence} {name}: {value!r} for {text!r}")
    return found


@needs_tshark
@pytest.mark.parametrize("path", captures_under(DATA), ids=lambda path: path.name)
def test_our_captures_as_tshark_has_them(path: Path) -> None:
    assert differences(path) == []


@needs_tshark
@pytest.mark.skipif(not SHARED_CAPTURES, reason="the shared captures are not here")
@pytest.mark.timeout(900)
def test_shared_captures_as_tshark_has_them() -> None:
    found = []
    for path in SHARED_CAPTURES:
        found += differences(path)
    assert found == [], f"{len(found)} differences"


@needs_tshark
@pytest.mark.parametrize("letter, occurrence", [("f", "first"), ("l", "last"), ("a", "all")])
def test_occurrence_is_tsharks(demo: str, letter: str, occurrence: str) -> None:
    expected, _ = tshark_rows(Path(demo), letter, ["ip.addr", "dns.a"])
    rows, _ = wishpy_rows(Path(demo), occurrence, ["ip.addr", "dns.a"])
    texts = [["" if v is None else v if isinstance(v, str) else "\x1f".join(v) for v in row] for row in rows]
    assert texts == expected
    assert any(text for _, text in texts)


@needs_tshark
def test_filter_and_nanoseconds(demo: str) -> None:
    expected, _ = tshark_rows(Path(demo), "f", ["frame.time_epoch", "tcp.dstport"], "-Y", "tcp.srcport == 80")
    table = wishpy.scan(demo, ["frame.time", "tcp.dstport"], display_filter="tcp.srcport == 80").head(100)
    times, ports = table.column(0, raw=True), table.column(1)
    assert [[f"{t // 10**9}.{t % 10**9:09d}", str(port)] for t, port in zip(times, ports)] == expected
    assert len(expected) > 2


@needs_tshark
def test_two_passes(demo: str) -> None:
    expected, _ = tshark_rows(Path(demo), "f", ["dns.response_in"], "-2", "-R", "udp")
    rows, _ = wishpy_rows(Path(demo), "first", ["dns.response_in"], two_pass=True, read_filter="udp")
    assert [["" if v is None else str(v)] for (v,) in rows] == expected == [["2"], [""]]


# ---- columns and their types


def test_columns_of_the_packet_list(demo: str) -> None:
    names = ["_ws.col.protocol", "_ws.col.info", "_ws.col.source"]
    rows = list(wishpy.scan(demo, names).head(99).rows())
    with wishpy.Dissector(demo) as packets:
        assert rows == [(p.protocol, p.info, p.source) for p in packets]
    with pytest.raises(wishpy.FieldError, match=r"_ws\.col\.colour"):
        wishpy.scan(demo, ["_ws.col.colour"])


def test_text_is_the_line_of_the_tree(demo: str) -> None:
    table = wishpy.scan(demo, ["tcp.flags", "tcp.flags.syn", "ip"], text={"tcp.flags", "ip"}).head(99)
    with wishpy.Dissector(demo) as packets:
        expected = []
        for packet in packets:
            flags, ip = packet.find("tcp.flags"), packet.find("ip")
            expected.append((flags and flags.text, packet.get("tcp.flags.syn"), ip and ip.text))
    assert list(table.rows()) == expected
    assert expected[2][0] == "Flags: 0x002 (SYN)"


def test_encodings(demo: str) -> None:
    encode = {"ip.src": "int", "eth.src": "int", "ip.dst": "bytes", "eth.dst": "bytes", "dns.qry.name": "dictionary"}
    scan = wishpy.scan(demo, list(encode), encode=encode)
    assert list(scan.schema.values()) == ["uint32", "uint64", "binary", "binary", "dictionary<string>"]
    row = next(scan.head(1).rows())
    assert row == (0xC0000201, 0x5E005301, b"\xc0\x00\x02\x35", b"\x00\x00\x5e\x00\x53\x02", "www.example.com")
    for name, how in [("dns.qry.name", "int"), ("frame.len", "dictionary"), ("frame.time", "bytes"), ("tcp", "bytes")]:
        with pytest.raises(ValueError, match="cannot be encoded"):
            wishpy.scan(demo, [name], encode={name: how})
    with pytest.raises(ValueError, match="'hex' is not one of"):
        wishpy.scan(demo, ["ip.src"], encode={"ip.src": "hex"})
    with pytest.raises(ValueError, match=r"'ip\.dst' is not one of the columns"):
        wishpy.scan(demo, ["ip.src"], encode={"ip.dst": "int"})


def test_wildcards_are_sorted_and_the_same_for_any_file(demo: str) -> None:
    scan = wishpy.scan(demo, ["frame.number", "dns.qry.*"])
    assert scan.columns[0] == "frame.number"
    assert scan.columns[1:] == sorted(set(scan.columns[1:])) and "dns.qry.name" in scan.columns
    assert scan.schema == wishpy.scan(DATA / "empty.pcap", ["frame.number", "dns.qry.*"]).schema
    with pytest.raises(wishpy.FieldError):
        wishpy.scan(demo, ["nothing.at.all.*"])


def test_each_name_is_one_column(demo: str) -> None:
    names = ["dns.qry.type", "ip.src", "dns.qry.*", "ip.src"]
    columns = wishpy.scan(demo, names).columns
    assert columns[:2] == ["dns.qry.type", "ip.src"] and len(set(columns)) == len(columns)
    assert set(columns) == {"ip.src", *wishpy.scan(demo, ["dns.qry.*"]).columns}
    with pytest.raises(ValueError, match=r"a column 'ip\.src' already"):
        wishpy.scan(demo, names, file="ip.src")


def test_zero_packets_give_the_schema_and_no_batch() -> None:
    scan = wishpy.scan(DATA / "empty.pcap", ["frame.time", "ip.src"])
    assert list(scan.batches()) == []
    assert scan.schema == {"frame.time": "timestamp[ns, UTC]", "ip.src": "string"}
    assert len(scan.head()) == 0


@needs_tshark
@pytest.mark.parametrize(
    "path, names, words, keywords",
    [
        (
            "http.pcapng", ["http.host", "frame.protocols"], ["-d", "tcp.port==8080,echo"],
            {"decode_as": {"tcp.port==8080": "echo"}},
        ),
        ("http.pcapng", ["http.host", "frame.len"], ["--disable-protocol", "http"], {"disable": ["http"]}),
        (
            "http.pcapng", ["tcp.seq", "tcp.ack"], ["-o", "tcp.relative_sequence_numbers:FALSE"],
            {"preferences": {"tcp.relative_sequence_numbers": False}},
        ),
        (
            "tls13_recorded.pcapng", ["http.request.method", "http.host"],
            ["-o", f"tls.keylog_file:{DATA / 'tls13.keys'}"], {"tls_keylog": DATA / "tls13.keys"},
        ),
    ],
)  # fmt: skip
def test_settings_are_the_dissectors(path: str, names: list[str], words: list[str], keywords: dict[str, Any]) -> None:
    def rows_of(scan: wishpy.Scan) -> list[list[str]]:
        return [["" if v is None else str(v) for v in row] for row in scan.head(999).rows()]

    expected, _ = tshark_rows(DATA / path, "f", names, *words)
    scan = wishpy.scan(DATA / path, names, **keywords)
    assert rows_of(scan) == expected and len(expected) > 5
    assert rows_of(pickle.loads(pickle.dumps(scan))) == expected
    assert rows_of(wishpy.scan(DATA / path, names)) != expected   # and the setting is undone


@pytest.mark.parametrize("name", NAMES)
def test_type_of_one_field_is_that_of_api_md(demo: str, name: str) -> None:
    expected = {
        "FT_BOOLEAN": "bool", "FT_PROTOCOL": "bool", "FT_NONE": "bool", "FT_CHAR": "uint8", "FT_UINT8": "uint8",
        "FT_UINT16": "uint16", "FT_UINT24": "uint32", "FT_UINT32": "uint32", "FT_FRAMENUM": "uint32",
        "FT_UINT40": "uint64", "FT_UINT64": "uint64", "FT_INT8": "int8", "FT_INT16": "int16", "FT_INT24": "int32",
        "FT_INT32": "int32", "FT_INT64": "int64", "FT_FLOAT": "float32", "FT_DOUBLE": "float64",
        "FT_ABSOLUTE_TIME": "timestamp[ns, UTC]", "FT_RELATIVE_TIME": "duration[ns]", "FT_BYTES": "binary",
        "FT_UINT_BYTES": "binary",
    }  # fmt: skip
    assert wishpy.scan(demo, [name]).schema[name] == expected.get(FIELDS[name], "string")
    assert wishpy.scan(demo, [name], occurrence="all").schema[name].startswith("list<")


def test_fields_that_share_a_name_share_a_column(demo: str) -> None:
    """Whatever the registry has, the type holds all of them; the same in every process."""
    scan = wishpy.scan(demo, ["*"])
    again = subprocess.run(
        [sys.executable, "-c", f"import wishpy; print(hash(frozenset(wishpy.scan({demo!r}, ['*']).schema.items())))"],
        capture_output=True, text=True, check=True, env={**os.environ, "PYTHONHASHSEED": "0"},
    ).stdout  # fmt: skip
    mine = subprocess.run(
        [sys.executable, "-c", "import sys, pickle; print(hash(frozenset(pickle.load(sys.stdin.buffer))))"],
        input=pickle.dumps(list(scan.schema.items())), capture_output=True, check=True,
        env={**os.environ, "PYTHONHASHSEED": "0"},
    ).stdout.decode()  # fmt: skip
    assert again == mine
    assert len(scan.columns) > 200_000
    assert len(scan.head(2)) == 2


# ---- batches


def test_batches_have_at_most_the_rows_asked_for(demo: str) -> None:
    scan = wishpy.scan(demo, ["frame.number"])
    sizes = [batch.num_rows for batch in scan.batches(5)]
    assert sizes == [5, 5, 3]
    assert [n for batch in scan.batches(4) for n in batch.column(0)] == list(range(1, 14))
    with pytest.raises(ValueError, match="at least 1 row"):
        scan.batches(0)


@pytest.mark.parametrize("occurrence", ["first", "all"])
@pytest.mark.parametrize("encode", [{}, {"ip.addr": "dictionary", "frame.protocols": "dictionary"}])
@pytest.mark.parametrize("limit", [60, 100, 217, 1000])
def test_a_batch_ends_before_an_offset_overflows(
    demo: str, limit: int, encode: dict[str, str], occurrence: str
) -> None:
    """With offsets of a few bits instead of 31: no row is lost, none is there twice, none is cut."""
    names = ["frame.number", "ip.addr", "frame.protocols", "tcp.flags.syn", "frame.time"]
    plan = TablePlan(names, occurrence, frozenset(), encode, None, {})
    whole = [row for batch in wishpy.scan(demo, names, occurrence=occurrence).batches() for row in batch.rows()]
    rows, sizes = [], []
    for batch in TableReader(plan, [os.fsencode(demo)], {}, 1000, None, limit):
        rows += list(zip(*(batch.column(i) for i in range(batch.num_columns))))
        sizes.append(len(batch))
    assert rows == whole
    assert len(sizes) > 1 or limit == 1000 or encode


def test_a_row_that_fits_in_no_batch_is_an_error(demo: str) -> None:
    plan = TablePlan(["frame.protocols"], "first", frozenset(), {}, None, {})
    with pytest.raises(ValueError, match="do not fit"):
        list(TableReader(plan, [os.fsencode(demo)], {}, 1000, None, 5))


def test_a_cut_file_gives_its_rows_and_then_its_error(tmp_path: Path, demo: str) -> None:
    cut = tmp_path / "cut.pcapng"
    cut.write_bytes(Path(demo).read_bytes()[:600])
    rows, failed = wishpy_rows(cut, "first", ["frame.number"])
    assert failed and [n for (n,) in rows] == [1, 2, 3, 4]
    with pytest.raises(wishpy.FileError) as caught:
        wishpy.scan(cut, ["frame.number"]).to_pydict()
    assert caught.value.path == str(cut)


# ---- options


def test_several_files_and_a_column_of_their_names(demo: str, tmp_path: Path) -> None:
    http = str(DATA / "http.pcapng")
    both = wishpy.scan([demo, http], ["frame.number"], file=True).to_pydict()
    numbers = wishpy.scan(http, ["frame.number"]).to_pydict()["frame.number"]
    assert both["frame.number"] == [*range(1, 14), *numbers]
    assert both["file"] == [demo] * 13 + [http] * len(numbers)
    for name in ("b.pcapng", "a.pcapng"):
        (tmp_path / name).write_bytes(Path(demo).read_bytes())
    found = wishpy.scan(tmp_path / "*.pcapng", ["frame.number"], file="from", encode={"from": "dictionary"})
    assert found.schema["from"] == "dictionary<string>"
    assert sorted(set(found.to_pydict()["from"])) == [str(tmp_path / "a.pcapng"), str(tmp_path / "b.pcapng")]
    with pytest.raises(wishpy.FileError, match="no file matches"):
        wishpy.scan(tmp_path / "*.nothing", ["frame.number"]).head()


def test_skip_and_count_go_over_all_files(demo: str) -> None:
    scan = wishpy.scan([demo, demo], ["frame.number"], skip=11, count=4)
    assert scan.to_pydict() == {"frame.number": [12, 13, 1, 2]}
    assert wishpy.scan([demo, demo], ["frame.number"], skip=20).to_pydict()["frame.number"] == [8, 9, 10, 11, 12, 13]


def test_head_reads_no_more_than_it_needs(demo: str) -> None:
    scan = wishpy.scan(demo, ["frame.number"], count=3)
    assert scan.head(2).to_pydict() == {"frame.number": [1, 2]}
    assert len(scan.head(10)) == 3 and len(scan.head(0)) == 0
    with pytest.raises(ValueError, match="negative"):
        scan.head(-1)


@pytest.mark.parametrize(
    "keywords, error",
    [
        ({"display_filter": "ip.src =="}, wishpy.FilterError),
        ({"two_pass": False, "read_filter": "ip"}, ValueError),
        ({"colour": "red"}, TypeError),
        ({"occurrence": "second"}, ValueError),
        ({"linktype": "EN10MB"}, TypeError),
        ({"name_resolution": ("people",)}, ValueError),
        ({"progress": 7}, TypeError),
        ({"text": "ip.src"}, TypeError),
        ({"text": {"ip.dst"}}, ValueError),
    ],
)
def test_what_is_no_good_is_refused(demo: str, keywords: dict[str, Any], error: type[Exception]) -> None:
    with pytest.raises(error):
        wishpy.scan(demo, ["ip.src"], **keywords).head()


def test_sources_that_cannot_be_read_again_are_refused() -> None:
    for source in (7, iter([b"packet"]), b"path"):
        with pytest.raises(TypeError):
            wishpy.scan(source, ["ip.src"])  # type: ignore[arg-type]
    with pytest.raises(wishpy.FileError):
        wishpy.scan("/nowhere/at/all.pcap", ["ip.src"]).__arrow_c_stream__()


def test_progress_is_told_in_bytes(demo: str) -> None:
    seen: list[tuple[int, int]] = []
    wishpy.scan([demo, demo], ["ip.src"], progress=lambda done, all: seen.append((done, all))).to_pydict()
    size = os.path.getsize(demo)
    assert seen[-1] == (2 * size, 2 * size)
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)

    def stop(done: int, all: int) -> None:
        raise RuntimeError("enough")

    scan = wishpy.scan(demo, ["ip.src"], progress=stop)
    with pytest.raises(RuntimeError, match="enough"):
        scan.to_pydict()
    assert len(wishpy.scan(demo, ["ip.src"]).head()) == 5   # and the place is free again


def test_a_bar_on_standard_error(demo: str, capfd: pytest.CaptureFixture[str]) -> None:
    wishpy.scan(demo, ["ip.src"], progress=True).to_pydict()
    out, err = capfd.readouterr()
    assert out == "" and "100" in err


# ---- readings


def test_a_scan_is_read_again_and_again_and_in_other_processes(demo: str) -> None:
    scan = wishpy.scan(demo, ["ip.src", "dns.*"], occurrence="all", display_filter="dns", file=True)
    first = scan.to_pydict()
    assert scan.to_pydict() == first
    copy = pickle.loads(pickle.dumps(scan))
    assert copy.schema == scan.schema and copy.to_pydict() == first
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        assert pool.submit(wishpy.Scan.to_pydict, scan).result(60) == first


def test_a_reading_has_the_place_until_it_ends(demo: str) -> None:
    scan = wishpy.scan(demo, ["frame.number"])
    batches = scan.batches(2)
    next(batches)
    with pytest.raises(wishpy.SessionError):
        scan.head()
    batches.close()  # type: ignore[attr-defined]
    assert len(scan.head()) == 5
    for _ in scan.batches(2):
        break
    assert len(scan.head()) == 5
    with wishpy.Dissector(demo), pytest.raises(wishpy.SessionError):
        scan.head()


def test_repr_never_reads_the_file() -> None:
    scan = wishpy.scan("/nowhere/at/all.pcap", ["ip.src", "frame.time"], display_filter="ip")
    assert repr(scan) == (
        "<Scan of /nowhere/at/all.pcap, display_filter='ip'>\n"
        "  ip.src      string\n"
        "  frame.time  timestamp[ns, UTC]"
    )
    assert "frame.time" in scan._repr_html_() and "/nowhere/at/all.pcap" in scan._repr_html_()


def test_threads_may_not_share_a_reader_but_may_take_turns(demo: str) -> None:
    results: list[int] = []
    batches = wishpy.scan(demo, ["frame.number"]).batches(5)

    def read() -> None:
        results.extend(next(batches).column(0))

    for _ in range(3):
        thread = threading.Thread(target=read)
        thread.start()
        thread.join()
    assert results == list(range(1, 14))


def test_a_fork_leaves_the_reading_to_the_parent(demo: str, python: Any) -> None:
    code = f"""
import os, wishpy
scan = wishpy.scan({demo!r}, ["frame.number"])
batches = scan.batches(5)
next(batches)
child = os.fork()
if child == 0:
    try:
        next(batches)
    except wishpy.SessionError:
        os._exit(0 if len(scan.head()) == 5 else 3)   # a reading of its own works
    os._exit(2)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
assert sum(map(len, batches)) == 8
"""
    python(code=code).check()


def test_ctrl_c_ends_a_reading_at_once(tmp_path: Path, demo: str, python: Any) -> None:
    """A named pipe that gives no more: the reading waits, and a signal ends it."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    code = f"""
import os, signal, threading, time, wishpy
def write():
    with open({str(pipe)!r}, "wb", buffering=0) as file:
        file.write(open({demo!r}, "rb").read()[:600])
        time.sleep(60)
writer = threading.Thread(target=write, daemon=True)
writer.start()
threading.Timer(1, lambda: os.kill(os.getpid(), signal.SIGINT)).start()
start = time.monotonic()
try:
    wishpy.scan({str(pipe)!r}, ["frame.number"]).to_pydict()
except KeyboardInterrupt:
    took = time.monotonic() - start
    assert took < 3, took
    assert len(wishpy.scan({demo!r}, ["frame.number"]).head()) == 5
    print("interrupted", flush=True)
    os._exit(0)
"""
    assert python(code=code, timeout=30).check() == "interrupted\n"
