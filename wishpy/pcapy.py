"""pcapy's and pcapy-ng's API on wishpy: `import wishpy.pcapy as pcapy`, or `python -m wishpy.pcapy PROGRAM.py ARG...`.

The second runs an unchanged program: its `import pcapy` finds this module, installed or not.
"""

from __future__ import annotations

import os
import runpy
import sys
from typing import TYPE_CHECKING

from . import _pcap
from ._pcap import (
    BPFError,
    BPFProgram,
    Dumper,
    PcapError,
    Pkthdr,
    Reader,
    compile,
    create,
    findalldevs,
    lookupdev,
    open_live,
    open_offline,
)

__all__ = [
    "BPFError",
    "BPFProgram",
    "Dumper",
    "PcapError",
    "Pkthdr",
    "Reader",
    "compile",
    "create",
    "findalldevs",
    "lookupdev",
    "open_live",
    "open_offline",
]

# DLT_*, PCAP_D_* and PACKET_FANOUT_*: as many as this libpcap has.
globals().update(_pcap.constants)
__all__ += list(_pcap.constants)

if TYPE_CHECKING:

    def __getattr__(name: str) -> int: ...


USAGE = "usage: python -m wishpy.pcapy PROGRAM.py [ARG...]"


def run_program(argv: list[str]) -> None:
    """Run a program as `python PROGRAM.py ARG...` does, with this module as its pcapy."""
    program = argv[0]
    sys.modules["pcapy"] = sys.modules["wishpy.pcapy"]
    sys.argv = list(argv)
    sys.path[0] = os.path.dirname(os.path.abspath(program))
    runpy.run_path(program, run_name="__main__")


def _main() -> int:
    if len(sys.argv) < 2 or sys.argv[1] in ("-h", "--help"):
        print(USAGE, file=sys.stderr if len(sys.argv) < 2 else sys.stdout)
        return 1 if len(sys.argv) < 2 else 0
    if not os.path.exists(sys.argv[1]):
        print(f"{sys.argv[1]}: no such file\n{USAGE}", file=sys.stderr)
        return 1
    # This file runs as __main__; the program is to get the importable module.
    import wishpy.pcapy

    wishpy.pcapy.run_program(sys.argv[1:])
    return 0


if __name__ == "__main__":
    sys.exit(_main())
