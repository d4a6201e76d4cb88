"""No slower than pcapy-ng: tests/bench/capture.py with fewer packets."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Callable

import pytest
from conftest import ROOT, SANITIZED, TESTS, Finished


@pytest.mark.skipif(importlib.util.find_spec("pcapy") is None, reason="pcapy-ng is not installed to compare with")
@pytest.mark.skipif(SANITIZED or bool(os.environ.get("WISHPY_COVERAGE")), reason="times mean nothing in this build")
def test_side_by_side_with_pcapy_ng(python: Callable[..., Finished]) -> None:
    script = str(TESTS / "bench" / "capture.py")
    done = python(script, "--packets", "150000", "--rounds", "5", cwd=str(ROOT), timeout=300)
    if done.status != 0:  # another process may have disturbed it: once more, then it counts
        done = python(script, "--packets", "150000", "--rounds", "9", cwd=str(ROOT), timeout=300)
    done.check()
