"""The Arrow C data and stream interface, by a strict validator of our own (arrow_abi.py), and by those who use it:
pyarrow, pandas, polars, duckdb and nanoarrow, each comparing values."""

from __future__ import annotations

import ctypes
import gc
import os
import shlex
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import arrow_abi
import pytest
from conftest import DATA, ROOT, SANITIZED

import wishpy

NAMES = [
    "frame.number", "frame.time", "frame.time_delta", "frame.protocols", "ip.addr", "ip.ttl", "ip.flags.df", "tcp",
    "tcp.payload", "dns.a", "tcp.window_size_scalefactor", "eth.addr", "_ws.col.info", "dns.qry.name",
]  # fmt: skip
HTTP = str(DATA / "http.pcapng")


def expected(scan: wishpy.Scan) -> list[tuple[Any, ...]]:
    """The rows with times as integers, by the way that does not go through Arrow."""
    return [row for batch in scan.batches() for row in zip(*(batch.column(i, raw=True) for i in range(len(NAMES))))]


@pytest.mark.parametrize("occurrence", ["first", "last", "all"])
@pytest.mark.parametrize("encode", [{}, {"ip.addr": "dictionary", "frame.protocols": "dictionary", "dns.a": "int"}])
def test_stream_is_valid_and_has_the_values(occurrence: str, encode: dict[str, str]) -> None:
    scan = wishpy.scan([HTTP, str(DATA / "demo.pcapng")], NAMES, occurrence=occurrence, encode=encode)
    stream = arrow_abi.stream_of(scan.__arrow_c_stream__())
    rows = [row for batch in arrow_abi.batches_of(stream) for row in batch]
    assert rows == expected(scan) and len(rows) > 20
    arrow_abi.release(stream)


def test_zero_rows_and_zero_columns() -> None:
    stream = arrow_abi.stream_of(wishpy.scan(DATA / "empty.pcap", NAMES).__arrow_c_stream__())
    assert list(arrow_abi.batches_of(stream)) == []
    arrow_abi.release(stream)
    stream = arrow_abi.stream_of(wishpy.scan(HTTP, []).__arrow_c_stream__())
    assert sum(map(len, arrow_abi.batches_of(stream))) > 0
    arrow_abi.release(stream)


def test_schema_has_types_titles_names_and_versions(demo: str) -> None:
    scan = wishpy.scan(demo, ["ip.src", "tcp.flags", "_ws.col.info"], occurrence="all")
    schema = arrow_abi.schema_of(scan.__arrow_c_schema__())
    arrow_abi.check_schema(schema)
    versions = wishpy.versions()
    assert arrow_abi.metadata_of(schema) == {
        "file": demo, "wishpy": versions["wishpy"], "libwireshark": versions["libwireshark"],
    }  # fmt: skip
    fields = [arrow_abi.metadata_of(schema.children[i].contents) for i in range(3)]
    assert fields[0] == {
        "wireshark.filter": "ip.src", "wireshark.type": "FT_IPv4", "wireshark.title": "Source Address",
    }  # fmt: skip
    assert fields[1]["wireshark.type"] == "FT_UINT16" and fields[2] == {"wireshark.filter": "_ws.col.info"}
    assert [schema.children[i].contents.format for i in range(3)] == [b"+l", b"+l", b"u"]
    arrow_abi.release(schema)


def test_a_batch_is_exported_as_often_as_one_likes_and_outlives_all(demo: str) -> None:
    batch = next(wishpy.scan(demo, NAMES).batches())
    capsules = [batch.__arrow_c_array__() for _ in range(3)]
    pairs = [(arrow_abi.schema_of(schema), arrow_abi.array_of(array)) for schema, array in capsules]
    del batch, capsules
    gc.collect()
    rows = [arrow_abi.values_of(schema, array) for schema, array in pairs]
    assert rows[0] == rows[1] == rows[2] == expected(wishpy.scan(demo, NAMES))
    for schema, array in pairs:
        arrow_abi.release(schema)
        arrow_abi.release(array)


def test_a_child_that_was_moved_away_outlives_its_parent(demo: str) -> None:
    encode = {"frame.protocols": "dictionary"}
    batch = next(wishpy.scan(demo, NAMES, occurrence="all", encode=encode).batches())
    schema_capsule, array_capsule = batch.__arrow_c_array__()
    schema, array = arrow_abi.schema_of(schema_capsule), arrow_abi.array_of(array_capsule)
    whole = arrow_abi.values_of(schema, array)
    children = [
        (arrow_abi.moved(schema.children[i].contents), arrow_abi.moved(array.children[i].contents))
        for i in range(len(NAMES))
    ]
    arrow_abi.release(array)
    arrow_abi.release(schema)
    del batch, schema_capsule, array_capsule
    gc.collect()
    for i, (child_schema, child) in enumerate(children):
        assert arrow_abi.values_of(child_schema, child) == [row[i] for row in whole]
        arrow_abi.release(child)
        arrow_abi.release(child_schema)


