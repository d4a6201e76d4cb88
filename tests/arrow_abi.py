"""A strict reader of Arrow's C data and stream interface: checks every rule that can be checked, and gives the values.

Written from https://arrow.apache.org/docs/format/CDataInterface.html and CStreamInterface.html with ctypes alone, so
that no library's forgiveness hides a fault of ours.
"""

from __future__ import annotations

import ctypes
import struct
from collections.abc import Iterator
from ctypes import CFUNCTYPE, POINTER, Structure, c_char_p, c_int, c_int64, c_void_p
from itertools import pairwise
from typing import Any

NULLABLE = 2


class Schema(Structure):
    pass


class Array(Structure):
    pass


class Stream(Structure):
    pass


SchemaRelease = CFUNCTYPE(None, POINTER(Schema))
ArrayRelease = CFUNCTYPE(None, POINTER(Array))
StreamRelease = CFUNCTYPE(None, POINTER(Stream))

Schema._fields_ = [
    ("format", c_char_p),
    ("name", c_char_p),
    ("metadata", c_void_p),
    ("flags", c_int64),
    ("n_children", c_int64),
    ("children", POINTER(POINTER(Schema))),
    ("dictionary", POINTER(Schema)),
    ("release", SchemaRelease),
    ("private_data", c_void_p),
]
Array._fields_ = [
    ("length", c_int64),
    ("null_count", c_int64),
    ("offset", c_int64),
    ("n_buffers", c_int64),
    ("n_children", c_int64),
    ("buffers", POINTER(c_void_p)),
    ("children", POINTER(POINTER(Array))),
    ("dictionary", POINTER(Array)),
    ("release", ArrayRelease),
    ("private_data", c_void_p),
]
Stream._fields_ = [
    ("get_schema", CFUNCTYPE(c_int, POINTER(Stream), POINTER(Schema))),
    ("get_next", CFUNCTYPE(c_int, POINTER(Stream), POINTER(Array))),
    ("get_last_error", CFUNCTYPE(c_char_p, POINTER(Stream))),
    ("release", StreamRelease),
    ("private_data", c_void_p),
]

_NUMBERS = {"C": "B", "S": "H", "I": "I", "L": "Q", "c": "b", "s": "h", "i": "i", "l": "q", "f": "f", "g": "d"}
_TIMES = [f"ts{unit}:UTC" for unit in "smun"] + [f"tD{unit}" for unit in "smun"]
_INDICES = "cCsSiIlL"


def pointer_of(capsule: Any, name: bytes) -> int:
    get = ctypes.pythonapi.PyCapsule_GetPointer
    get.restype, get.argtypes = c_void_p, [ctypes.py_object, c_char_p]
    return int(get(capsule, name))


def moved(structure: Any) -> Any:
    """Move a struct as a consumer does: a copy of its bytes, and the source marked as released."""
    copy = type(structure)()
    ctypes.memmove(ctypes.byref(copy), ctypes.byref(structure), ctypes.sizeof(copy))
    structure.release = type(structure.release)()
    return copy


def schema_of(capsule: Any) -> Schema:
    return moved(Schema.from_address(pointer_of(capsule, b"arrow_schema")))  # type: ignore[no-any-return]


def array_of(capsule: Any) -> Array:
    return moved(Array.from_address(pointer_of(capsule, b"arrow_array")))  # type: ignore[no-any-return]


def stream_of(capsule: Any) -> Stream:
    return moved(Stream.from_address(pointer_of(capsule, b"arrow_array_stream")))  # type: ignore[no-any-return]


def metadata_of(schema: Schema) -> dict[str, str]:
    if not schema.metadata:
        return {}
    at = schema.metadata

    def number() -> int:
        nonlocal at
        value = c_int64(ctypes.c_int32.from_address(at).value).value
        at += 4
        assert 0 <= value < 1 << 20
        return value

    def text() -> str:
        nonlocal at
        size = number()
        value = ctypes.string_at(at, size)
        at += size
        return value.decode()

    return {text(): text() for _ in range(number())}


