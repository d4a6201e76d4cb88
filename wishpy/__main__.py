"""`python -m wishpy` is the `wishpy` command."""

import sys

from .cli import main

sys.exit(main())
