"""The `wishpy` command, and `python -m wishpy`, which is the same."""

import sys

from . import _heap


def program() -> int:
    _heap.start_anew(sys.argv[1:])
    from .cli import main

    return main()


if __name__ == "__main__":
    sys.exit(program())
