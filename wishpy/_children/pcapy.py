"""`import pcapy` in the child processes of a program that `python -m wishpy.pcapy` runs: it finds wishpy.pcapy."""

import importlib
import os
import sys

_folder = os.path.dirname(os.path.abspath(__file__))
_root = os.path.dirname(os.path.dirname(_folder))
if _root not in sys.path:  # wishpy was found beside the program's parent, not installed
    sys.path.append(_root)
try:
    _module = importlib.import_module("wishpy.pcapy")
except ImportError:  # another Python than wishpy was built for: let it have its own pcapy
    sys.path[:] = [path for path in sys.path if os.path.abspath(path or os.curdir) != _folder]
    del sys.modules[__name__]
    _module = importlib.import_module(__name__)
sys.modules[__name__] = _module
