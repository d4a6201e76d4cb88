"""Captures as typed columns: Scan, which is lazy, and Table, the rows that were read.

Values go from Wireshark's field tree straight into Arrow buffers in C. Anything that speaks Arrow takes a Scan as it
is, through the Arrow PyCapsule interface; each to_*() needs the library that it is named for, and no other.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import IO, TYPE_CHECKING, Any, Union

from . import __version__
from ._epan import TableBatch, TablePlan, TableReader, _choose_plugins, _library_versions
from .errors import FileError

if TYPE_CHECKING:
    import pandas
    import polars
    import pyarrow

__all__ = ["Batch", "Scan", "Table", "scan"]

Path = Union[str, "os.PathLike[str]"]
Progress = Callable[[int, int], object]

BATCH_ROWS = 65_536

_TYPES = {
    "b": "bool", "C": "uint8", "S": "uint16", "I": "uint32", "L": "uint64", "c": "int8", "s": "int16", "i": "int32",
    "l": "int64", "f": "float32", "g": "float64", "u": "string", "z": "binary", "tsn:UTC": "timestamp[ns, UTC]",
    "tDn": "duration[ns]",
}  # fmt: skip


def need(module: str, package: str | None = None) -> Any:
    """Import what one method needs, or say what to install."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        package = package or module.partition(".")[0]
        raise ImportError(f"this needs {package}, which is not installed: pip install {package}") from error


def _type_name(column: tuple[str, str, bool, bool]) -> str:
    _, format, is_list, is_dictionary = column
    name = _TYPES[format]
    name = f"dictionary<{name}>" if is_dictionary else name
    return f"list<{name}>" if is_list else name


class _Frame:
    """What a Scan and a Table share: they have columns, and can become other libraries' tables."""

    _plan: TablePlan

    def _table(self) -> Table:
        raise NotImplementedError

    @property
    def columns(self) -> list[str]:
        """The columns' names, in order."""
        return [column[0] for column in self._plan.columns]

    @property
    def schema(self) -> dict[str, str]:
        """Name and Arrow type of each column."""
        return {column[0]: _type_name(column) for column in self._plan.columns}

    def __arrow_c_schema__(self) -> object:
        return self._plan.schema()

    def to_arrow(self) -> pyarrow.Table:
        """Read all into a pyarrow.Table."""
        return need("pyarrow").table(self._table())

    def to_polars(self) -> polars.DataFrame:
        """Read all into a polars.DataFrame."""
        return need("polars").DataFrame(self._table())

    def to_pandas(self) -> pandas.DataFrame:
        """Read all into a pandas.DataFrame with nullable types: UInt16, boolean, string, datetime64[ns, UTC]."""
        need("pandas")
        from .table_pandas import to_pandas

        return to_pandas(self._table())

    def to_pydict(self) -> dict[str, list[Any]]:
        """Read all into a dict of lists of Python values."""
        table = self._table()
        return {name: table.column(i) for i, name in enumerate(self.columns)}


