"""The build on a machine that lacks something: one readable message, and no traceback."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
MANAGERS = ("apt install", "dnf install", "brew install", "pacman -S")


def build(**environment: str) -> subprocess.CompletedProcess[str]:
    """Start the build; all cases here end before anything is compiled or written."""
    return subprocess.run(
        [sys.executable, "setup.py", "-q", "build_ext"],
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=120,
    )


def packages(folder: Path, **versions: str) -> str:
    """A pkg-config folder that knows these modules, and whose headers are nowhere."""
    for module, version in versions.items():
        name = module.replace("_", "-").replace("glib-2", "glib-2.0")
        text = f"prefix=/nowhere\nplugindir=/nowhere/plugins/9\nName: {name}\nDescription: {name}\nVersion: {version}\n"
        (folder / f"{name}.pc").write_text(text + "Libs:\nCflags:\n")
    return str(folder)


def assert_readable(done: subprocess.CompletedProcess[str], problem: str) -> None:
    assert done.returncode == 1
    assert problem in done.stderr
    for manager in MANAGERS:
        assert manager in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stderr.count("wishpy cannot be built here") == 1


def test_no_pkg_config() -> None:
    assert_readable(build(PKG_CONFIG="no-such-pkg-config"), "there is no no-such-pkg-config")


def test_no_wireshark(tmp_path: Path) -> None:
    done = build(PKG_CONFIG_LIBDIR=packages(tmp_path), PKG_CONFIG_PATH="")
    assert_readable(done, "pkg-config does not know wireshark >= 3.4")


def test_a_wireshark_that_is_too_old(tmp_path: Path) -> None:
    done = build(PKG_CONFIG_LIBDIR=packages(tmp_path, wireshark="2.6.20"), PKG_CONFIG_PATH="")
    assert_readable(done, "2.6.20")


def test_a_wireshark_without_its_headers(tmp_path: Path) -> None:
    done = build(PKG_CONFIG_LIBDIR=packages(tmp_path, wireshark="4.0.17", glib_2="2.74"), PKG_CONFIG_PATH="")
    assert_readable(done, "a header file is missing")


def test_no_compiler() -> None:
    assert_readable(build(CC="no-such-compiler"), "there is no no-such-compiler")


@pytest.fixture
def bare_path(tmp_path: Path) -> Path:
    """A PATH with a Python and a shell's everyday tools, and no compiler, no pkg-config and no apt-get."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for tool in ("sh", "cat", "env", "id", "mktemp", "rm"):
        found = next(path for path in (Path("/bin") / tool, Path("/usr/bin") / tool) if path.exists())
        (folder / tool).symlink_to(found)
    return folder


def test_system_packages_where_there_is_no_apt(bare_path: Path) -> None:
    done = subprocess.run(
        ["/bin/sh", "tools/system_packages.sh", "build"],
        cwd=ROOT,
        env={"PATH": str(bare_path), "PYTHON": sys.executable},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 1
    assert "Missing here:" in done.stderr
    for word in ("a C compiler", "pkg-config", "libwireshark-dev", "wireshark-devel", "wireshark-cli", "brew install"):
        assert word in done.stderr
