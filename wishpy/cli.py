"""The `wishpy` command: its parser, how it writes, and how it ends.

Exit status: 0; 1 wrong usage; 2 a bad filter, an unreadable or cut file, after what could be read was printed; 130 on
Ctrl-C. A closed pipe ends it silently. Results go to standard output, messages to standard error.
"""

from __future__ import annotations

import argparse
import contextlib
import errno
import os
import stat
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, NoReturn

from . import __version__
from .cli_settings import add_settings, count, settings_of
from .errors import Error, FileError, FilterError

if TYPE_CHECKING:
    from ._epan import Dissector, Packet, Writer

USAGE, FAILED, INTERRUPTED = 1, 2, 130


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.print_usage(sys.stderr)
        self.exit(USAGE, f"{self.prog}: {message}\n")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status."""
    parser = _make_parser()
    try:
        options = parser.parse_args(arguments)
        if options.no_plugins:
            from ._epan import _choose_plugins

            _choose_plugins(False)
        status: int = options.run(options)
        sys.stdout.flush()
        return status
    except SystemExit as end:  # of argparse: --help, --version or wrong usage
        return end.code if isinstance(end.code, int) else USAGE
    except BrokenPipeError:
        _forget_standard_output()
        return 0
    except KeyboardInterrupt:
        return INTERRUPTED
    except (Error, OSError) as error:
        complain(error)
        return FAILED


def _forget_standard_output() -> None:
    """What is still in Python's buffer has nowhere to go: let it go nowhere, without a message at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _make_parser() -> _Parser:
    parser = _Parser(prog="wishpy", description="Wireshark's dissectors and libpcap's capturing, on the command line.")
    parser.add_argument("--version", action="version", version=f"wishpy {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    _add_dissect(commands)
    for module in ("cli_capture", "cli_table", "cli_registry"):
        _add_parsers_of(module, commands)
    for command in commands.choices.values():
        command.add_argument("--no-plugins", action="store_true", help="load none of Wireshark's plugins")
    return parser


def _add_parsers_of(name: str, commands: Any) -> None:
    """Commands that live in a module of their own."""
    import importlib

    try:
        module = importlib.import_module(f"{__package__}.{name}")
    except ModuleNotFoundError as error:
        if error.name != f"{__package__}.{name}":
            raise
        return
    module.add_parsers(commands)


# ---- dissect: its options

FORMATS = ("text", "wishpy", "tshark", "ek", "fields")

_DISSECT = """\
Dissects a capture file. On a terminal each packet is a summary line; into a file or a pipe it is a line of JSON.
"""


def _add_dissect(commands: Any) -> None:
    parser = commands.add_parser("dissect", help="dissect a capture file", description=_DISSECT)
    add = parser.add_argument
    add("file", nargs="?", metavar="FILE", help='capture file, in any format that Wireshark reads; "-": standard input')
    add("-r", dest="read", metavar="FILE", help="the same, with tshark's letter")
    add("-Y", dest="display_filter", metavar="FILTER", help="only packets that match this display filter")
    add("-2", dest="two_pass", action="store_true", help="two passes, so that fields that point forward are there")
    add("-R", dest="read_filter", metavar="FILTER", help="with -2: the filter of the first pass")
    add("-c", dest="count", metavar="N", type=count, help="stop after N packets")
    add_settings(parser, "-o")
    add("-T", dest="format", choices=FORMATS, help="what is printed for each packet")
    add("--json", dest="format", action="store_const", const="wishpy", help="the same as -T wishpy")
    add("-V", dest="tree", action="store_true", help="with -T text: the whole tree")
    add("-x", dest="raw", action="store_true", help="with the bytes: as a dump, or in JSON under name_raw")
    add("-e", dest="fields", metavar="FIELD", action="append", default=[], help="only this field; may be given again")
    add("-E", dest="settings", metavar="KEY=VALUE", action="append", default=[], help=_SETTINGS_HELP)
    add("-l", dest="flush", action="store_true", help="write each packet at once")
    add("-w", dest="write", metavar="FILE", help='write the packets to a capture file; "-": standard output')
    add("-F", dest="write_format", choices=("pcapng", "pcap"), help="the format of that file: pcapng")
    add("--compress", choices=("gzip", "zstd", "lz4"), help="compress that file, as far as libwiretap can")
    for letter in ("-i", "-f"):  # tshark's, which another command has
        add(letter, dest="capturing", help=argparse.SUPPRESS)
    parser.set_defaults(run=_run_dissect, parser=parser)


_SETTINGS_HELP = (
    "for -T fields: header=y|n, bom=y|n, separator=/t|/s|CHARACTER, occurrence=f|l|a, aggregator=,|/s|CHARACTER, "
    "quote=d|s|n"
)


class _FieldSettings:
    """What -E says, in tshark's words."""

    def __init__(self) -> None:
        self.header = self.bom = False
        self.separator, self.aggregator, self.quote, self.occurrence = b"\t", b",", b"\0", b"a"

    def set(self, text: str) -> bool:
        """Understand one KEY=VALUE; False where it means nothing."""
        name, _, value = text.partition("=")
        if not value:
            return False
        if name in ("header", "bom") and value[0] in "yn":
            setattr(self, name, value[0] == "y")
        elif name == "occurrence" and value[0] in "fla":
            self.occurrence = value[0].encode()
        elif name == "quote" and value[0] in "dsn":
            self.quote = {"d": b'"', "s": b"'", "n": b"\0"}[value[0]]
        elif name in ("separator", "aggregator"):
            character = {"/t": "\t", "/s": " "}.get(value[:2], "\\" if value[0] == "/" else value[0])
            if name == "aggregator" and character == "\t":
                character = "\\"
            if not character.isascii():
                return False
            setattr(self, name, character.encode())
        else:
            return False
        return True


def _check_dissect(options: argparse.Namespace) -> None:
    """What the parser can't see: options that contradict one another, and what follows from others."""
    wrong = options.parser.error
    if options.capturing is not None:
        wrong("-i and -f are about capturing: that is 'wishpy capture INTERFACE -f FILTER'")
    if (options.file is None) == (options.read is None):
        wrong("one FILE is needed")
    options.file = options.read if options.file is None else options.file
    _check_write(options)
    if options.format is None and not _writes_alone(options):
        text = options.tree or sys.stdout.isatty()
        options.format = "fields" if options.fields else "text" if text else "wishpy"
    if options.read_filter is not None and not options.two_pass:
        wrong("-R is the filter of the first of two passes: it needs -2")
    if options.tree and options.format != "text":
        wrong(f"-V does not go with -T {options.format}")
    if options.format == "fields" and not options.fields:
        wrong("-T fields needs fields to print: -e FIELD")
    if options.fields and options.format not in ("fields", "wishpy"):
        wrong(f"-e does not go with -T {options.format}")
    if options.raw and options.format == "fields":
        wrong("-x does not go with -T fields")
    options.field_settings = _FieldSettings()
    for setting in options.settings:
        if options.format != "fields":
            wrong(f"-E does not go with -T {options.format}")
        if not options.field_settings.set(setting):
            wrong(f"-E {setting!r} is not valid. It is {_SETTINGS_HELP}")


def _writes_alone(options: argparse.Namespace) -> bool:
    """Into a capture file, and nothing is printed, as nothing says how."""
    asked = options.format or options.tree or options.raw or options.fields
    return options.write is not None and not asked


def _check_write(options: argparse.Namespace) -> None:
    wrong = options.parser.error
    if options.write is None:
        if options.write_format is not None or options.compress is not None:
            wrong("-F and --compress are about the file that -w writes")
        return
    if options.write == "-" and not _writes_alone(options):
        wrong("-w - writes to standard output, where the packets would be printed, too")
    with contextlib.suppress(OSError):
        read = os.fstat(0) if options.file == "-" else os.stat(options.file)
        written = os.fstat(1) if options.write == "-" else os.stat(options.write)
        if stat.S_ISREG(read.st_mode) and os.path.samestat(read, written):
            wrong("-w names the file that is read: writing would destroy it")


# ---- dissect: its output


class _Output:
    """Standard output: in big pieces, or packet by packet where somebody waits for each."""

    def __init__(self, each: bool) -> None:
        self._file = sys.stdout.buffer
        self.each = each
        self._pieces: list[bytes] = []
        self._size = 0

    def write(self, piece: bytes) -> None:
        self._pieces.append(piece)
        self._size += len(piece)
        if self.each or self._size > 1 << 18:
            self.flush()

    def flush(self) -> None:
        pieces, self._pieces, self._size = self._pieces, [], 0
        self._file.write(b"".join(pieces))
        self._file.flush()


def _is_live(path: str) -> bool:
    """Does the file give packets as they come? Standard input may be a file by another name."""
    try:
        mode = os.fstat(0).st_mode if path == "-" else os.stat(path).st_mode
    except OSError:
        return False
    return not stat.S_ISREG(mode)


def _text_line(options: argparse.Namespace) -> Callable[[Packet], bytes]:
    from .text import hexdump_text, summary, tree_text

    def line(packet: Packet) -> bytes:
        text = (tree_text(packet) if options.tree else summary(packet)) + "\n"
        if options.tree or options.raw:
            text += "\n"
        if options.raw:
            text += hexdump_text(packet) + "\n"
        return text.encode("utf-8", "replace")

    return line


_COLUMN = "_ws.col."


def _fields_line(options: argparse.Namespace) -> Callable[[Packet], bytes]:
    from ._epan import _field_pick

    settings: _FieldSettings = options.field_settings
    names: list[str] = options.fields
    columns: dict[str, int] = {}

    def pick(position: int, name: str) -> bytes:
        if name in names[position + 1 :]:  # tshark prints only the last of them
            return bytes(8)
        if not name.startswith(_COLUMN):
            return _field_pick(name)
        column = columns.get(name)
        return bytes(8) if column is None else b"".join(n.to_bytes(4, sys.byteorder) for n in (3, column))

    def line(packet: Packet) -> bytes:
        if not picks:
            columns.update((_COLUMN + title, n) for n, title in enumerate(packet.columns))
            picks.append(b"".join(pick(position, name) for position, name in enumerate(names)))
        return packet._fields_line(
            picks[0], settings.separator, settings.aggregator, settings.quote, settings.occurrence
        )

    for name in names:  # a mistake is told before the first packet
        if not name.startswith(_COLUMN):
            _field_pick(name)
    picks: list[bytes] = []
    return line


def _fields_heading(options: argparse.Namespace) -> bytes:
    settings: _FieldSettings = options.field_settings
    heading = b"\xef\xbb\xbf" if settings.bom else b""
    if settings.header:
        heading += settings.separator.join(name.encode() for name in options.fields) + b"\n"
    return heading


def _line_maker(options: argparse.Namespace) -> Callable[[Packet], bytes] | None:
    if options.format is None:
        return None
    if options.format == "text":
        return _text_line(options)
    if options.format == "fields":
        return _fields_line(options)
    from operator import methodcaller

    return methodcaller("_json_line", options.format, options.raw)


def _watched(packets: Dissector) -> Iterable[Packet]:
    """The packets, with a progress bar where a person watches standard error and the results go elsewhere."""
    if not sys.stderr.isatty() or sys.stdout.isatty():
        return packets
    try:
        from tqdm import tqdm  # type: ignore[import-untyped, unused-ignore]
    except ImportError:
        return packets
    bar: Iterable[Packet] = tqdm(packets, unit=" packets", file=sys.stderr)
    return bar


# ---- dissect: the run


def _arguments(options: argparse.Namespace) -> dict[str, Any]:
    """The Dissector's keywords."""
    arguments: dict[str, Any] = {
        "display_filter": options.display_filter,
        "read_filter": options.read_filter,
        "two_pass": options.two_pass,
        "count": options.count,
    }
    if options.fields and _are_plain(options):
        arguments["fields"] = options.fields
    arguments.update(settings_of(options))
    return arguments


def _are_plain(options: argparse.Namespace) -> bool:
    """Can the fields be had without the whole tree? The text of protocols and of columns can't."""
    if options.format != "fields":
        return True
    from ._epan import _field_is_plain

    return all(not name.startswith(_COLUMN) and _field_is_plain(name) for name in options.fields)


def _run_dissect(options: argparse.Namespace) -> int:
    from . import Dissector

    _check_dissect(options)
    _log_to_standard_error()
    output = _Output(options.flush or sys.stdout.isatty() or _is_live(options.file))
    file = _CaptureFile(options, output.each)
    try:
        with Dissector(options.file, **_arguments(options)) as packets, file:
            line = _line_maker(options)
            if options.format == "fields":
                output.write(_fields_heading(options))
            for packet in _watched(packets):
                if options.write is not None:
                    file.write(packet)
                if line is not None:
                    output.write(line(packet))
    except KeyboardInterrupt:
        output.flush()
        return INTERRUPTED
    except (Error, ValueError) as error:  # ValueError: of a setting that means nothing to Wireshark
        output.flush()
        if isinstance(error, FileError) and error.errno == errno.EPIPE:
            raise BrokenPipeError from error
        complain(error)
        return FAILED
    output.flush()
    return FAILED if file.refused else 0


class _CaptureFile:
    """The file that -w names; one that is never opened where there is none."""

    def __init__(self, options: argparse.Namespace, each: bool) -> None:
        self._options = options
        self._each = each
        self._writer: Writer | None = None
        self.refused = False

    def __enter__(self) -> None:
        """Only once the capture to be read is open: a mistake there must not cost the file that is there."""
        from . import Writer

        options = self._options
        if options.write is not None:
            self._writer = Writer(options.write, options.write_format or "pcapng", options.compress)

    def write(self, packet: Packet) -> None:
        assert self._writer is not None
        try:
            self._writer.write(packet)
        except ValueError as error:  # this one has no place in the format; the next one may
            self.refused = True
            complain(error)
        if self._each:
            self._writer.flush()

    def __exit__(self, *_: object) -> None:
        if self._writer is not None:
            self._writer.close()


def _log_to_standard_error() -> None:
    import logging

    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format="wishpy: %(message)s")


def complain(error: Exception) -> None:
    print(f"wishpy: {error}", file=sys.stderr)
    if isinstance(error, FilterError) and error.filter and error.position is not None:
        print(f"  {error.filter}", file=sys.stderr)
        print(f"  {' ' * error.position}{'^' * max(1, error.span or 1)}", file=sys.stderr)
