"""The versions that matter: of wishpy, of the libraries it stands on, of Wireshark's plugins."""

from __future__ import annotations

import platform
import re
from typing import Any, NamedTuple


class PluginInfo(NamedTuple):
    """A plugin that libwireshark has loaded; its version is "" where it tells none."""

    name: str
    version: str
    type: str
    path: str


def _feature(text: str) -> tuple[str, str | bool]:
    """ "+Lua 5.2.4" and "-SMI" as Wireshark reports them: a version where there is one, else whether it is there."""
    if text.startswith("-"):
        return text[1:], False
    name, _, rest = re.sub(r"\s+(?=[\d(])", "\0", text[1:], count=1).partition("\0")
    return name, rest.strip("()") or True


def versions() -> dict[str, Any]:
    """Return the versions of wishpy and of all that it stands on, as a dict.

    "wishpy", "python", "libwireshark" (the one loaded) and "libwireshark_built" (the headers), "libpcap", "glib": str.
    "plugins": a list of PluginInfo (name, version, type, path), of Lua scripts too.
    "features": what libwireshark was compiled with, name to version or True, and without: False.

    Starts libwireshark, which loads the plugins.
    """
    from . import __version__, _epan, _pcap

    return {
        "wishpy": __version__,
        "python": platform.python_version(),
        **_epan._library_versions(),
        "libpcap": _pcap.libpcap_version.removeprefix("libpcap version "),
        "plugins": [PluginInfo._make(plugin) for plugin in _epan._library_plugins()],
        "features": dict(map(_feature, _epan._library_features())),
    }
