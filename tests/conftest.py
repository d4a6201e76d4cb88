"""What all tests share: the captures, a Python of its own for what needs one, and what to skip where."""

from __future__ import annotations

import contextlib
import gc
import io
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import oracle
import pytest

TESTS = Path(__file__).parent
ROOT = TESTS.parent
DATA = TESTS / "data"
ISOLATED = TESTS / "isolated"
SHARED = ROOT.parent / "shared" / "captures"

CAPTURE_SUFFIXES = (".pcap", ".pcapng", ".gz", ".zst", ".lz4")

WIRESHARK = oracle.WIRESHARK

# The whole suite also runs under AddressSanitizer (`make sanitize`), where memory figures mean nothing.
SANITIZED = bool(os.environ.get("WISHPY_SANITIZE"))

needs_tshark = pytest.mark.skipif(oracle.TSHARK is None, reason="no tshark on this machine to compare with")
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
not_as_root = pytest.mark.skipif(os.geteuid() == 0, reason="root may read every file")
plain_memory = pytest.mark.skipif(SANITIZED, reason="memory use means nothing under a sanitizer")


# Before a command that root runs as somebody else, who may read as well.
SOMEBODY_ELSE = ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups",
                 "--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search"]  # fmt: skip


def captures_under(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.name.endswith(CAPTURE_SUFFIXES))


def pytest_configure(config: pytest.Config) -> None:
    # No test may depend on the settings of whoever runs it, nor on where they are on Earth.
    for name in [name for name in os.environ if name.startswith("WIRESHARK_")]:
        del os.environ[name]
    os.environ["TZ"] = "UTC"
    # A shell's background job ignores SIGINT, and who sends it to himself to see what happens would wait for ever.
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def data() -> Path:
    """The folder of our own captures."""
    return DATA


@pytest.fixture
def demo() -> str:
    """13 frames: DNS, a handshake, HTTP, the end."""
    return str(DATA / "demo.pcapng")


class Finished:
    """How a Python of its own ended. A signal is a negative status."""

    def __init__(self, process: subprocess.CompletedProcess[str]) -> None:
        self.status, self.out, self.err = process.returncode, process.stdout, process.stderr

    def check(self) -> str:
        assert self.status == 0, f"status {self.status}\n{self.out[-2000:]}\n{self.err[-4000:]}"
        return self.out


def run_python(
    *arguments: str, code: str | None = None, timeout: float = 120, before: Sequence[str] = (), **options: Any
) -> Finished:
    """Run Python with arguments, or with a piece of code, in a process of its own, `before` it what it is run with."""
    words = ["-c", code, *arguments] if code is not None else list(arguments)
    command = [*before, sys.executable, "-X", "faulthandler", *words]
    return Finished(subprocess.run(command, capture_output=True, text=True, timeout=timeout, **options))


@pytest.fixture
def python() -> Callable[..., Finished]:
    return run_python


@pytest.fixture
def isolated() -> Callable[..., Finished]:
    """Run tests/isolated/NAME.py in a process of its own."""

    def run(name: str, *arguments: str, timeout: float = 300) -> Finished:
        return run_python(str(ISOLATED / f"{name}.py"), *arguments, timeout=timeout)

    return run


def read_terminal(master: int) -> bytes:
    """What was written to a terminal until its other end was closed; closes this one."""
    shown = b""
    with contextlib.suppress(OSError):  # Linux says EIO then
        while piece := os.read(master, 4096):
            shown += piece
    os.close(master)
    return shown


def printed(show: Callable[..., Any]) -> str:
    """What packet.show or packet.hexdump prints."""
    file = io.StringIO()
    show(file=file)
    return file.getvalue()


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    """A test that fails may leave its Dissector open in the traceback; the tests after it shall not suffer for that."""
    outcome = yield
    report = outcome.get_result()  # type: ignore[attr-defined]
    module = sys.modules.get("wishpy._epan")
    if report.failed and module is not None:
        for thing in gc.get_objects():
            if type(thing) is module.Dissector:
                thing.close()
