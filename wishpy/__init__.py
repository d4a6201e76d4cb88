"""wishpy: Wireshark's dissectors and libpcap's capturing for Python.

`import wishpy` is cheap: the extension modules, and libwireshark with its 1,500 protocols, are loaded when a
name that needs them is first used (PEP 562).
"""

from __future__ import annotations

import importlib

from .errors import (
    CaptureError,
    DissectorCrash,
    Error,
    FieldError,
    FileError,
    FilterError,
    PreferenceError,
    SessionError,
)

TYPE_CHECKING = False   # what type checkers take for true; typing itself would be half of what this import costs
if TYPE_CHECKING:   # what __getattr__ below fetches at its first use
    from ._epan import DisplayFilter, Dissector, Field, Packet, Writer
    from ._pcap import RawPacket
    from .about import versions
    from .capture import Capturer, interfaces
    from .registry import field, fields, preferences, protocols
    from .tables import Scan, scan

__version__ = "1.0.0"

# name -> module that has it, imported at its first use
_LAZY: dict[str, str] = {
    "Capturer": "wishpy.capture",
    "RawPacket": "wishpy._pcap",
    "interfaces": "wishpy.capture",
    "Dissector": "wishpy._epan",
    "DisplayFilter": "wishpy._epan",
    "Field": "wishpy._epan",
    "Packet": "wishpy._epan",
    "Writer": "wishpy._epan",
    "Scan": "wishpy.tables",
    "scan": "wishpy.tables",
    "field": "wishpy.registry",
    "fields": "wishpy.registry",
    "preferences": "wishpy.registry",
    "protocols": "wishpy.registry",
    "versions": "wishpy.about",
}

__all__ = [   # in full: type checkers add up no lists
    "CaptureError",
    "Capturer",
    "DisplayFilter",
    "Dissector",
    "DissectorCrash",
    "Error",
    "Field",
    "FieldError",
    "FileError",
    "FilterError",
    "Packet",
    "PreferenceError",
    "RawPacket",
    "Scan",
    "SessionError",
    "Writer",
    "field",
    "fields",
    "interfaces",
    "preferences",
    "protocols",
    "scan",
    "versions",
]


if not TYPE_CHECKING:   # who checks types is to be told of a name that is not there

    def __getattr__(name: str) -> object:
        module = _LAZY.get(name)
        if module is None:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        value = getattr(importlib.import_module(module), name)
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
