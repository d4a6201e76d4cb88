"""`wishpy capture` and `wishpy interfaces`. wishpy/cli.py calls add_parsers()."""

from __future__ import annotations

import argparse
import contextlib
import json
import signal
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from .errors import CaptureError, Error

if TYPE_CHECKING:
    from .capture import Capturer, Interface


def add_parsers(subparsers: Any) -> None:
    """Add both commands; each sets `run`, a function of the parsed arguments that returns the exit status."""
    _add_capture(subparsers)
    _add_interfaces(subparsers)


def _positive(convert: Callable[[str], Any]) -> Callable[[str], Any]:
    def parse(text: str) -> Any:
        value = convert(text)
        if value <= 0:
            raise argparse.ArgumentTypeError(f"{text} is not above 0")
        return value

    return parse


def _duration(text: str) -> float:
    """Seconds, or what tshark calls them: duration:SECONDS."""
    seconds: float = _positive(float)(text.removeprefix("duration:"))
    return seconds


def _add_capture(subparsers: Any) -> None:
    parser = subparsers.add_parser(
        "capture",
        help="capture from an interface",
        description="Capture from an interface: a summary line a packet, JSON, or into a file.",
    )
    parser.add_argument("interface", nargs="?", metavar="INTERFACE", help='as `wishpy interfaces` lists them, or "any"')
    parser.add_argument("-i", dest="given", metavar="INTERFACE", help="the same, with tshark's letter")
    parser.add_argument("-f", dest="capture_filter", metavar="FILTER", help="capture filter, in libpcap's language")
    parser.add_argument(
        "-Y", dest="display_filter", metavar="FILTER", help="only packets that match this display filter"
    )
    parser.add_argument("-c", dest="count", metavar="N", type=_positive(int), help="stop after N packets")
    parser.add_argument("-a", dest="duration", metavar="SECONDS", type=_duration, help="stop after so long")
    parser.add_argument("-w", dest="write", metavar="FILE", help="write the packets to a capture file")
    parser.add_argument("--json", action="store_true", help="JSON Lines: one object a packet")
    parser.add_argument("-s", dest="snaplen", metavar="BYTES", type=_positive(int), default=65535, help="of a packet")
    parser.add_argument("-p", dest="promiscuous", action="store_false", help="no promiscuous mode")
    parser.add_argument("-I", dest="monitor", action="store_true", help="monitor mode")
    parser.add_argument("-B", dest="buffer", metavar="MIB", type=_positive(int), help="the kernel's buffer")
    parser.add_argument("-y", dest="linktype", metavar="TYPE", help="link type, by name")
    parser.add_argument("--backend", choices=("libpcap", "dumpcap"), default="libpcap", help="what captures")
    parser.set_defaults(run=_run_capture, parser=parser)


def _add_interfaces(subparsers: Any) -> None:
    parser = subparsers.add_parser(
        "interfaces",
        help="list the interfaces",
        description="List the interfaces that can be captured from, with their addresses and link types.",
    )
    parser.add_argument("--json", action="store_true", help="JSON Lines: one object an interface")
    parser.set_defaults(run=_run_interfaces)


# ---- capture


def _run_capture(args: argparse.Namespace) -> int:
    from .capture import Capturer

    if (args.interface is None) == (args.given is None):
        args.parser.error("one INTERFACE is needed")
    args.interface = args.given if args.interface is None else args.interface
    if args.json and args.write == "-":
        return _complain("--json and -w - both write to standard output")
    # With a display filter, -c counts what matches, as tshark's does; so the Dissector counts, not the Capturer.
    dissects = args.display_filter is not None or args.write is None or args.json
    try:
        capturer = Capturer(
            args.interface,
            capture_filter=args.capture_filter,
            snaplen=args.snaplen,
            promiscuous=args.promiscuous,
            monitor=args.monitor,
            buffer_size=args.buffer * 2**20 if args.buffer else None,
            linktype=args.linktype,
            backend=args.backend,
            duration=args.duration,
            count=None if dissects else args.count,
        )
    except (Error, ValueError) as error:
        return _complain(error)
    with capturer, _ended_by_signals(capturer):
        try:
            print(f"Capturing on {args.interface}", file=sys.stderr, flush=True)
            with _file_of(args, capturer) as file:
                if dissects:
                    _dissect(args, capturer, file)
                else:
                    for raw in capturer:
                        file.write(raw.data, raw.time_ns, raw.length)
            status = 0
        except KeyboardInterrupt:
            status = 130
        except BrokenPipeError:
            raise
        except (Error, OSError) as error:
            status = _complain(error)
        capturer.stop()
        _say_what_came(capturer)
    return status


