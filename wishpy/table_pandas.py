"""From a Table to a pandas.DataFrame with nullable types.

Where pyarrow is installed as well it carries the strings, which makes no Python object of each; the types that pandas
shows differ in the strings' storage alone.
"""

from __future__ import annotations

import importlib.util
from typing import TYPE_CHECKING, Any

import numpy
import pandas

if TYPE_CHECKING:
    from .tables import Table

_NUMBERS = {
    "C": ("uint8", "UInt8"), "S": ("uint16", "UInt16"), "I": ("uint32", "UInt32"), "L": ("uint64", "UInt64"),
    "c": ("int8", "Int8"), "s": ("int16", "Int16"), "i": ("int32", "Int32"), "l": ("int64", "Int64"),
    "f": ("float32", "Float32"), "g": ("float64", "Float64"),
}  # fmt: skip
_TIMES = {"tsn:UTC": "datetime64[ns]", "tDn": "timedelta64[ns]"}


def to_pandas(table: Table) -> pandas.DataFrame:
    arrow = _arrow_table(table)
    series = []
    for i, (_, format, is_list, is_dictionary) in enumerate(table._plan.columns):
        if is_list:
            series.append(pandas.Series(table.column(i), dtype=object))
        elif is_dictionary:
            series.append(_categories(table, i))
        elif format == "u":
            series.append(_strings(table, i, arrow))
        elif format == "z":
            series.append(pandas.Series(table.column(i), dtype=object))
        else:
            series.append(_fixed(table, i, format))
    frame = pandas.concat(series, axis=1) if series else pandas.DataFrame(index=range(len(table)))
    frame.columns = pandas.Index(table.columns)
    return frame


def _arrow_table(table: Table) -> Any:
    try:
        pyarrow = importlib.import_module("pyarrow")
    except ImportError:
        return None
    return pyarrow.table(table)


def _strings(table: Table, i: int, arrow: Any) -> pandas.Series[Any]:
    if arrow is not None:
        return pandas.Series(pandas.StringDtype("pyarrow").__from_arrow__(arrow.column(i)))
    return pandas.Series(pandas.array(table.column(i), dtype=pandas.StringDtype("python")))


def _categories(table: Table, i: int) -> pandas.Series[Any]:
    """The categories in the order in which the table meets them, over all batches."""
    return pandas.Series(pandas.Categorical(table.column(i), categories=_distinct(table.column(i))))


def _distinct(values: list[Any]) -> list[Any]:
    return [value for value in dict.fromkeys(values) if value is not None]


def _bits(data: bytes, count: int) -> numpy.ndarray[Any, Any]:
    return numpy.unpackbits(numpy.frombuffer(data, numpy.uint8), count=count, bitorder="little").astype(bool)


def _fixed(table: Table, i: int, format: str) -> pandas.Series[Any]:
    """A column of numbers, booleans or times, from its buffers."""
    kind = "bool" if format == "b" else "int64" if format in _TIMES else _NUMBERS[format][0]
    values: list[numpy.ndarray[Any, Any]] = [numpy.empty(0, kind)]
    masks: list[numpy.ndarray[Any, Any]] = [numpy.empty(0, bool)]
    for batch in table._batches:
        buffers = batch.buffers(i)
        assert buffers is not None, "a column of this format has buffers of fixed width"
        validity, data = buffers
        rows = len(batch)
        values.append(_bits(data, rows) if format == "b" else numpy.frombuffer(data, kind))
        masks.append(numpy.zeros(rows, bool) if validity is None else ~_bits(validity, rows))
    value, mask = numpy.concatenate(values), numpy.concatenate(masks)
    if format == "b":
        return pandas.Series(pandas.arrays.BooleanArray(value, mask))
    if format in _TIMES:
        times = value.view(_TIMES[format])
        times[mask] = "NaT"
        series = pandas.Series(times)
        return series.dt.tz_localize("UTC") if format == "tsn:UTC" else series
    array = pandas.arrays.FloatingArray if format in "fg" else pandas.arrays.IntegerArray
    return pandas.Series(array(value, mask))
