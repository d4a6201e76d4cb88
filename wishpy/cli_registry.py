"""wishpy fields and wishpy versions: what Wireshark knows, and what is here."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .registry import FieldInfo

_FIELDS = """\
Lists Wireshark's fields: name, type, title and protocol, a tab between them. A PATTERN is a name, or has * ? [ ] in it;
without one all fields are listed.
"""


def add_parsers(commands: Any) -> None:
    fields = commands.add_parser("fields", help="list the fields that Wireshark knows", description=_FIELDS)
    fields.add_argument("patterns", nargs="*", metavar="PATTERN", help='such as dns.qry.name or "dns.*"')
    fields.add_argument("-v", "--verbose", action="store_true", help="base, description and the meaning of values too")
    fields.add_argument("--json", action="store_true", help="JSON Lines")
    fields.set_defaults(run=_run_fields)
    versions = commands.add_parser("versions", help="the versions of wishpy, of Wireshark's libraries and its plugins")
    versions.add_argument("--json", action="store_true", help="one JSON object")
    versions.set_defaults(run=_run_versions)


# ---- fields


def _found(patterns: list[str]) -> Iterable[FieldInfo]:
    """A name or a pattern that fits nothing is an error, with the nearest names."""
    from . import registry
    from .errors import FieldError

    for pattern in patterns or ["*"]:
        found = registry.fields(pattern)
        if not found and not any(character in pattern for character in "*?["):
            registry.field(pattern)
        if not found:
            raise FieldError(f"no field's name fits {pattern!r}", field=pattern)
        yield from found


def _as_text(field: FieldInfo, verbose: bool) -> str:
    line = f"{field.name}\t{field.type}\t{field.title}\t{field.protocol}\n"
    if verbose:
        if field.base != "none":
            line += f"    base {field.base}\n"
        if field.description is not None:
            line += f"    {field.description}\n"
        line += "".join(f"    {value} = {text}\n" for value, text in field.strings.items())
    return line


def _as_json(field: FieldInfo, verbose: bool) -> str:
    facts = field._asdict()
    del facts["id"]   # of this run only
    if verbose:
        facts["strings"] = field.strings
    return json.dumps(facts, ensure_ascii=False) + "\n"


def _run_fields(options: argparse.Namespace) -> int:
    line = _as_json if options.json else _as_text
    sys.stdout.writelines(line(field, options.verbose) for field in _found(options.patterns))
    return 0


# ---- versions


def _run_versions(options: argparse.Namespace) -> int:
    from . import versions

    known = versions()
    if options.json:
        known["plugins"] = [plugin._asdict() for plugin in known["plugins"]]
        print(json.dumps(known, ensure_ascii=False, indent=2))
        return 0
    plugins, features = known.pop("plugins"), known.pop("features")
    for name, value in known.items():
        print(f"{name:<20}{value}")
    print("\nplugins")
    for plugin in plugins:
        print(f"    {plugin.name:<20}{plugin.version:<12}{plugin.type:<24}{plugin.path}")
    print("\nfeatures")
    for name, value in features.items():
        print(f"    {'without ' if value is False else ''}{name}{f' {value}' if isinstance(value, str) else ''}")
    return 0
