"""wishpy._pcap when memory runs out, over many rounds, and on damaged files: in processes of their own."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Callable

import pytest
from conftest import DATA, ISOLATED, ROOT, SANITIZED, Finished
from traffic import why_not

WORKS = """
    iterate items polls bad_filter bad_path raw_packet capsule listing following looping filtering batches dumping
    programs bad_programs
""".split()

_missing = why_not()


@pytest.mark.skipif(importlib.util.find_spec("_testcapi") is None, reason="this Python has no _testcapi")
@pytest.mark.skipif(SANITIZED, reason="under a sanitizer Python runs with malloc and _testcapi's hooks are slow")
@pytest.mark.parametrize(
    "work",
    [*WORKS, pytest.param("live", marks=pytest.mark.skipif(_missing is not None, reason=f"live: {_missing}"))],
)
def test_each_allocation_may_fail(work: str, python: Callable[..., Finished]) -> None:
    script = str(ISOLATED / "capture_nomemory.py")
    assert "failed" in python(script, work, str(DATA / "demo.pcapng"), cwd=str(ROOT)).check()


@pytest.mark.skipif(_missing is not None, reason=f"live captures: {_missing}")
def test_captures_opened_and_closed(python: Callable[..., Finished]) -> None:
    """WISHPY_SOAK=1 makes it the 10,000 of a day."""
    rounds = "10000" if os.environ.get("WISHPY_SOAK") else "400"
    exact = {**os.environ, "GLIBC_TUNABLES": "glibc.malloc.tcache_count=0"}
    python(str(ISOLATED / "capture_soak.py"), "opens", rounds, cwd=str(ROOT), timeout=300, env=exact).check()


def test_every_path_over_and_over(python: Callable[..., Finished]) -> None:
    rounds = "5000" if os.environ.get("WISHPY_SOAK") else "300"
    python(str(ISOLATED / "capture_soak.py"), "paths", rounds, cwd=str(ROOT), timeout=300).check()


def test_damaged_files_read_in_every_way(python: Callable[..., Finished]) -> None:
    rounds = "20000" if os.environ.get("WISHPY_SOAK") else "500"
    files = [str(path) for path in sorted(DATA.glob("*.pcap*")) if path.suffix in (".pcap", ".pcapng")]
    python(str(ISOLATED / "damaged_pcap.py"), rounds, "1", *files, cwd=str(ROOT), timeout=600).check()
