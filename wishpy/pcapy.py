"""pcapy's and pcapy-ng's API on wishpy: `import wishpy.pcapy as pcapy`, or `python -m wishpy.pcapy PROGRAM.py ARG...`.

The second runs an unchanged program: its `import pcapy` finds this module, installed or not.
"""

from __future__ import annotations

import builtins
import importlib.machinery
import io
import os
import runpy
import sys
import types
import zipfile
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
    """Run a program as `python PROGRAM.py ARG...` does, with this module as its pcapy, and as that of its children."""
    program = argv[0]
    sys.modules["pcapy"] = sys.modules["wishpy.pcapy"]
    sys.argv = list(argv)
    sys.path[0] = os.path.dirname(os.path.abspath(program))
    children = os.path.join(os.path.dirname(os.path.abspath(__file__)), "_children")
    sys.path.insert(1, children)  # multiprocessing hands the path on, and the environment reaches all others
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [children, os.environ.get("PYTHONPATH")]))
    if os.path.isdir(program) or zipfile.is_zipfile(program):
        runpy.run_path(program, run_name="__main__")
    else:
        _run_file(program)


def _run_file(path: str) -> None:
    """As runpy.run_path(), but __main__ stays the program's: its threads may go on when its last line has run."""
    main = types.ModuleType("__main__")
    main.__file__ = path
    main.__loader__ = importlib.machinery.SourceFileLoader("__main__", path)
    main.__dict__["__builtins__"] = builtins
    sys.modules["__main__"] = main
    with io.open_code(path) as file:
        code = builtins.compile(file.read(), path, "exec")
    exec(code, main.__dict__)


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
