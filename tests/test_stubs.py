"""The stubs say what the modules have: mypy's stubtest compares them."""

from __future__ import annotations

import importlib.util
import inspect
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from conftest import ROOT

import wishpy
import wishpy._epan

STUBS = sorted((ROOT / "wishpy").glob("*.pyi"))


@pytest.mark.skipif(importlib.util.find_spec("mypy") is None, reason="mypy is not installed")
@pytest.mark.parametrize("stub", STUBS, ids=lambda path: path.name)
def test_stubtest(stub: Path, tmp_path: Path) -> None:
    module = f"wishpy.{stub.stem}"
    command = [sys.executable, "-m", "mypy.stubtest", module]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=cache_in(tmp_path), timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr


def cache_in(folder: Path) -> dict[str, str]:
    import os

    return {**os.environ, "MYPY_CACHE_DIR": str(folder)}


def test_there_is_a_stub_for_each_extension() -> None:
    extensions = {path.name.split(".")[0] for path in (ROOT / "wishpy").glob("*.so")}
    assert extensions <= {stub.stem for stub in STUBS}
    assert (ROOT / "wishpy" / "py.typed").is_file()


def public(thing: Any) -> list[tuple[str, Any]]:
    return [(name, value) for name, value in vars(thing).items() if not name.startswith("_")]


def test_everything_public_is_documented() -> None:
    undocumented = []
    for name, value in public(wishpy._epan):
        if not inspect.getdoc(value):
            undocumented.append(name)
        if isinstance(value, type):
            undocumented += [f"{name}.{member}" for member, inner in public(value) if not inspect.getdoc(inner)]
    assert not undocumented


def test_functions_have_signatures() -> None:
    for cls in (wishpy.Dissector, wishpy.Packet, wishpy.Field):
        for name, value in public(cls):
            if callable(value):
                assert inspect.signature(value), name
    assert inspect.signature(wishpy.versions) is not None
    assert "display_filter" in inspect.signature(wishpy.Dissector).parameters