def check_schema(schema: Schema, depth: int = 0) -> None:
    assert schema.release, "a live schema has a release callback"
    assert schema.format is not None
    schema.format.decode("ascii")
    (schema.name or b"").decode("utf-8")
    assert schema.flags & ~7 == 0
    metadata_of(schema)
    format = schema.format.decode()
    children = {"+s": None, "+l": 1}.get(format, 0)
    assert children is None or schema.n_children == children
    assert schema.n_children == 0 or schema.children
    for i in range(schema.n_children):
        assert schema.children[i], "no child is NULL"
        check_schema(schema.children[i].contents, depth + 1)
    if schema.dictionary:
        assert format in _INDICES, "an encoded column's own format is that of its indices"
        assert schema.dictionary.contents.format == b"u"
        check_schema(schema.dictionary.contents, depth + 1)
    assert format in ("b", "u", "z", "+s", "+l", *_NUMBERS, *_TIMES)


def _bits(address: int, count: int) -> list[bool]:
    data = ctypes.string_at(address, (count + 7) // 8)
    if count % 8:
        assert data[-1] >> count % 8 == 0, "bits behind the last are zero here"
    return [bool(data[i >> 3] >> (i & 7) & 1) for i in range(count)]


def _offsets(address: int, length: int) -> tuple[int, ...]:
    offsets = struct.unpack(f"={length + 1}i", ctypes.string_at(address, 4 * (length + 1)))
    assert offsets[0] == 0 and all(a <= b for a, b in pairwise(offsets)), "offsets never go back"
    return offsets


def values_of(schema: Schema, array: Array) -> list[Any]:
    """Check an array by its schema, and everything below it. Times are integers; a struct's rows are tuples."""
    assert array.release, "a live array has a release callback"
    assert array.length >= 0 and array.offset == 0 and 0 <= array.null_count <= array.length
    format = schema.format.decode()
    assert array.n_children == schema.n_children
    assert bool(array.dictionary) == bool(schema.dictionary)
    expected = {"+s": 1, "+l": 2, "u": 3, "z": 3}.get(format, 2)
    assert array.n_buffers == expected, f"{array.n_buffers} buffers for {format}"
    for i in range(1, expected):
        assert array.buffers[i] and array.buffers[i] % 8 == 0, "a buffer is there, and aligned"
    valid = [True] * array.length
    if array.buffers[0]:
        valid = _bits(array.buffers[0], array.length)
    assert valid.count(False) == array.null_count, "the null count is what the bitmap says"
    assert array.null_count == 0 or schema.flags & NULLABLE
    values = _all_values(schema, array, format)
    assert len(values) == array.length
    return [value if good else None for value, good in zip(values, valid)]


def _all_values(schema: Schema, array: Array, format: str) -> list[Any]:
    length = array.length
    if format == "+s":
        columns = [
            values_of(schema.children[i].contents, array.children[i].contents) for i in range(schema.n_children)
        ]
        assert all(len(column) == length for column in columns)
        return list(zip(*columns)) if columns else [()] * length
    if format == "+l":
        offsets = _offsets(array.buffers[1], length)
        items = values_of(schema.children[0].contents, array.children[0].contents)
        assert offsets[-1] == len(items)
        return [items[a:b] for a, b in pairwise(offsets)]
    if format in ("u", "z"):
        offsets = _offsets(array.buffers[1], length)
        data = ctypes.string_at(array.buffers[2], offsets[-1])
        pieces = [data[a:b] for a, b in pairwise(offsets)]
        return [piece.decode("utf-8") for piece in pieces] if format == "u" else pieces
    if format == "b":
        return list(_bits(array.buffers[1], length))
    letter = _NUMBERS.get(format, "q")
    data = ctypes.string_at(array.buffers[1], length * struct.calcsize("=" + letter))
    numbers = list(struct.unpack(f"={length}{letter}", data))
    if schema.dictionary:
        texts = values_of(schema.dictionary.contents, array.dictionary.contents)
        assert None not in texts and len(set(texts)) == len(texts), "each text is once in the dictionary"
        assert all(0 <= number < len(texts) or not texts for number in numbers)
        return [texts[number] if texts else None for number in numbers]
    return numbers


def release(structure: Any) -> None:
    structure.release(ctypes.byref(structure))
    assert not structure.release, "release marks the struct as released"


def batches_of(stream: Stream) -> Iterator[list[Any]]:
    """The rows of each batch, checked; each batch is released when the next one is asked for."""
    schema, array = Schema(), Array()
    assert stream.get_schema(ctypes.byref(stream), ctypes.byref(schema)) == 0
    check_schema(schema)
    while True:
        code = stream.get_next(ctypes.byref(stream), ctypes.byref(array))
        if code != 0:
            message = stream.get_last_error(ctypes.byref(stream))
            release(schema)
            raise OSError(code, (message or b"").decode())
        if not array.release:
            break
        yield values_of(schema, array)
        release(array)
    release(schema)