class Table(_Frame):
    """Rows that were read, in memory. Nothing is copied when Arrow libraries take it."""

    def __init__(self, plan: TablePlan, batches: list[TableBatch]) -> None:
        self._plan = plan
        self._batches = batches

    def _table(self) -> Table:
        return self

    def __len__(self) -> int:
        return sum(len(batch) for batch in self._batches)

    @property
    def num_rows(self) -> int:
        """How many rows."""
        return len(self)

    @property
    def num_columns(self) -> int:
        """How many columns."""
        return len(self._plan.columns)

    def column(self, column: int | str, *, raw: bool = False) -> list[Any]:
        """One column's values, as the Python types of a Packet's values; `raw`: times as Arrow's integers."""
        index = self.columns.index(column) if isinstance(column, str) else column
        return [value for batch in self._batches for value in batch.column(index, raw=raw)]

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        return self._plan.stream_of(self._batches, requested_schema)

    def rows(self) -> Iterator[tuple[Any, ...]]:
        """The rows, as tuples of Python values."""
        return zip(*(self.column(i) for i in range(self.num_columns)))

    def __repr__(self) -> str:
        return f"<{type(self).__name__}, {len(self)} rows: {', '.join(self.columns)}>\n{self._as_text()}"

    def _shown(self, most: int = 20) -> tuple[list[list[str]], int]:
        rows = [
            ["" if value is None else str(value) for value in row] for row, _ in zip(self.rows(), range(most))
        ]
        return rows, len(self) - len(rows)

    def _as_text(self) -> str:
        rows, rest = self._shown()
        lines = [self.columns, *rows]
        widths = [min(max(map(len, cells)), 40) for cells in zip(*lines)]
        text = [
            "  ".join(cell[:width].ljust(width) for cell, width in zip(line, widths)).rstrip() for line in lines
        ]
        return "\n".join([*text, f"... {rest} more"] if rest else text)

    def _repr_html_(self) -> str:
        import html

        rows, rest = self._shown()
        head = "".join(f"<th>{html.escape(name)}</th>" for name in self.columns)
        body = "".join("<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in row) + "</tr>" for row in rows)
        more = f"<p>{rest} more rows</p>" if rest else ""
        return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{more}"


class Batch(Table):
    """A Table of one Arrow record batch, as Scan.batches() gives them."""

    def __arrow_c_array__(self, requested_schema: object = None) -> tuple[object, object]:
        return self._batches[0].__arrow_c_array__(requested_schema)


class Scan(_Frame):
    """A capture as a table that was not read yet; see scan()."""

    def __init__(
        self,
        source: Path | Iterable[Path],
        fields: Iterable[str],
        *,
        occurrence: str = "first",
        text: Iterable[str] = (),
        encode: Mapping[str, str] | None = None,
        file: bool | str = False,
        progress: bool | Progress | None = None,
        **options: Any,
    ) -> None:
        if isinstance(fields, str):
            raise TypeError("fields must be an iterable of names, not one str: write [name]")
        if isinstance(text, str):
            raise TypeError("text must be an iterable of names, not one str: write {name}")
        if progress is not None and not isinstance(progress, bool) and not callable(progress):
            raise TypeError("progress must be a callable, True, or None")
        self._sources = _sources(source)
        self._single = isinstance(source, (str, os.PathLike))
        self._fields = tuple(fields)
        self._occurrence, self._text, self._encode = occurrence, frozenset(text), dict(encode or {})
        self._file = "file" if file is True else file or None
        self._progress = progress
        if options.get("isolated"):
            raise TypeError("a table is read in this process: it has no isolated=True; read it in a worker of your own")
        self._plugins = options.pop("plugins", None)
        self._options = {name: value for name, value in options.items() if name != "isolated"}
        self._make_plan()
        self._check_names()
        TableReader(self._plan, [], self._options, 1)  # refuses options that do not exist, and opens nothing

    def _make_plan(self) -> None:
        _choose_plugins(self._plugins)
        known = _library_versions()
        metadata = {"file": "\n".join(self._sources), "wishpy": __version__, "libwireshark": known["libwireshark"]}
        self._plan = TablePlan(self._fields, self._occurrence, self._text, self._encode, self._file, metadata)

    def _check_names(self) -> None:
        for keyword, names in (("text", self._text), ("encode", frozenset(self._encode))):
            unknown = sorted(names - set(self.columns))
            if unknown:
                raise ValueError(f"{keyword}: {unknown[0]!r} is not one of the columns")

    # A Scan is its arguments: what libwireshark made of them is found anew where it is unpickled.

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name != "_plan"}

    def __getattr__(self, name: str) -> Any:
        if name != "_plan" or "_file" not in self.__dict__:
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        self._make_plan()
        return self.__dict__["_plan"]

    # ---- reading

    def _paths(self) -> list[bytes]:
        return [os.fsencode(path) for source in self._sources for path in _matching(source)]

    def _read(self, rows: int, **options: Any) -> Iterator[TableBatch]:
        progress, end = _progress_of(self._progress)
        reader = TableReader(self._plan, self._paths(), {**self._options, **options}, rows, progress)
        try:
            yield from reader
        finally:
            reader.close()
            end()

    def _table(self) -> Table:
        return Table(self._plan, list(self._read(BATCH_ROWS)))

    def batches(self, rows: int = BATCH_ROWS) -> Iterator[Batch]:
        """Read the table in batches of at most so many rows, in bounded memory."""
        if rows < 1:
            raise ValueError("a batch has at least 1 row")
        return (Batch(self._plan, [batch]) for batch in self._read(rows))

    def head(self, n: int = 5) -> Table:
        """Read the first n rows, and no more of the file than they need."""
        if n < 0:
            raise ValueError("n must not be negative")
        count = self._options.get("count")
        most = n if count is None else min(n, count)
        return Table(self._plan, list(self._read(BATCH_ROWS, count=most)))

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        """Return an Arrow stream that opens the file when its first batch is asked for."""
        paths = self._paths()
        for path in paths:
            _check_readable(path)
        progress, _ = _progress_of(self._progress)
        import threading

        main = threading.main_thread().ident or 0
        return self._plan.stream(paths, self._options, BATCH_ROWS, progress, main, requested_schema)

    # ---- writing

    def write_parquet(self, path: Path, **options: Any) -> None:
        """Write a Parquet file, batch by batch; further keywords are pyarrow.parquet.ParquetWriter's."""
        pyarrow, parquet = need("pyarrow"), need("pyarrow.parquet")
        schema = pyarrow.schema(self)
        with parquet.ParquetWriter(os.fspath(path), schema, **options) as writer:
            for batch in self.batches():
                writer.write_batch(pyarrow.record_batch(batch))

    def write_arrow(self, path: Path) -> None:
        """Write an Arrow IPC file (also called Feather), batch by batch."""
        pyarrow = need("pyarrow")
        with pyarrow.OSFile(os.fspath(path), "wb") as file, pyarrow.ipc.new_file(file, pyarrow.schema(self)) as writer:
            for batch in self.batches():
                writer.write_batch(pyarrow.record_batch(batch))

    def write_csv(self, file: Path | IO[str]) -> None:
        """Write CSV in UTF-8, with a line of names first; it needs no library.

        Times are RFC 3339 in UTC with nanoseconds, durations seconds, bytes hexadecimal with colons; the values of
        a list are joined with commas, and what is absent is empty.
        """
        if isinstance(file, (str, os.PathLike)):
            with open(file, "w", encoding="utf-8", newline="") as opened:
                self.write_csv(opened)
            return
        import csv

        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(self.columns)
        writers = [_csv_writer(format, is_list) for _, format, is_list, _ in self._plan.columns]
        for batch in self._read(BATCH_ROWS):
            columns = [map(write, batch.column(i, raw=True)) for i, write in enumerate(writers)]
            writer.writerows(zip(*columns))

    # ---- for people

    def _facts(self) -> list[tuple[str, str]]:
        facts = [("source", ", ".join(self._sources))]
        facts += [(name, repr(value)) for name, value in self._options.items() if value is not None]
        if self._occurrence != "first":
            facts.append(("occurrence", repr(self._occurrence)))
        return facts

    def __repr__(self) -> str:
        (_, source), *rest = self._facts()
        keywords = "".join(f", {name}={value}" for name, value in rest)
        width = max(map(len, self.columns), default=0)
        lines = [f"  {column[0].ljust(width)}  {_type_name(column)}" for column in self._plan.columns]
        return "\n".join([f"<Scan of {source}{keywords}>", *lines])

    def _repr_html_(self) -> str:
        import html

        facts = "<br>".join(f"{html.escape(name)}: <code>{html.escape(value)}</code>" for name, value in self._facts())
        rows = "".join(
            f"<tr><td>{html.escape(column[0])}</td><td>{html.escape(_type_name(column))}</td></tr>"
            for column in self._plan.columns
        )
        return f"<p><b>Scan</b><br>{facts}</p><table><tr><th>column</th><th>type</th></tr>{rows}</table>"


