"""The switches that say how Wireshark shall dissect, with tshark's letters, for the commands that dissect."""

from __future__ import annotations

import argparse
from typing import Any

_NAMES_HELP = (
    "resolve names of m: MAC, n: network, t: transport, v: VLAN, and where those of the network come from: "
    "d: DNS packets in the capture, N: ask DNS servers"
)
_NAMES = {
    "m": "mac_name",
    "n": "network_name",
    "t": "transport_name",
    "v": "vlan_name",
    "d": "dns_pkt_addr_resolution",
    "N": "use_external_name_resolver",
}


def count(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text} is not above 0")
    return value


def add_settings(parser: argparse.ArgumentParser, preference: str) -> None:
    """Adds the switches; `preference` is the one that sets a preference."""
    add = parser.add_argument
    add(preference, dest="preferences", metavar="NAME:VALUE", action="append", default=[], help="set a preference")
    add("-d", dest="decode_as", metavar="FIELD==VALUE,PROTOCOL", action="append", default=[], help="decode as")
    add("--keylog", dest="tls_keylog", metavar="FILE", help="key log file of the TLS and QUIC connections")
    add("-C", dest="profile", metavar="PROFILE", help="one of Wireshark's configuration profiles")
    add("--enable-protocol", dest="enable", metavar="NAME", action="append", default=[], help="dissect it")
    add("--disable-protocol", dest="disable", metavar="NAME", action="append", default=[], help="leave it alone")
    add("--enable-heuristic", dest="enable", metavar="NAME", action="append", help="ask this heuristic dissector")
    add("--disable-heuristic", dest="disable", metavar="NAME", action="append", help="do not ask it")
    add("-M", dest="reset_after", metavar="N", type=count, help="forget all conversations after N frames")
    add("-n", dest="no_names", action="store_true", help="no name resolution at all")
    add("-N", dest="names", metavar="FLAGS", help=_NAMES_HELP)
    parser.set_defaults(preference=preference)


def settings_of(options: argparse.Namespace) -> dict[str, Any]:
    """What those switches say, as a Dissector's keywords."""
    if options.no_names and options.names is not None:
        options.parser.error("-n is no name resolution at all: it does not go with -N")
    if options.two_pass and options.reset_after is not None:
        options.parser.error("-M forgets what -2 is for: give one of them")
    settings: dict[str, Any] = {
        "preferences": {**_preferences(options), **_name_preferences(options)},
        "decode_as": dict(_parted(options, "-d", text, ",") for text in options.decode_as),
        "tls_keylog": options.tls_keylog,
        "profile": options.profile,
        "enable": options.enable,
        "disable": options.disable,
        "reset_after": options.reset_after,
    }
    if options.no_names:
        settings["name_resolution"] = ()
    return settings


def _parted(options: argparse.Namespace, switch: str, text: str, separator: str) -> tuple[str, str]:
    """What -o and -d say, parted where tshark parts it."""
    name, found, value = text.partition(separator)
    if not name.strip() or not found:
        options.parser.error(f"{switch} {text!r} has no {separator!r} in it")
    return name.strip(), value.strip()


def _preferences(options: argparse.Namespace) -> dict[str, Any]:
    """A table's records add up, as with tshark; of other preferences the last value counts."""
    given: dict[str, Any] = {}
    for text in options.preferences:
        prefix = "uat:" if text.startswith("uat:") else ""
        name, value = _parted(options, options.preference, text.removeprefix(prefix), ":")
        if prefix:
            given.setdefault(prefix + name, []).append(value)
        else:
            given[name] = value
    return given


def _name_preferences(options: argparse.Namespace) -> dict[str, bool]:
    """What -N says: these and no others."""
    if options.names is None:
        return {}
    if unknown := set(options.names) - set(_NAMES):
        options.parser.error(f"-N has no letter {''.join(sorted(unknown))!r}: it takes {''.join(_NAMES)}")
    return {f"nameres.{name}": letter in options.names for letter, name in _NAMES.items()}
