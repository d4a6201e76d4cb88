"""The message for a name that does not exist, with those that may have been meant."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def message(what: str, name: str, names: Iterable[str]) -> str:
    """`what 'name'`, and up to three names near to it, whatever the case of their letters."""
    by_lower: dict[str, str] = {}
    for candidate in names:
        by_lower.setdefault(candidate.lower(), candidate)
    wanted = name.lower()
    near = [by_lower[key] for key in difflib.get_close_matches(wanted, by_lower, n=3, cutoff=0.6)]
    if not near:
        near = sorted((by_lower[key] for key in by_lower if wanted and wanted in key), key=len)[:3]
    text = f"{what} {name!r}"
    if near:
        quoted = [repr(candidate) for candidate in near]
        text += "; did you mean " + (", ".join(quoted[:-1]) + " or " if len(quoted) > 1 else "") + quoted[-1] + "?"
    return text
