"""Nothing grows: memory, blocks and reference counts over many rounds, on every path that can fail as well.

Each measurement is a process of its own (isolated/leaks.py), so that no other test's objects are in the figures.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
from conftest import DATA, Finished, plain_memory

ROUNDS = set(
    """
    read read_filtered read_fields read_two_pass left_early packets_kept values trees dicts json shown
    pickled matched written no_file not_a_capture cut_file bad_filter bad_field bad_keyword busy closed
    missing_name unknown_name error_in_loop table table_ends
""".split()
)


def test_every_round_is_measured() -> None:
    import importlib.util

    spec = importlib.util.spec_from_file_location("leaks", str(DATA.parent / "isolated" / "leaks.py"))
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert set(module.ROUNDS) == ROUNDS


@pytest.mark.parametrize("name", sorted(ROUNDS))
def test_blocks_and_references_are_steady(name: str, isolated: Callable[..., Finished]) -> None:
    isolated("leaks", "blocks", name, str(DATA)).check()


# Each open costs libwireshark 8 ms of reading its table of enterprises, so not every way of reading is measured here.
SLOW = set("packets_kept dicts trees read_filtered closed bad_filter bad_field bad_keyword table_ends".split())


@plain_memory
@pytest.mark.parametrize("name", sorted(ROUNDS - SLOW))
def test_memory_is_steady(name: str, isolated: Callable[..., Finished]) -> None:
    """Also what is not Python's: blocks of packets, filters, libwireshark's own."""
    isolated("leaks", "memory", name, str(DATA)).check()


@plain_memory
def test_two_hundred_opens_grow_by_less_than_a_megabyte(isolated: Callable[..., Finished]) -> None:
    isolated("leaks", "opens", "200", str(DATA)).check()


@plain_memory
@pytest.mark.parametrize("count", ["5000", "30000"])
def test_names_of_a_session_go_with_it(count: str, isolated: Callable[..., Finished]) -> None:
    """Few enough to be taken out of libwireshark's tables again, and so many that these are read anew."""
    isolated("leaks", "names", count, str(DATA)).check()
