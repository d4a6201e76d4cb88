"""What Wireshark knows: its protocols, fields and preferences."""

from __future__ import annotations

import fnmatch
import re
from typing import NamedTuple

from . import _epan
from .errors import FieldError
from .nearest import message


class FieldInfo(NamedTuple):
    """A registered field, or a protocol, which has a field of its name."""

    id: int
    name: str
    title: str
    type: str
    base: str
    description: str | None
    protocol: str

    @property
    def strings(self) -> dict[int, str]:
        """What its values mean: {1: "Request", 2: "Reply"}; {} for a field without such a list."""
        return _epan._registry_strings(self.id)


class ProtocolInfo(NamedTuple):
    """A protocol: its filter name, its long and its short title."""

    name: str
    title: str
    short: str
    enabled: bool


class PreferenceInfo(NamedTuple):
    """A preference; a table (`uat:...`) has no default and no value here."""

    name: str
    title: str | None
    type: str
    default: str | None
    value: str | None
    description: str | None


def _matcher(pattern: str | None) -> re.Pattern[str] | None:
    return None if pattern is None or pattern == "*" else re.compile(fnmatch.translate(pattern))


def protocols() -> list[ProtocolInfo]:
    """Every protocol, by filter name."""
    return sorted(map(ProtocolInfo._make, _epan._registry("protocols")))


def fields(pattern: str | None = None) -> list[FieldInfo]:
    """The fields whose name matches a pattern such as "dns.*", in Wireshark's order; all of them without one."""
    matcher = _matcher(pattern)
    found = _epan._registry("fields")
    if matcher is not None:
        match = matcher.match
        found = [facts for facts in found if match(facts[1])]
    return list(map(FieldInfo._make, found))


def field(name: str) -> FieldInfo:
    """The field of this name; FieldError with the nearest names where there is none."""
    everything = _epan._registry("fields")
    for facts in everything:
        if facts[1] == name:
            return FieldInfo._make(facts)
    raise FieldError(message("no field or protocol is called", name, (facts[1] for facts in everything)), field=name)


def preferences(pattern: str | None = None) -> list[PreferenceInfo]:
    """The preferences whose name matches a pattern such as "tcp.*", by name; all of them without one."""
    matcher = _matcher(pattern)
    found = map(PreferenceInfo._make, _epan._registry("preferences"))
    return sorted(info for info in found if matcher is None or matcher.match(info.name))
