"""`python -m wishpy` is the `wishpy` command."""

import sys

from .cli import main

if __name__ == "__main__":
    sys.exit(main())
