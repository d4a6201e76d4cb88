"""wishpy 0.1's program that prints live packets as JSON. `wishpy capture INTERFACE --json` takes its place."""

from __future__ import annotations

import argparse
import sys
import threading
import warnings
from collections.abc import Sequence
from queue import Queue
from typing import Any

from wishpy.errors import Error

_NEW = "wishpy/scripts/tcpdump.py is wishpy 0.1's; `wishpy capture INTERFACE --json` takes its place"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="tcpdump.py", description=__doc__)
    parser.add_argument("interface", metavar="INTERFACE")
    parser.add_argument("-c", "--count", type=int, default=0, help="stop after so many packets")
    parser.add_argument("--elasticky", action="store_true", help="underscores for the dots in the keys")
    parser.add_argument("--pretty", action="store_true", help="over several lines")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the program and return its exit status."""
    options = _parser().parse_args(arguments)
    warnings.warn(_NEW, DeprecationWarning, stacklevel=2)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # said once is enough
        return _run(options)


def _run(options: argparse.Namespace) -> int:
    from wishpy.libpcap.lib.capturer import WishpyCapturerIfaceToQueue
    from wishpy.wireshark.lib.dissector import WishpyDissectorQueuePython, cleanup_process, setup_process

    queue: Queue[Any] = Queue()
    capturer = WishpyCapturerIfaceToQueue(options.interface, queue)
    thread = threading.Thread(target=capturer.start)
    status = 0
    setup_process()
    try:
        capturer.open()
        thread.start()
        dissector = WishpyDissectorQueuePython(queue, options.interface)
        dissector.set_elasticky(options.elasticky)
        dissector.set_pretty_print_details(options.pretty)
        for _, _, text in dissector.run(count=options.count):
            if text is not None:
                print(text, flush=True)
    except KeyboardInterrupt:
        status = 130
    except Error as error:
        print(error, file=sys.stderr)
        status = 2
    finally:
        capturer.stop()
        if thread.is_alive():
            thread.join()
        capturer.close()
        cleanup_process()
    return status


if __name__ == "__main__":
    sys.exit(main())
