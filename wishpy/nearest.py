"""The message for a name that does not exist, with those that may have been meant; how a table's record is written."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def hint(name: str, names: Iterable[str]) -> str:
    """`; did you mean 'a' or 'b'?` with up to three names near to it, whatever the case of their letters; or ""."""
    by_lower: dict[str, str] = {}
    for candidate in names:
        by_lower.setdefault(candidate.lower(), candidate)
    wanted = name.lower()
    longer = sorted((key for key in by_lower if wanted and key.startswith(wanted)), key=len)[:2]
    group, dot, _ = wanted.partition(".")
    related = [key for key in by_lower if dot and key.startswith(group + dot)]   # of the same protocol: more likely
    near = [*longer, *difflib.get_close_matches(wanted, related), *difflib.get_close_matches(wanted, by_lower)]
    if not near:
        near = sorted((key for key in by_lower if wanted and wanted in key), key=len)
    quoted = [repr(by_lower[key]) for key in list(dict.fromkeys(near))[:3]]
    if not quoted:
        return ""
    return "; did you mean " + (", ".join(quoted[:-1]) + " or " if len(quoted) > 1 else "") + quoted[-1] + "?"


def message(what: str, name: str, names: Iterable[str]) -> str:
    """`what 'name'` and the hint."""
    return f"{what} {name!r}{hint(name, names)}"


def table_record(columns: Iterable[object]) -> str:
    """A record of one of Wireshark's tables (UAT): each column in quotes, special characters as \\xNN."""
    if isinstance(columns, (str, bytes)) or not isinstance(columns, Iterable):
        raise TypeError(f"a table's record is a str or its columns, not {type(columns).__name__}")

    def quote(column: object) -> str:
        if isinstance(column, bool):
            return '"TRUE"' if column else '"FALSE"'
        text = "".join(
            f"\\x{ord(character):02x}" if character in '"\\' or not character.isprintable() else character
            for character in str(column)
        )
        return f'"{text}"'

    return ",".join(map(quote, columns))
