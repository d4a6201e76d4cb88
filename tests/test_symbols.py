"""What the shared objects give to the world: their init function, and nothing else but for one name."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from conftest import ROOT

import wishpy

NM = shutil.which("nm")
OBJECTS = sorted((ROOT / "wishpy").glob("*.so"))

pytestmark = pytest.mark.skipif(NM is None, reason="no nm on this machine")


def names(path: Path, *options: str) -> set[str]:
    assert NM is not None
    text = subprocess.run([NM, "-D", *options, path], capture_output=True, text=True, check=True).stdout
    return {line.split()[-1].split("@")[0] for line in text.splitlines()}


def test_there_are_objects() -> None:
    assert OBJECTS


def replaced(path: Path) -> set[str]:
    """Where libwireshark reads its tables of names again and again, _epan takes the place of this function."""
    built_for = wishpy.versions()["libwireshark_built"]
    reads = (3, 6) <= tuple(map(int, built_for.split(".")[:2])) < (4, 2)
    return {"get_datafile_path"} if path.name.startswith("_epan.") and reads else set()


@pytest.mark.parametrize("path", OBJECTS, ids=lambda path: path.name.split(".")[0])
def test_only_the_init_function_is_exported(path: Path) -> None:
    if os.environ.get("WISHPY_SANITIZE") or os.environ.get("WISHPY_COVERAGE"):
        pytest.skip("sanitizers and coverage export symbols of their own")
    assert names(path, "--defined-only") == {"PyInit_" + path.name.split(".")[0]} | replaced(path)


@pytest.mark.parametrize("path", OBJECTS, ids=lambda path: path.name.split(".")[0])
def test_each_links_its_own_library(path: Path) -> None:
    wanted = names(path, "--undefined-only")
    if path.name.startswith("_epan"):
        assert any(name.startswith("epan_") for name in wanted)
        assert not any(name.startswith("pcap_") for name in wanted)
    if path.name.startswith("_pcap"):
        assert any(name.startswith("pcap_") for name in wanted)
        assert not any(name.startswith(("epan_", "wtap_", "proto_")) for name in wanted)


@pytest.mark.parametrize("path", OBJECTS, ids=lambda path: path.name.split(".")[0])
def test_nothing_here_ends_the_process(path: Path) -> None:
    assert not names(path, "--undefined-only") & {"exit", "_exit", "abort", "g_error", "printf", "puts"}