def scan(
    source: Path | Iterable[Path],
    fields: Iterable[str],
    *,
    occurrence: str = "first",
    text: Iterable[str] = (),
    encode: Mapping[str, str] | None = None,
    file: bool | str = False,
    progress: bool | Progress | None = None,
    **options: Any,
) -> Scan:
    """Return a capture as a lazy table with a column for each field.

    source      path of a capture file, a glob pattern, or an iterable of them, read one after the other
    fields      names, or patterns such as "dns.*", which stand for all matching names, sorted; each name once;
                "_ws.col.info" and its kin are the columns of Wireshark's packet list
    occurrence  of fields that a packet has more than once: "first", "last", or "all" for columns of lists
    text        names of columns that hold the line of Wireshark's tree instead of the value
    encode      {"ip.src": "dictionary"}: "dictionary" for texts, "int" or "bytes" for addresses
    file        True, or a name, for a column with the file's path, in front of the others
    progress    a callable of bytes read and bytes in all, about 20 times a second; True shows a bar on standard error
    options     the keywords of Dissector: display_filter, two_pass, read_filter, skip, count, name_resolution, ...

    The types depend on the arguments alone. Raises FieldError for a name that does not exist; a file or a filter that
    is no good shows when it is read.
    """
    return Scan(
        source,
        fields,
        occurrence=occurrence,
        text=text,
        encode=encode,
        file=file,
        progress=progress,
        **options,
    )


