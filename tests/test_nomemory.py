"""Python's allocations fail, one after another: each step ends in MemoryError or succeeds, and never crashes.

_testcapi.set_nomemory(n) lets n allocations through and fails the rest (glib's own are not Python's: g_malloc aborts).
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable

import pytest
from conftest import DATA, SANITIZED, Finished

WORKS = """
    open iterate filter fields to_dict to_json layers values columns facts times show pickle unpickle find
    errors texts kept written table table_stream isolated isolated_start isolated_skip isolated_source
""".split()

pytestmark = [
    pytest.mark.skipif(importlib.util.find_spec("_testcapi") is None, reason="this Python has no _testcapi"),
    pytest.mark.skipif(SANITIZED, reason="under a sanitizer Python runs with malloc and _testcapi's hooks are slow"),
]


@pytest.mark.parametrize("name", WORKS)
def test_each_allocation_may_fail(name: str, isolated: Callable[..., Finished]) -> None:
    out = isolated("nomemory", name, str(DATA / "demo.pcapng"), timeout=600).check()
    assert "failed" in out
