"""wishpy 0.1's program that prints a capture file as JSON. `wishpy dissect` takes its place."""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
import time
import warnings
from collections.abc import Sequence

from wishpy.errors import Error

_NEW = "wishpy/scripts/tshark.py is wishpy 0.1's; `wishpy dissect FILE` takes its place"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="tshark.py", description=__doc__)
    parser.add_argument("file", metavar="FILE")
    parser.add_argument("--pretty", action="store_true", help="over several lines")
    parser.add_argument("-c", "--count", type=int, default=0, help="stop after so many packets")
    parser.add_argument("--elasticky", action="store_true", help="underscores for the dots in the keys")
    parser.add_argument("--add-proto-tree", action="store_true", help="the tree as text, too")
    parser.add_argument("--timed", action="store_true", help="say on standard error how long it took")
    parser.add_argument("--silent", action="store_true", help="dissect, but print nothing")
    parser.add_argument("--filter", help="only packets that match this display filter")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the program and return its exit status."""
    options = _parser().parse_args(arguments)
    warnings.warn(_NEW, DeprecationWarning, stacklevel=2)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # said once is enough
        return _run(options)


def _run(options: argparse.Namespace) -> int:
    from wishpy.wireshark.lib.dissector import WishpyDissectorFile, cleanup_process, setup_process

    setup_process()
    started, done, status = time.monotonic(), 0, 0
    try:
        dissector = WishpyDissectorFile(options.file)
        dissector.set_elasticky(options.elasticky)
        dissector.set_pretty_print_details(options.pretty, options.add_proto_tree)
        if options.filter:
            failed, message = dissector.apply_filter(options.filter)
            if failed:
                print(message, file=sys.stderr)
                return 2
        for text in dissector.run(count=options.count):
            done += 1
            if not options.silent:
                print(text)
        sys.stdout.flush()
    except BrokenPipeError:
        with contextlib.suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except Error as error:
        print(error, file=sys.stderr)
        status = 2
    finally:
        cleanup_process()
    if options.timed:
        print(f"{done} packets in {time.monotonic() - started:.3f} seconds", file=sys.stderr)
    return status


if __name__ == "__main__":
    sys.exit(main())
