"""fork_while_dissecting.py CAPTURE LONG_CAPTURE - children forked while another thread dissects can dissect as well.

The lock around libwireshark is then held by a thread that the child does not have.
"""

from __future__ import annotations

import os
import sys
import threading
import time

import wishpy

CHILDREN = 20


def forever(path: str, stop: threading.Event) -> None:
    while not stop.is_set():
        with wishpy.Dissector(path) as dissector:
            for packet in dissector:
                packet.to_dict()
                if stop.is_set():
                    break


def child(path: str) -> int:
    """The child's copy of the parent's Dissector counts for nothing: its thread is not here."""
    with wishpy.Dissector(path) as dissector:
        return 0 if len([packet.to_dict() for packet in dissector]) == 13 else 3


def main() -> None:
    path, long_path = sys.argv[1:]
    stop = threading.Event()
    thread = threading.Thread(target=forever, args=(long_path, stop))
    thread.start()
    time.sleep(0.5)
    for number in range(CHILDREN):
        pid = os.fork()
        if pid == 0:
            status = 1
            try:
                status = child(path)
            finally:
                os._exit(status)
        deadline = time.monotonic() + 30
        while (ended := os.waitpid(pid, os.WNOHANG)) == (0, 0):
            if time.monotonic() > deadline:
                os.kill(pid, 9)
            time.sleep(0.005)
        assert os.waitstatus_to_exitcode(ended[1]) == 0, f"child {number} ended with {ended[1]}"
    stop.set()
    thread.join()
    print(f"{CHILDREN} children dissected")


if __name__ == "__main__":
    main()