def test_a_stream_released_in_a_thread_that_python_does_not_know(demo: str) -> None:
    """A thread of libc's own calls release: no thread state of Python's is there."""
    scan = wishpy.scan(demo, NAMES)
    rows = len(expected(scan))
    stream = arrow_abi.stream_of(scan.__arrow_c_stream__())
    address = ctypes.addressof(stream)
    libc = ctypes.CDLL(None)
    array = arrow_abi.Array()
    release = ctypes.cast(stream.release, ctypes.c_void_p).value

    def in_thread(function: Any) -> None:
        handle = ctypes.c_ulong()
        assert libc.pthread_create(ctypes.byref(handle), None, ctypes.c_void_p(function), ctypes.c_void_p(address)) == 0
        assert libc.pthread_join(handle, None) == 0

    assert stream.get_next(ctypes.byref(stream), ctypes.byref(array)) == 0
    assert array.length == rows
    in_thread(release)
    assert not stream.release
    arrow_abi.release(array)
    assert len(scan.head()) == 5   # the place is free again


@pytest.fixture(scope="module")
def plain_thread(tmp_path_factory: pytest.TempPathFactory) -> ctypes.CDLL:
    """tests/plain_thread.c, compiled. Calls into it let go of the GIL."""
    library = tmp_path_factory.mktemp("plain_thread") / "plain_thread.so"
    compiler = shlex.split(os.environ.get("CC") or "cc")
    words = ["-shared", "-fPIC", "-pthread", "-I", ROOT / "csrc" / "engine", "-o", library]
    environment = {name: value for name, value in os.environ.items() if name != "LD_PRELOAD"}
    subprocess.run([*compiler, *words, ROOT / "tests" / "plain_thread.c"], check=True, env=environment)
    return ctypes.CDLL(str(library))


@pytest.mark.parametrize("progress", [False, True])
def test_a_stream_read_to_its_end_in_a_plain_thread(demo: str, plain_thread: ctypes.CDLL, progress: bool) -> None:
    seen: list[tuple[int, int]] = []
    scan = wishpy.scan([demo, HTTP], NAMES, progress=(lambda *bytes: seen.append(bytes)) if progress else None)
    rows, batches = ctypes.c_int64(), ctypes.c_int64()
    stream = arrow_abi.stream_of(scan.__arrow_c_stream__())
    expected_rows = len(expected(scan))
    seen.clear()
    assert plain_thread.read_in_a_thread(ctypes.byref(stream), ctypes.byref(rows), ctypes.byref(batches)) == 0
    assert rows.value == expected_rows > 20 and batches.value == 1 and not stream.release
    assert bool(seen) == progress
    assert len(scan.head()) == 5   # the place is free again


def test_array_released_by_a_foreign_thread(demo: str) -> None:
    batch = next(wishpy.scan(demo, NAMES).batches())
    _, array_capsule = batch.__arrow_c_array__()
    array = arrow_abi.array_of(array_capsule)
    libc = ctypes.CDLL(None)
    handle = ctypes.c_ulong()
    function = ctypes.cast(array.release, ctypes.c_void_p)
    del batch, array_capsule
    gc.collect()
    assert libc.pthread_create(ctypes.byref(handle), None, function, ctypes.byref(array)) == 0
    assert libc.pthread_join(handle, None) == 0
    assert not array.release


def test_a_stream_that_is_dropped_in_the_middle_frees_the_place(demo: str) -> None:
    scan = wishpy.scan([demo, HTTP], NAMES)
    capsule = scan.__arrow_c_stream__()
    stream = arrow_abi.stream_of(capsule)
    array = arrow_abi.Array()
    assert stream.get_next(ctypes.byref(stream), ctypes.byref(array)) == 0
    arrow_abi.release(stream)
    arrow_abi.release(array)
    del capsule
    never_read = scan.__arrow_c_stream__()
    assert len(scan.head()) == 5
    del never_read