# ---- files


def _sources(source: Path | Iterable[Path]) -> list[str]:
    if isinstance(source, (str, os.PathLike)):
        return [os.fspath(source)]
    if isinstance(source, bytes) or not isinstance(source, Iterable) or hasattr(source, "get"):
        raise TypeError("a table is made from capture files, which can be read again: give a path or several")
    sources = list(source)
    for item in sources:
        if not isinstance(item, (str, os.PathLike)):
            raise TypeError(f"a table is made from capture files: a path is wanted, not {type(item).__name__}")
    return [os.fspath(item) for item in sources]


def _matching(source: str) -> list[str]:
    """The files that a source names: itself, or what a glob pattern matches now, sorted."""
    if not any(character in source for character in "*?["):
        return [source]
    import glob

    if not glob.has_magic(source) or os.path.lexists(source):
        return [source]
    found = sorted(glob.glob(source, recursive=True))
    if not found:
        raise FileError(f"{source}: no file matches", path=source)
    return found


def _check_readable(path: bytes) -> None:
    """An error here has its own class; one in a stream becomes whatever its consumer makes of it."""
    if path == b"-":
        return
    try:
        with contextlib.suppress(IsADirectoryError):  # libwiretap says it better
            os.close(os.open(path, os.O_RDONLY | os.O_NONBLOCK))
    except OSError as error:
        name = os.fsdecode(path)
        raise FileError(f"{name}: {error.strerror}", errno=error.errno, path=name) from None


# ---- progress


def _nothing() -> None:
    pass


def _progress_of(progress: bool | Progress | None) -> tuple[Progress | None, Callable[[], object]]:
    """What the reader calls, and what to call at the end."""
    if progress is None or progress is False:
        return None, _nothing
    if progress is not True:
        return progress, _nothing
    bar = _Bar()
    return bar, bar.close


class _Bar:
    """Bytes read, on standard error: tqdm's bar where that is installed, else a percentage."""

    def __init__(self) -> None:
        self._tqdm: Any = None
        self._shown = -1
        with contextlib.suppress(ImportError):
            tqdm = importlib.import_module("tqdm")
            self._tqdm = tqdm.tqdm(unit="B", unit_scale=True, file=sys.stderr)

    def __call__(self, done: int, total: int) -> None:
        if self._tqdm is not None:
            self._tqdm.total = total or None
            self._tqdm.update(done - self._tqdm.n)
            return
        percent = 100 * done // total if total else -1
        if percent != self._shown:
            self._shown = percent
            print(f"\r{percent:3d} %", end="", file=sys.stderr, flush=True)

    def close(self) -> None:
        if self._tqdm is not None:
            self._tqdm.close()
        elif self._shown >= 0:
            print(file=sys.stderr)


# ---- CSV


@functools.lru_cache(1024)  # a capture has many packets a second
def _csv_second(seconds: int) -> str:
    from datetime import datetime, timezone

    return f"{datetime.fromtimestamp(seconds, timezone.utc):%Y-%m-%dT%H:%M:%S}"


def _csv_time(value: int) -> str:
    seconds, nanoseconds = divmod(value, 1_000_000_000)
    return f"{_csv_second(seconds)}.{nanoseconds:09d}Z"


def _csv_duration(value: int) -> str:
    sign, (seconds, nanoseconds) = "-" if value < 0 else "", divmod(abs(value), 1_000_000_000)
    return f"{sign}{seconds}.{nanoseconds:09d}"


def _csv_writer(format: str, is_list: bool) -> Callable[[Any], Any]:
    writers: dict[str, Callable[[Any], Any]] = {
        "b": lambda value: "true" if value else "false",
        "z": lambda value: value.hex(":") if value else "",
        "tsn:UTC": _csv_time,
        "tDn": _csv_duration,
    }
    write = writers.get(format)
    if is_list:
        item = write or str
        return lambda value: "" if value is None else ",".join("" if v is None else item(v) for v in value)
    if write is None:
        return lambda value: value
    given = write
    return lambda value: None if value is None else given(value)
