"""`wishpy table`: fields of a capture as Parquet, Arrow or CSV. wishpy/cli.py calls add_parsers()."""

from __future__ import annotations

import argparse
import os
import sys
from typing import TYPE_CHECKING, Any

from .cli import FAILED, complain
from .cli_settings import add_settings, count, settings_of

if TYPE_CHECKING:
    from .tables import Scan

_ABOUT = """\
Writes fields of capture files as a table of typed columns: Parquet, Arrow (both need pyarrow) or CSV, as the name of
the output says. Without -o it is CSV on standard output.
"""

_OCCURRENCES = {"f": "first", "l": "last", "a": "all", "first": "first", "last": "last", "all": "all"}
_FORMATS = (".parquet", ".arrow", ".feather", ".csv")


def add_parsers(subparsers: Any) -> None:
    """Add the command; it sets `run`, a function of the parsed arguments that returns the exit status."""
    parser = subparsers.add_parser("table", help="fields of a capture as a table", description=_ABOUT)
    add = parser.add_argument
    add("files", nargs="*", metavar="FILE", help="capture files, read one after the other")
    add("-r", dest="read", metavar="FILE", action="append", default=[], help="the same, with tshark's letter")
    add("-e", dest="fields", metavar="FIELD", action="append", required=True, help='a column: "ip.src", "dns.*"')
    add("-Y", dest="display_filter", metavar="FILTER", help="only packets that match this display filter")
    add("-2", dest="two_pass", action="store_true", help="two passes, so that fields that point forward are there")
    add("-R", dest="read_filter", metavar="FILTER", help="with -2: the filter of the first pass")
    add("-c", dest="count", metavar="N", type=count, help="stop after N rows")
    add_settings(parser, "--preference")
    add("-E", dest="settings", metavar="occurrence=f|l|a", action="append", default=[], help="of repeated fields")
    add("--text", metavar="FIELD", action="append", default=[], help="this column: Wireshark's line, not the value")
    add("--encode", metavar="FIELD=HOW", action="append", default=[], help="dictionary, int or bytes")
    add("--file-column", action="store_true", help="a column with the file's name in front")
    add("-o", dest="output", metavar="OUTPUT", help="*.parquet, *.arrow or *.csv")
    parser.set_defaults(run=_run_table, parser=parser)


def _occurrence(options: argparse.Namespace) -> str:
    occurrence = "first"
    for setting in options.settings:
        name, _, value = setting.partition("=")
        if name != "occurrence" or value not in _OCCURRENCES:
            options.parser.error(f"-E {setting}: a table takes occurrence=f, l or a")
        occurrence = _OCCURRENCES[value]
    return occurrence


def _encodings(options: argparse.Namespace) -> dict[str, str]:
    encodings = {}
    for setting in options.encode:
        name, equals, how = setting.partition("=")
        if not equals:
            options.parser.error(f"--encode {setting}: FIELD=dictionary, FIELD=int or FIELD=bytes is wanted")
        encodings[name] = how
    return encodings


def _make_scan(options: argparse.Namespace) -> Scan:
    from .errors import Error
    from .tables import scan

    watched = options.output is not None and sys.stderr.isatty()
    try:
        table = scan(
            [*options.read, *options.files],
            options.fields,
            occurrence=_occurrence(options),
            text=options.text,
            encode=_encodings(options),
            file=options.file_column,
            progress=watched,
            display_filter=options.display_filter,
            two_pass=options.two_pass,
            read_filter=options.read_filter,
            count=options.count,
            **settings_of(options),
        )
    except Error:
        raise
    except ValueError as error:
        options.parser.error(str(error))
    return table


def _run_table(options: argparse.Namespace) -> int:
    if not options.read and not options.files:
        options.parser.error("a FILE is needed")
    suffix = ".csv" if options.output is None else os.path.splitext(options.output)[1].lower()
    if suffix not in _FORMATS:
        options.parser.error(f"-o {options.output}: the name must end in .parquet, .arrow or .csv")
    table = _make_scan(options)
    try:
        if options.output is None:
            table.write_csv(sys.stdout)
        elif suffix == ".csv":
            table.write_csv(options.output)
        elif suffix == ".parquet":
            table.write_parquet(options.output)
        else:
            table.write_arrow(options.output)
    except (ImportError, ValueError) as error:  # ValueError: of a setting that means nothing to Wireshark
        complain(error)
        return FAILED
    return 0
