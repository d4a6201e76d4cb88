"""tshark as the oracle: what it prints for a capture, as ordered pairs (JSON) and as node lines (PDML).

Two jobs. `json_frames`, `grouped_frames`, `pdml_frames`, `fields_frames`, `column_frames` and `lines` run the tshark of
this machine on one capture and yield what it says, a frame at a time, so a capture of any size needs little memory.
`expected_pairs`, `expected_grouped` and `expected_pdml` write the tree of a wishpy Packet in the same shapes, by the
rules of Wireshark's epan/print.c (write_json_proto_node_list, proto_tree_write_node_pdml); equality of the two is
equality node by node. Nothing here knows what a right answer is: that is tshark's part.

The user's own Wireshark settings are kept out: HOME, XDG_CONFIG_HOME and WIRESHARK_CONFIG_DIR are an empty folder.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import json
import os
import re
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime, timedelta, timezone
from typing import Any

from wishpy import _epan

TSHARK = shutil.which("tshark")

# Of the libwireshark that is loaded, and of the tshark to compare with: each release has other fields and formats.
WIRESHARK: tuple[int, ...] = tuple(map(int, _epan._library_versions()["libwireshark"].split(".")[:2]))

# tshark's status for a file that cannot be read to its end, and for one that cannot be opened at all.
CUT_SHORT, NOT_OPENED = 2, 3 if WIRESHARK >= (4, 4) else 2

Pairs = tuple[tuple[str, Any], ...]


@functools.cache
def _folder() -> str:
    """A folder of this process's own, gone at its end."""
    folder = tempfile.mkdtemp(prefix="wishpy-oracle-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def environment(**more: str) -> dict[str, str]:
    """The environment for tshark: no configuration of the user's, UTC, and no colours."""
    home = os.path.join(_folder(), "home")
    os.makedirs(home, exist_ok=True)
    # A sanitizer that is loaded into this Python has no business in tshark.
    unwanted = ("WIRESHARK_", "LD_PRELOAD", "ASAN_", "UBSAN_")
    env = {key: value for key, value in os.environ.items() if not key.startswith(unwanted)}
    env.update(HOME=home, XDG_CONFIG_HOME=home, WIRESHARK_CONFIG_DIR=home, TZ="UTC")
    env.update(more)
    return env


class Run:
    """One tshark process and its output, cut into frames by `cut`. `status` and `messages` are there at the end."""

    def __init__(
        self,
        path: str | os.PathLike[str],
        options: Sequence[str],
        cut: Callable[[Run], Iterator[Any]],
        env: dict[str, str] | None = None,
    ) -> None:
        assert TSHARK is not None, "no tshark on this machine"
        # Absolute: a name such as "-x" or "-" must not be taken for an option or for standard input.
        self.command = [TSHARK, "-r", os.path.abspath(path), *options]
        self._errors = tempfile.TemporaryFile()
        self.process = subprocess.Popen(
            self.command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            env=environment() if env is None else env,
        )
        self.status: int | None = None
        self.messages = ""
        self._frames = cut(self)

    def __iter__(self) -> Iterator[Any]:
        return self._frames

    def __next__(self) -> Any:
        return next(self._frames)

    def chunks(self) -> Iterator[bytes]:
        assert self.process.stdout is not None
        while chunk := self.process.stdout.read(1 << 20):
            yield chunk
        self.close()

    def pieces(self, separator: bytes) -> Iterator[bytes]:
        """The output cut at each separator; the last piece is what follows the last one."""
        rest = b""
        for chunk in self.chunks():
            *whole, rest = (rest + chunk).split(separator)
            yield from whole
        yield rest

    def close(self) -> None:
        """End tshark, if it has not ended, and release what it took."""
        if self.status is not None:
            return
        assert self.process.stdout is not None
        if self.process.stdout.peek(1):  # type: ignore[attr-defined]
            self.process.kill()
        self.process.stdout.close()
        self.status = self.process.wait()
        self._errors.seek(0)
        self.messages = self._errors.read().decode("utf-8", "replace")
        self._errors.close()


# --- JSON -----------------------------------------------------------------------------------------------------

_as_pairs = json.JSONDecoder(object_pairs_hook=tuple)


def _layers(text: bytes, decoder: json.JSONDecoder) -> Any:
    # tshark writes the bytes of a string as they are; those that are no UTF-8 are U+FFFD, here and in wishpy.
    frame = decoder.decode(text.decode("utf-8", "replace"))
    return dict(dict(frame)["_source"])["layers"]


def _json_pieces(run: Run) -> Iterator[bytes]:
    """One frame's object a piece. A line break inside a string is written \\n, so these line ends are structure."""
    for piece in run.pieces(b"\n  },\n"):
        piece = piece.removeprefix(b"[\n").removesuffix(b"]\n").rstrip(b"\n")
        if piece.strip() in (b"", b"["):
            continue
        yield piece if piece.endswith(b"\n  }") else piece + b"\n  }"


def _cut_pairs(run: Run) -> Iterator[Pairs]:
    for piece in _json_pieces(run):
        yield _layers(piece, _as_pairs)


def _json(path: str | os.PathLike[str], options: Sequence[str], env: dict[str, str] | None) -> Run:
    return Run(path, ["-T", "json", *options], _cut_pairs, env)


def json_frames(path: str | os.PathLike[str], *options: str, env: dict[str, str] | None = None) -> Run:
    """`tshark -T json`: for each frame its layers as ordered pairs, a repeated key kept each time."""
    return _json(path, options, env)


# A dissector that reads what nobody wrote finds there what the last user of the memory left, often a pointer, which is
# another one in each run: EAP of 4.0 looks for digits behind "mnc" in a part of an identity that is just "m" (frame 359
# of nDPI's fuzz 11740; valgrind sees it in libwireshark alone). None of 760 plain runs of tshark showed that.
# So its heap is filled with a digit, a letter and a blank before use: what is read of it is seen at once.
FILLS = ("1", "A", " ")


def unsteady_frames(path: str | os.PathLike[str], frames: set[int]) -> set[int]:
    """Those of these frames of which tshark itself says something else from one run, or from one heap, to another."""
    answers: dict[int, set[Any]] = {number: set() for number in frames}
    for env in (environment(), environment(), *map(dirty, FILLS)):
        with contextlib.suppress(json.JSONDecodeError):  # it died of what it read; what it said before counts
            for number, pairs in enumerate(json_frames(path, "-c", str(max(frames)), env=env), 1):
                if number in frames:
                    answers[number].add(pairs)
    return {number for number, said in answers.items() if len(said) > 1}


def dirty(fill: str) -> dict[str, str]:
    """The environment in which malloc() gives memory that is full of this character."""
    return environment(LD_PRELOAD=_dirty_malloc(), DIRTY_MALLOC=fill)


@functools.cache
def _dirty_malloc() -> str:
    """dirty_malloc.c, compiled."""
    library = os.path.join(_folder(), "dirty_malloc.so")
    compiler = shlex.split(os.environ.get("CC") or "cc")
    source = os.path.join(os.path.dirname(__file__), "dirty_malloc.c")
    subprocess.run([*compiler, "-O", "-shared", "-fPIC", "-o", library, source], check=True, env=environment())
    return library


def grouped_frames(path: str | os.PathLike[str], *options: str, env: dict[str, str] | None = None) -> Run:
    """`tshark -T json --no-duplicate-keys`: pairs again, a repeated name a list."""
    return _json(path, ["--no-duplicate-keys", *options], env)


def fields_frames(path: str | os.PathLike[str], names: Sequence[str], *options: str) -> Run:
    """`tshark -T json -e NAME...`: for each frame a dict of name to the list of its values."""

    def cut(run: Run) -> Iterator[dict[str, list[str]]]:
        for piece in _json_pieces(run):
            yield dict(_layers(piece, _as_pairs))

    wanted = [word for name in names for word in ("-e", name)]
    return Run(path, ["-T", "json", *wanted, *options], cut)


def column_frames(path: str | os.PathLike[str]) -> Run:
    """For each frame the columns of the packet list, title (as -T ek writes it: `no_`) to text.

    -V has the whole tree made, as wishpy does: without one some dissectors of 4.4 write less into the Info column, such
    as no "[Malformed Packet]" where it is the tree's fields that are out of bounds. -j keeps the tree itself out.
    """

    def cut(run: Run) -> Iterator[dict[str, Any]]:
        for piece in run.pieces(b"\n"):
            if piece.startswith(b'{"timestamp"'):
                yield json.loads(piece.decode("utf-8", "replace"))

    return Run(path, ["-T", "ek", "-P", "-V", "-j", "_ws.short"], cut)


def lines(path: str | os.PathLike[str], *options: str, env: dict[str, str] | None = None) -> list[str]:
    """tshark's lines of text, for example the summary or `-T fields`. Its exit status must be 0."""

    def cut(run: Run) -> Iterator[str]:
        yield b"".join(run.chunks()).decode("utf-8", "replace")

    run = Run(path, options, cut, env)
    text = next(run)
    next(run, None)
    assert run.status == 0, run.messages
    return text.splitlines()


# --- PDML -----------------------------------------------------------------------------------------------------

# The opening tag of one node, with the attributes in the order in which print.c writes them. "<" inside a value is
# escaped, so a tag is structure wherever it is found, although values may hold line breaks.
_TAG = re.compile(
    r'^( *)<(proto|field) name="([^"]*)"(?: showname="([^"]*)")?( hide="yes")?(?: show="([^"]*)")?'
    r'(?: size="(-?\d+)" pos="(-?\d+)")?(?: show="([^"]*)")?'
    r'(?: value="([^"]*)")?(?: unmaskedvalue="([^"]*)")?/?>',
    re.MULTILINE,
)
_TAG_START = re.compile(r"^ *<(?:proto|field) ", re.MULTILINE)
_GENINFO = re.compile(r'  <proto name="geninfo".*?\n  </proto>\n', re.DOTALL)
_GENINFO_FIELD = re.compile(r'<field name="(\w+)" pos="0" show="([^"]*)" showname="[^"]*" value="([^"]*)"')

PdmlNode = tuple[str, ...]  # indent, proto or field, name, showname, hide, text, size, pos, show, value, unmasked


class PdmlFrame:
    """One <packet>: the general information and every node's opening tag, in order."""

    __slots__ = ("number", "length", "captured_length", "time_ns", "nodes")

    def __init__(self, text: str) -> None:
        general = _GENINFO.search(text)
        assert general is not None, text[:300]
        facts = {name: (show, value) for name, show, value in _GENINFO_FIELD.findall(general[0])}
        self.number = int(facts["num"][0])
        self.length = int(facts["len"][0])
        self.captured_length = int(facts["caplen"][0])
        seconds, fraction = facts["timestamp"][1].split(".")
        # print_pdml_geninfo writes the seconds as a C int
        self.time_ns = int(seconds) * 10**9 + int(fraction)
        body = text[general.end() :]
        self.nodes: list[PdmlNode] = _TAG.findall(body)
        # A tag that the pattern does not know would be a node that no test sees.
        assert len(self.nodes) == len(_TAG_START.findall(body)), "a PDML tag of unknown form"


def pdml_frames(path: str | os.PathLike[str], *options: str, env: dict[str, str] | None = None) -> Run:
    """`tshark -T pdml`: a PdmlFrame each."""

    def cut(run: Run) -> Iterator[PdmlFrame]:
        for piece in run.pieces(b"</packet>\n\n"):
            start = piece.find(b"<packet>\n")
            if start >= 0:
                yield PdmlFrame(piece[start:].decode("utf-8", "replace"))

    return Run(path, ["-T", "pdml", *options], cut, env)


_SPECIAL = re.compile("[&<>\"'\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_ESCAPES = {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#x27;"}


def _escape_one(match: re.Match[str]) -> str:
    return _ESCAPES.get(match[0]) or f"\\x{ord(match[0]):x}"


def escape(text: str) -> str:
    """As print_escaped_xml does it."""
    return _SPECIAL.sub(_escape_one, text)


# --- what a Packet should have made tshark print --------------------------------------------------------------


class Node:
    """A Field and all below it, asked once for everything: several comparisons read it, and tests may change it."""

    __slots__ = ("children", "display", "hidden", "length", "name", "offset", "raw", "text", "type", "value")

    def __init__(self, field: Any) -> None:
        self.name, self.type, self.display, self.text = field.name, field.type, field.display, field.text
        self.value, self.raw, self.hidden = field.value, field.raw, field.hidden
        self.offset, self.length = field.offset, field.length
        self.children = [Node(child) for child in field.children]


def key_of(field: Any) -> str:
    """proto_node_to_json_key: a text-only node, whose name is empty here, goes by its text."""
    return field.name or field.text


def expected_pairs(fields: Iterable[Any]) -> Pairs:
    """write_json_proto_node_list with each node a group of its own: what `-T json` prints for these nodes."""
    pairs: list[tuple[str, Any]] = []
    for field in fields:
        key, display, children = key_of(field), field.display, field.children
        if display is not None:
            pairs.append((key, display))
            if children:
                pairs.append((key + "_tree", expected_pairs(children)))
        elif children:
            pairs.append((key, expected_pairs(children)))
        else:
            pairs.append((key, field.text if field.type == "FT_PROTOCOL" else ""))
    return tuple(pairs)


def _groups(fields: Iterable[Any]) -> dict[str, list[Any]]:
    groups: dict[str, list[Any]] = {}
    for field in fields:
        groups.setdefault(key_of(field), []).append(field)
    return groups


def _one_or_list(values: list[Any]) -> Any:
    return values[0] if len(values) == 1 else values


def expected_grouped(
    fields: Iterable[Any],
    value_of: Callable[[Any], Any] = lambda field: field.display,
    empty_of: Callable[[Any], Any] = lambda field: field.text if field.type == "FT_PROTOCOL" else "",
    made: Callable[[list[tuple[str, Any]]], Any] = tuple,
) -> Any:
    """write_json_proto_node_list with the nodes of one key as a group: `--no-duplicate-keys`.

    With other functions for the value, for a node without value and children, and for the object, it is the
    shape of Packet.to_dict().
    """
    pairs: list[tuple[str, Any]] = []
    for key, group in _groups(fields).items():
        if len(group) == 1 and not group[0].children:  # most nodes
            field = group[0]
            pairs.append((key, empty_of(field) if field.display is None else value_of(field)))
            continue
        has_value = group[0].display is not None
        has_children = any(field.children for field in group)
        if has_value:
            pairs.append((key, _one_or_list([value_of(field) for field in group])))
        if has_children:
            inner = [
                expected_grouped(field.children, value_of, empty_of, made) if field.children else empty_of(field)
                for field in group
            ]
            pairs.append((key + "_tree" if has_value else key, _one_or_list(inner)))
        if not has_value and not has_children:
            pairs.append((key, _one_or_list([empty_of(field) for field in group])))
    return made(pairs)


def expected_dict(fields: Iterable[Any]) -> dict[str, Any]:
    """What Packet.to_dict() should give for these layers."""
    result: dict[str, Any] = expected_grouped(fields, lambda field: field.value, lambda field: None, dict)
    return result


def _pdml_show(field: Any) -> str:
    """From 4.2 PDML has words for booleans; JSON, and so `display`, keeps the numbers."""
    if field.type == "FT_BOOLEAN" and WIRESHARK >= (4, 2):
        return {"1": "True", "0": "False"}.get(field.display, f"no boolean: {field.display!r}")
    return field.display or ""


def _pdml_node(field: Any, parent: Any, indent: int) -> PdmlNode:
    """The attributes of one node but its bytes, as proto_tree_write_node_pdml writes them."""
    margin = "  " * indent
    start = field.offset
    if parent is not None and start < parent.offset:
        start += parent.offset  # PDML's own idea of a position before the parent's
    if field.name == "":
        return (margin, "field", "", "", "", escape(field.text), str(field.length), str(start), "")
    if field.name == "data" and field.type == "FT_PROTOCOL":
        return (margin, "field", "data", "", "", "", "", "", "")
    return (
        margin,
        # expert information is a protocol that PDML shows as a field
        "proto" if field.type == "FT_PROTOCOL" and field.name != "_ws.expert" else "field",
        field.name,
        escape(field.text),
        ' hide="yes"' if field.hidden else "",
        "",
        str(field.length),
        str(start),
        escape(_pdml_show(field)),
    )


def expected_pdml(fields: Iterable[Any]) -> list[tuple[PdmlNode, Any]]:
    """Each node line of `-T pdml`, with the Field it comes from (None for PDML's wrapper around a bare field)."""
    result: list[tuple[PdmlNode, Any]] = []

    def visit(field: Any, parent: Any, level: int) -> None:
        if level == 0 and (field.type != "FT_PROTOCOL" or field.name == "data"):
            result.append((("  ", "proto", "fake-field-wrapper", "", "", "", "", "", ""), None))
            level = 1
        result.append((_pdml_node(field, parent, level + 1), field))
        for child in field.children:
            visit(child, field, level + 1)

    for field in fields:
        visit(field, None, 0)
    return result


# --- does a native value say what tshark printed? -------------------------------------------------------------

# A damaged capture can hold 1.9 seconds' worth of nanoseconds, and tshark prints them so.
_MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()
_DATE = re.compile(r"(\w{3}) +(\d+), (\d+) (\d\d):(\d\d):(\d\d)(?:\.(-?\d+))? (.*)")
_DAY_OF_YEAR = re.compile(r"(\d{4})/(\d{3}):(\d\d):(\d\d):(\d\d)(?:\.(-?\d+))? UTC")
# From 4.2 on a field of seconds since 1970 is a time as well.
_UNIX = re.compile(r"(-?)(\d+)\.(\d{9}|\(\d{10} n[a-z]*\)?)")
# So 4.2 and later write what is more than a second; Wireshark's buffer ends where it will.
_NANOSECONDS = re.compile(r"\((\d{10}) n[a-z]*\)?")
_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_CHARACTERS = {"0": 0, "a": 7, "b": 8, "t": 9, "n": 10, "v": 11, "f": 12, "r": 13, "\\": 92, "'": 39}
_HEX_MASK = {3: 0xFF, 4: 0xFF, 6: 0xFFFF, 8: 0xFFFFFF, 10: 0xFFFFFFFF, 18: 0xFFFFFFFFFFFFFFFF}


def _agree_integer(value: Any, display: str) -> bool:
    if type(value) is not int:
        return False
    if display.startswith("0x"):
        # uinteger_to_repr shows as many digits as the type is wide, whatever the dissector put there
        return value & _HEX_MASK[len(display)] == int(display, 16)
    return value == int(display)


def _agree_character(value: Any, display: str) -> bool:
    inner = display[1:-1]
    if len(inner) == 1:
        return type(value) is int and value == ord(inner)
    rest = inner[1:]
    if rest in _CHARACTERS:
        number = _CHARACTERS[rest]
    else:
        number = int(rest[1:], 16) if rest.startswith("x") else int(rest, 8)
    return type(value) is int and value & 0x1FF == number


def _agree_float(digits: int) -> Callable[[Any, str], bool]:
    def agree(value: Any, display: str) -> bool:
        if type(value) is not float:
            return False
        if value != value:
            return display in ("nan", "-nan")
        return f"{value:.{digits}g}" == display

    return agree


def _agree_medical(value: Any, display: str) -> bool:
    """IEEE 11073 floats have names for what is no number."""
    if type(value) is not float:
        return False
    if display in ("NaN", "NRes", "RFU"):
        return value != value
    if "INF" in display:
        return value == float(display.lower().replace("infinity", "inf"))
    return abs(value - float(display)) <= 1e-9 * max(1.0, abs(value))


def _agree_duration(value: Any, display: str) -> bool:
    if type(value) is not float:
        return False
    whole, _, fraction = display.partition(".")
    fraction = _NANOSECONDS.sub(r"\1", fraction)
    if len(fraction) > 9:
        # More than a second of nanoseconds, from a damaged time stamp: display_signed_time writes the two numbers side
        # by side, the second without its sign, so that either sum may be meant.
        meant = [int(whole) + int(fraction) * sign / 1e9 for sign in (1, -1)]
    else:
        meant = [float(display)]
    # A float of seconds keeps 15 to 16 digits.
    return any(abs(value - one) <= 1e-9 + 4e-16 * abs(value) for one in meant)


def _agree_time(value: Any, display: str) -> bool:
    if display in ("NULL", "Not representable"):
        return value is None or isinstance(value, datetime)
    if match := _UNIX.fullmatch(display):
        return _agree_epoch(value, *match.groups())
    if not isinstance(value, datetime) or value.utcoffset() != timedelta(0):
        return value is None and _out_of_range(display)
    if match := _DATE.fullmatch(display):
        month, day, year, hour, minute, second, fraction, _zone = match.groups()
        then = datetime(int(year), _MONTHS.index(month) + 1, int(day), int(hour), int(minute), tzinfo=timezone.utc)
    elif match := _DAY_OF_YEAR.fullmatch(display):
        year, days, hour, minute, second, fraction = match.groups()
        then = datetime(int(year), 1, 1, int(hour), int(minute), tzinfo=timezone.utc) + timedelta(int(days) - 1)
    else:
        return False
    then += timedelta(seconds=int(second), microseconds=int(fraction or 0) // 1000)
    return value == then


def _agree_epoch(value: Any, sign: str, seconds: str, fraction: str) -> bool:
    nanoseconds = int(seconds) * 10**9 + int(_NANOSECONDS.sub(r"\1", fraction))
    microseconds = (-nanoseconds if sign else nanoseconds) // 1000
    try:
        then = _EPOCH + timedelta(microseconds=microseconds)
    except OverflowError:  # a year that Python's datetime does not have
        return value is None
    return type(value) is datetime and value.utcoffset() == timedelta(0) and value == then


def _out_of_range(display: str) -> bool:
    """A year that Python's datetime does not have."""
    match = _DATE.fullmatch(display)
    return match is not None and not 1 <= int(match[3]) <= 9999


def _agree_string(value: Any, display: str) -> bool:
    return type(value) is str and (value == display or value.replace("\0", "\\0") == display)


def _agree_address(value: Any, display: str) -> bool:
    return type(value) is str and value == display


def _agree_bytes(value: Any, display: str) -> bool:
    if type(value) is not bytes:
        return False
    return value == bytes.fromhex(display.translate({ord(separator): None for separator in ":.-"}))


def _agree_truth(value: Any, display: str) -> bool:
    return value is (display == "1")


_INTEGERS = [f"FT_{sign}INT{width}" for sign in ("", "U") for width in (8, 16, 24, 32, 40, 48, 56, 64)]
_STRINGS = ["FT_STRING", "FT_STRINGZ", "FT_UINT_STRING", "FT_STRINGZPAD", "FT_STRINGZTRUNC"]
_ADDRESSES = [
    "ETHER",
    "IPv4",
    "IPv6",
    "IPXNET",
    "GUID",
    "OID",
    "EUI64",
    "VINES",
    "REL_OID",
    "SYSTEM_ID",
    "FCWWN",
]

AGREE: dict[str, Callable[[Any, str], bool]] = {
    **dict.fromkeys([*_INTEGERS, "FT_FRAMENUM"], _agree_integer),
    **dict.fromkeys(_STRINGS, _agree_string),
    **dict.fromkeys(["FT_" + name for name in _ADDRESSES], _agree_address),
    # From 4.4 on a string of whatever bytes there are.
    "FT_AX25": _agree_string if WIRESHARK >= (4, 4) else _agree_address,
    "FT_CHAR": _agree_character,
    "FT_BOOLEAN": _agree_truth,
    "FT_FLOAT": _agree_float(6),
    "FT_DOUBLE": _agree_float(15),
    "FT_IEEE_11073_SFLOAT": _agree_medical,
    "FT_IEEE_11073_FLOAT": _agree_medical,
    "FT_RELATIVE_TIME": _agree_duration,
    "FT_ABSOLUTE_TIME": _agree_time,
    "FT_BYTES": _agree_bytes,
    "FT_UINT_BYTES": _agree_bytes,
}


def agrees(field: Any) -> bool:
    """Is the native value of this Field what its display says, and of the Python type that api.md gives its type?"""
    if field.type in ("FT_PROTOCOL", "FT_NONE"):
        return field.display is None and isinstance(field.value, dict) == bool(field.children)
    return AGREE[field.type](field.value, field.display)


# --- a whole frame --------------------------------------------------------------------------------------------


def first_difference(expected: Any, got: Any, path: str = "") -> str:
    """Where two nested tuples, lists or dicts of pairs part, in one line."""
    if isinstance(expected, dict) and isinstance(got, dict):
        expected, got = tuple(expected.items()), tuple(got.items())
    if isinstance(expected, (tuple, list)) and isinstance(got, (tuple, list)):
        for number, (one, other) in enumerate(zip(expected, got)):
            if one != other:
                name = one[0] if isinstance(one, tuple) and one and isinstance(one[0], str) else str(number)
                return first_difference(one, other, f"{path}/{name}" if not path.endswith(f"/{name}") else path)
        if len(expected) != len(got):
            longer = expected if len(expected) > len(got) else got
            extra = longer[min(len(expected), len(got))]
            return f"{path}: {len(expected)} expected, {len(got)} got; the next is {extra!r:.200}"
    return f"{path}: expected {expected!r:.300}, got {got!r:.300}"


def _compare_pdml(layers: Sequence[Any], frame: PdmlFrame) -> list[str]:
    expected = expected_pdml(layers)
    if [node for node, _ in expected] != [node[:9] for node in frame.nodes]:
        for (mine, _), theirs in zip(expected, frame.nodes):
            if mine != theirs[:9]:
                return [f"pdml: tshark has {theirs[:9]!r:.400}, wishpy {mine!r:.400}"]
        return [f"pdml: tshark has {len(frame.nodes)} nodes, wishpy {len(expected)}"]
    found = []
    for (_, field), node in zip(expected, frame.nodes):
        if field is None:
            continue
        if not agrees(field):
            found.append(
                f"value: {field.name} {field.type}: value {field.value!r:.200}, display {field.display!r:.200}"
            )
        # A field of no length has no bytes in PDML; "unmaskedvalue" is there for fields with a bit mask.
        printed = node[10] or node[9]
        if printed and printed != "field length invalid!" and (field.raw or b"").hex() != printed:
            found.append(f"raw: {field.name}: tshark has {printed:.80}, wishpy {field.raw!r:.80}")
    return found


def differences(
    layers: Sequence[Any], as_dict: dict[str, Any] | None, pairs: Pairs, grouped: Pairs | None, pdml: PdmlFrame
) -> list[str]:
    """All that tshark says of one frame against the tree of a Packet; an empty list is equality."""
    found = []
    if (mine := expected_pairs(layers)) != pairs:
        found.append("json: " + first_difference(pairs, mine))
    found += _compare_pdml(layers, pdml)
    if grouped is not None and (shape := expected_grouped(layers)) != grouped:
        found.append("no-duplicate-keys: " + first_difference(grouped, shape))
    if as_dict is not None and not same(whole := expected_dict(layers), as_dict):
        found.append("to_dict: " + first_difference(whole, as_dict))
    return found


def same(one: Any, other: Any) -> bool:
    """Equality in which NaN equals NaN, the order of keys counts, and True is not 1."""
    return repr(one) == repr(other)