def _file_of(args: argparse.Namespace, capturer: Capturer) -> Any:
    """The file that -w names, or nothing."""
    if args.write is None:
        return contextlib.nullcontext()
    from ._pcapng import PcapngFile

    return PcapngFile(args.write, linktype=capturer.linktype, snaplen=args.snaplen, interface=args.interface)


def _dissect(args: argparse.Namespace, capturer: Capturer, file: Any) -> None:
    from . import Dissector

    show = _line_maker(args)
    with Dissector(capturer, display_filter=args.display_filter, count=args.count) as packets:
        for packet in packets:
            if file is not None:
                file.write(packet.data, packet.time_ns, packet.length)
            if show is not None:
                print(show(packet), flush=True)  # each at once: somebody watches


def _line_maker(args: argparse.Namespace) -> Callable[[Any], str] | None:
    """What is printed for a packet: as `wishpy dissect` does, a summary on a terminal and JSON elsewhere."""
    if args.json or (args.write is None and not sys.stdout.isatty()):
        return lambda packet: str(packet.to_json())
    if args.write is not None:
        return None
    from .text import summary

    return summary


def _say_what_came(capturer: Capturer) -> None:
    with contextlib.suppress(CaptureError):
        stats = capturer.stats()
        dropped = "" if stats.dropped is None else f", {stats.dropped} dropped by the kernel"
        print(f"{stats.received} packets received{dropped}", file=sys.stderr)


@contextlib.contextmanager
def _ended_by_signals(capturer: Capturer) -> Any:
    """SIGTERM and SIGHUP end the capture as if it had come to its end, so that a file is whole."""
    names = (signal.SIGTERM, signal.SIGHUP)
    try:
        old = {name: signal.signal(name, lambda *_: capturer.stop()) for name in names}
    except ValueError:  # not the main thread: its signals are not ours
        yield
        return
    try:
        yield
    finally:
        for name, handler in old.items():
            signal.signal(name, handler)


def _complain(error: object) -> int:
    print(f"wishpy: {error}", file=sys.stderr)
    return 2


# ---- interfaces


def _run_interfaces(args: argparse.Namespace) -> int:
    from .capture import interfaces

    try:
        found = interfaces()
    except CaptureError as error:
        return _complain(error)
    for interface in found:
        print(json.dumps(_as_dict(interface)) if args.json else _as_line(interface))
    return 0


def _linktypes(interface: Interface) -> tuple[str, ...] | None:
    """None where they can't be asked for: without privileges, or of an interface that is down."""
    try:
        return interface.linktypes
    except CaptureError:
        return None


def _as_dict(interface: Interface) -> dict[str, Any]:
    linktypes = _linktypes(interface)
    return {
        "name": interface.name,
        "description": interface.description,
        "addresses": [address.address for address in interface.addresses],
        "up": interface.up,
        "running": interface.running,
        "loopback": interface.loopback,
        "wireless": interface.wireless,
        "linktypes": None if linktypes is None else list(linktypes),
    }


def _as_line(interface: Interface) -> str:
    state = "up" if interface.up else "down"
    addresses = " ".join(address.address for address in interface.addresses)
    linktypes = _linktypes(interface)
    parts = [f"{interface.name:<16} {state:<4} {','.join(linktypes) if linktypes else '-':<12}"]
    parts += [text for text in (addresses, interface.description) if text]
    return "  ".join(parts)