def test_errors_come_as_codes_and_texts(demo: str, tmp_path: Any) -> None:
    cut = tmp_path / "cut.pcapng"
    cut.write_bytes((DATA / "demo.pcapng").read_bytes()[:600])
    stream = arrow_abi.stream_of(wishpy.scan(cut, ["frame.number"]).__arrow_c_stream__())
    rows: list[Any] = []
    with pytest.raises(OSError, match="cut short"):
        for batch in arrow_abi.batches_of(stream):
            rows += batch
    assert rows == [(1,), (2,), (3,), (4,)]
    arrow_abi.release(stream)
    scan = wishpy.scan(demo, ["frame.number"])
    with wishpy.Dissector(demo):
        stream = arrow_abi.stream_of(scan.__arrow_c_stream__())
        with pytest.raises(OSError, match="room for one"):
            list(arrow_abi.batches_of(stream))
        arrow_abi.release(stream)


def test_nothing_leaks(demo: str) -> None:
    if SANITIZED:
        pytest.skip("memory use means nothing under a sanitizer, which looks for leaks itself")
    table = wishpy.scan(demo, NAMES, occurrence="all", encode={"ip.addr": "dictionary"}).head(100)

    def use() -> None:   # of sessions test_leaks.py has the figures: libwireshark keeps something for each
        for _ in range(100):
            stream = arrow_abi.stream_of(table.__arrow_c_stream__())
            assert sum(map(len, arrow_abi.batches_of(stream))) == 13
            arrow_abi.release(stream)
            table.__arrow_c_stream__()
            table.__arrow_c_schema__()

    def resident() -> int:
        with open("/proc/self/statm") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    use()
    use()
    before = resident()
    for _ in range(4):
        use()
    assert resident() - before < 1 << 20


# ---- what a consumer asks for


