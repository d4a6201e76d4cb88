"""The stubs say what the modules have: mypy's stubtest compares them."""

from __future__ import annotations

import importlib.util
import inspect
import subprocess
import sys
import typing
from pathlib import Path
from typing import Any

import pytest
from conftest import ROOT

import wishpy
import wishpy._epan
import wishpy.errors

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


@pytest.mark.skipif(importlib.util.find_spec("mypy") is None, reason="mypy is not installed")
def test_a_type_checker_knows_every_public_name(tmp_path: Path) -> None:
    """Also those that are imported at their first use; a packet of a loop is a Packet, and other names are errors."""
    program = tmp_path / "program.py"
    lines = ["import wishpy", *(f"reveal_type(wishpy.{name})" for name in wishpy.__all__)]
    lines += ["for packet in wishpy.Dissector():", "    reveal_type(packet)", "wishpy.Disector"]
    program.write_text("\n".join(lines) + "\n")
    command = [sys.executable, "-m", "mypy", "--strict", program]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env=cache_in(tmp_path), timeout=300)
    errors = [line for line in done.stdout.splitlines() if "error:" in line]
    assert len(errors) == 1 and 'Module has no attribute "Disector"' in errors[0], done.stdout + done.stderr
    types = [line.split("Revealed type is ")[1] for line in done.stdout.splitlines() if "Revealed type" in line]
    assert len(types) == len(wishpy.__all__) + 1
    assert types[-1] == '"wishpy._epan.Packet"'
    assert not [name for name, said in zip(wishpy.__all__, types, strict=False) if said in ('"Any"', '"object"')]


def test_all_names_what_is_there() -> None:
    errors = {name for name, value in vars(wishpy.errors).items() if isinstance(value, type) and name[0] != "_"}
    assert set(wishpy.__all__) == (errors - {"Any"}) | set(wishpy._LAZY)
    assert all(getattr(wishpy, name).__name__ == name for name in wishpy.__all__)


def test_annotations_can_be_evaluated() -> None:
    for name in wishpy.__all__:
        thing = getattr(wishpy, name)
        typing.get_type_hints(thing.__init__ if isinstance(thing, type) else thing)


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