def _requested(formats: dict[str, Any], demo: str) -> list[str]:
    pyarrow = pytest.importorskip("pyarrow")
    scan = wishpy.scan(demo, ["frame.time", "frame.time_delta", "ip.ttl", "ip.src", "frame.len"])
    schema = pyarrow.schema([(name, formats.get(name, pyarrow.schema(scan).field(name).type)) for name in scan.columns])
    stream = arrow_abi.stream_of(scan.__arrow_c_stream__(schema.__arrow_c_schema__()))
    got = arrow_abi.Schema()
    assert stream.get_schema(ctypes.byref(stream), ctypes.byref(got)) == 0
    rows = [row for batch in arrow_abi.batches_of(stream) for row in batch]
    arrow_abi.release(stream)
    children = [got.children[i].contents for i in range(got.n_children)]
    found = [(c.format.decode() + (" dictionary" if c.dictionary else "")) for c in children]
    arrow_abi.release(got)
    table = wishpy.scan(demo, scan.columns).head(100)
    ns = list(zip(*(table.column(i, raw=True) for i in range(5))))
    divisors = [{"s": 10**9, "m": 10**6, "u": 1000, "n": 1}[f[2]] for f in found[:2]]
    assert rows == [tuple(v if v is None or i > 1 else v // divisors[i] for i, v in enumerate(row)) for row in ns]
    return found


def test_requested_schema_is_honoured(demo: str) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    assert _requested({}, demo) == ["tsn:UTC", "tDn", "C", "u", "I"]
    assert _requested(
        {
            "frame.time": pyarrow.timestamp("ms", "UTC"),
            "frame.time_delta": pyarrow.duration("us"),
            "ip.ttl": pyarrow.uint32(),
            "ip.src": pyarrow.dictionary(pyarrow.int32(), pyarrow.string()),
            "frame.len": pyarrow.int64(),
        },
        demo,
    ) == ["tsm:UTC", "tDu", "I", "i dictionary", "l"]
    # What would lose values, or is another type altogether, stays as it is.
    other = {"frame.len": pyarrow.uint16(), "ip.ttl": pyarrow.int8(), "ip.src": pyarrow.int32()}
    assert _requested(other, demo) == ["tsn:UTC", "tDn", "C", "u", "I"]


def test_other_columns_are_refused(demo: str) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    scan = wishpy.scan(demo, ["ip.src", "ip.ttl"])
    for schema in (pyarrow.schema([("ip.src", pyarrow.string())]), pyarrow.schema([("a", "string"), ("b", "uint8")])):
        with pytest.raises(ValueError, match="requested schema"):
            scan.__arrow_c_stream__(schema.__arrow_c_schema__())
        with pytest.raises(ValueError, match="requested schema"):
            scan.head(1).__arrow_c_stream__(schema.__arrow_c_schema__())


# ---- those who take it


TYPED = [
    "frame.number", "frame.time", "ip.src", "ip.ttl", "ip.flags.df", "tcp.payload", "stp.max_age", "tcp.time_delta",
]  # fmt: skip


def rows_of(scan: wishpy.Scan) -> list[tuple[Any, ...]]:
    return [row for batch in scan.batches() for row in zip(*(batch.column(i, raw=True) for i in range(len(TYPED))))]


def test_pyarrow(demo: str) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    scan = wishpy.scan(demo, TYPED, encode={"ip.src": "dictionary"})
    for table in (pyarrow.table(scan), scan.to_arrow(), pyarrow.RecordBatchReader.from_stream(scan).read_all()):
        table.validate(full=True)
        columns = [
            column.cast(pyarrow.int64()) if pyarrow.types.is_temporal(column.type) else column
            for column in table.columns
        ]
        assert list(zip(*(column.to_pylist() for column in columns))) == rows_of(scan)
    batch = pyarrow.record_batch(next(scan.batches()))
    batch.validate(full=True)
    assert batch.num_rows == 13
    lists = wishpy.scan(demo, ["ip.addr", "dns.a"], occurrence="all")
    assert lists.to_arrow().to_pydict() == lists.to_pydict()


def test_polars(demo: str) -> None:
    polars = pytest.importorskip("polars")
    scan = wishpy.scan(demo, TYPED)
    for frame in (polars.DataFrame(scan), scan.to_polars(), polars.DataFrame(next(scan.batches()))):
        times = frame.with_columns(polars.col("frame.time", "tcp.time_delta").cast(polars.Int64))
        assert times.rows() == rows_of(scan)
    assert frame.schema["frame.time"] == polars.Datetime("ns", "UTC")
    lists = wishpy.scan(demo, ["ip.addr", "dns.a"], occurrence="all")
    assert lists.to_polars().to_dict(as_series=False) == lists.to_pydict()


def test_duckdb(demo: str) -> None:
    duckdb = pytest.importorskip("duckdb")
    scan = wishpy.scan(demo, ["frame.number", "frame.time", "ip.src", "ip.flags.df", "tcp.payload"])
    names = '"frame.number", epoch_ns("frame.time"), "ip.src", "ip.flags.df", "tcp.payload"'
    found = duckdb.sql(f"select {names} from scan")
    assert found.fetchall() == [
        row for batch in scan.batches() for row in zip(*(batch.column(i, raw=True) for i in range(5)))
    ]
    assert duckdb.sql("select count(*) from scan").fetchall() == [(13,)]
    assert duckdb.sql("select \"ip.src\" from scan limit 2").fetchall() == [("192.0.2.1",), ("192.0.2.53",)]
    assert len(scan.head()) == 5   # and let go of the place
    lists = wishpy.scan(demo, ["ip.addr"], occurrence="all")
    assert [row[0] for row in duckdb.sql("select * from lists").fetchall()] == lists.to_pydict()["ip.addr"]


def test_nanoarrow(demo: str) -> None:
    nanoarrow = pytest.importorskip("nanoarrow")
    scan = wishpy.scan(demo, ["frame.number", "ip.src", "ip.flags.df", "tcp.payload", "stp.max_age"])
    rows = [row for batch in scan.batches() for row in batch.rows()]
    assert [tuple(row.values()) for row in nanoarrow.ArrayStream(scan).read_all().to_pylist()] == rows
    assert [tuple(row.values()) for row in nanoarrow.Array(next(scan.batches())).to_pylist()] == rows


@pytest.mark.parametrize("with_pyarrow", [True, False])
def test_pandas(demo: str, with_pyarrow: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    pandas = pytest.importorskip("pandas")
    if with_pyarrow:
        pytest.importorskip("pyarrow")
    else:
        monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    scan = wishpy.scan(demo, [*TYPED, "ip.dst"], encode={"ip.dst": "dictionary"})
    frame = scan.to_pandas()
    assert [str(dtype) for dtype in frame.dtypes] == [
        "UInt32", "datetime64[ns, UTC]", "string", "UInt8", "boolean", "object", "Float64", "timedelta64[ns]",
        "category",
    ]  # fmt: skip
    assert len(frame) == 13

    def plain(value: Any) -> Any:
        if value is None or value is pandas.NA or value is pandas.NaT:
            return None
        return value.value if isinstance(value, (pandas.Timestamp, pandas.Timedelta)) else value

    rows = [tuple(plain(value) for value in row) for row in frame[TYPED].itertuples(index=False, name=None)]
    assert rows == rows_of(wishpy.scan(demo, TYPED))
    assert frame["ip.dst"].tolist() == wishpy.scan(demo, ["ip.dst"]).to_pydict()["ip.dst"]
    empty = wishpy.scan(DATA / "empty.pcap", TYPED).to_pandas()
    assert list(empty.dtypes) == list(frame[TYPED].dtypes) and len(empty) == 0
    lists = wishpy.scan(demo, ["ip.addr"], occurrence="all")
    assert lists.to_pandas()["ip.addr"].tolist() == lists.to_pydict()["ip.addr"]


def test_pandas_2_as_well(python: Any) -> None:
    """The suite has the newest pandas; `make test-requirements` puts pandas 2 into a folder beside it."""
    folder = Path(sys.prefix) / "pandas2"
    if not folder.is_dir():
        pytest.skip(f"there is no {folder}: make test-requirements")
    code = f"""
import sys, pandas, pytest
assert pandas.__version__.startswith("2."), pandas.__version__
sys.exit(pytest.main(["-q", "-p", "no:cacheprovider", "-k", "test_pandas and not 2", {__file__!r}]))
"""
    assert "2 passed" in python(code=code, timeout=120, env={**os.environ, "PYTHONPATH": str(folder)}).check()


def test_parquet_arrow_and_csv(demo: str, tmp_path: Any) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    scan = wishpy.scan(demo, [*TYPED, "ip.addr"], occurrence="all", encode={"ip.src": "dictionary"})
    scan.write_parquet(tmp_path / "t.parquet", compression="zstd")
    scan.write_arrow(tmp_path / "t.arrow")
    assert parquet.read_table(tmp_path / "t.parquet").to_pylist() == scan.to_arrow().to_pylist()
    with pyarrow.OSFile(str(tmp_path / "t.arrow")) as file:
        assert pyarrow.ipc.open_file(file).read_all().equals(scan.to_arrow())
    names = ["frame.number", "frame.time", "tcp.time_delta", "tcp.payload", "ip.flags.df", "ip.addr"]
    wishpy.scan(demo, names, occurrence="last").write_csv(tmp_path / "t.csv")
    lines = (tmp_path / "t.csv").read_text().splitlines()
    assert lines[0] == ",".join(names) and len(lines) == 14
    assert lines[1] == "1,2023-11-14T22:13:20.123456789Z,,,true,192.0.2.53"
    assert lines[4].split(",")[2] == "0.007654321" and lines[6].split(",")[3].startswith("47:45:54:20")


@pytest.mark.parametrize("method, library", [("to_arrow", "pyarrow"), ("to_polars", "polars"), ("to_pandas", "pandas")])
def test_a_library_that_is_not_there_is_named(
    demo: str, method: str, library: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, library, None)
    with pytest.raises(ImportError, match=f"pip install {library}"):
        getattr(wishpy.scan(demo, ["ip.src"]), method)()


def test_ctrl_c_in_a_consumers_own_reading(tmp_path: Any, demo: str, python: Any) -> None:
    """pyarrow waits for a pipe that gives no more; its error comes, or KeyboardInterrupt, and soon."""
    pytest.importorskip("pyarrow")
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    code = f"""
import os, signal, threading, time, pyarrow, wishpy
def write():
    with open({str(pipe)!r}, "wb", buffering=0) as file:
        file.write(open({demo!r}, "rb").read()[:600])
        time.sleep(60)
threading.Thread(target=write, daemon=True).start()
threading.Timer(1.5, lambda: os.kill(os.getpid(), signal.SIGINT)).start()
start = time.monotonic()
stopped = False
try:
    try:
        pyarrow.table(wishpy.scan({str(pipe)!r}, ["frame.number"]))
    except OSError as error:   # pyarrow's own; the KeyboardInterrupt comes right behind it
        stopped = "interrupted" in str(error)
        time.sleep(0.2)
except KeyboardInterrupt:
    stopped = True
finally:
    print(time.monotonic() - start < 4, stopped, flush=True)
    os._exit(0)
"""
    assert python(code=code, timeout=30).out == "True True\n"


def test_two_threads_read_by_turns(demo: str) -> None:
    """A consumer with threads of its own, each with a stream: the place is taken or free, never broken."""
    pyarrow = pytest.importorskip("pyarrow")
    scan = wishpy.scan(demo, ["frame.number"])
    results: list[Any] = []

    def read() -> None:
        for _ in range(10):
            try:
                results.append(pyarrow.table(scan).num_rows)
            except OSError as error:
                results.append(str(error))
            except ValueError as error:   # pyarrow.ArrowInvalid
                results.append(str(error))

    threads = [threading.Thread(target=read) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 30 and 13 in results
    assert all(result == 13 or "room for one" in result for result in results)
