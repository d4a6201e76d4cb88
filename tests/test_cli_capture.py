"""`wishpy capture` and `wishpy interfaces`."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from conftest import ROOT
from traffic import send_udp, why_not

import wishpy

COMMAND = [sys.executable, "-m", "wishpy"]
PORT = 4711
ONLY = f"udp dst port {PORT}"

_missing = why_not()
live = pytest.mark.skipif(_missing is not None, reason=f"live captures: {_missing}")


class Capture:
    """A `wishpy capture lo` that runs, with traffic once it says that it captures."""

    def __init__(self, *arguments: str) -> None:
        self.process = subprocess.Popen(
            [*COMMAND, "capture", "-i", "lo", *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )
        assert self.process.stderr is not None
        assert self.process.stderr.readline() == "Capturing on lo\n"
        self.sender = threading.Thread(target=self.send, daemon=True)
        self.sender.start()

    def send(self) -> None:
        while self.process.poll() is None:
            send_udp("127.0.0.1", port=PORT, size=20)
            send_udp("127.0.0.1", port=PORT, size=40)
            time.sleep(0.05)

    def finish(self) -> tuple[int, str, str]:
        out, err = self.process.communicate(timeout=60)
        self.sender.join()
        return self.process.returncode, out, err


def run(*arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*COMMAND, *arguments], capture_output=True, text=True, cwd=ROOT, timeout=60, **options)


@live
def test_json_lines() -> None:
    status, out, err = Capture("-f", ONLY, "-c", "3", "--json").finish()
    assert status == 0 and "packets received, 0 dropped by the kernel" in err
    packets = [json.loads(line) for line in out.splitlines()]
    assert [packet["frame"]["frame.number"] for packet in packets] == [1, 2, 3]
    assert {packet["udp"]["udp.dstport"] for packet in packets} == {PORT}


@live
def test_into_a_file_and_a_display_filter(tmp_path: Path) -> None:
    path = tmp_path / "x.pcapng"
    status, out, _ = Capture("-f", ONLY, "-c", "4", "-w", str(path)).finish()
    assert (status, out) == (0, "")
    packets = list(wishpy.Dissector(str(path)))
    assert [packet.length for packet in packets] == [62, 82, 62, 82]
    assert abs(packets[0].time_ns - time.time_ns()) < 60 * 10**9
    assert packets[0]["frame.interface_name"] == "lo"
    status, out, _ = Capture("-f", ONLY, "-c", "3", "-Y", "udp.length == 48", "-w", str(path)).finish()
    assert (status, out) == (0, "")
    assert [raw.length for raw in wishpy.Capturer(path=path)] == [82, 82, 82]
    status, out, _ = Capture("-f", ONLY, "-c", "2", "-Y", "udp.length == 28").finish()
    assert status == 0 and [json.loads(line)["udp"]["udp.length"] for line in out.splitlines()] == [28, 28]


@live
def test_to_standard_output_as_a_capture() -> None:
    code = "import wishpy; print([raw.length for raw in wishpy.Capturer(path='-')])"
    capture = Capture("-f", ONLY, "-c", "4", "-w", "-")
    done = subprocess.run([sys.executable, "-c", code], stdin=capture.process.stdout, capture_output=True, text=True)
    capture.finish()
    assert done.stdout == "[62, 82, 62, 82]\n", done.stderr


@live
@pytest.mark.parametrize(("number", "expected"), [(signal.SIGINT, 130), (signal.SIGTERM, 0)])
def test_signals_end_it_and_the_file_is_whole(tmp_path: Path, number: signal.Signals, expected: int) -> None:
    path = tmp_path / "x.pcapng"
    capture = Capture("-f", ONLY, "-w", str(path))
    time.sleep(0.5)
    begun = time.monotonic()
    capture.process.send_signal(number)
    status, _, err = capture.finish()
    assert status == expected and "packets received" in err
    assert time.monotonic() - begun < 1
    assert len(list(wishpy.Capturer(path=path))) >= 2


@live
def test_duration_and_nothing_to_see() -> None:
    begun = time.monotonic()
    for seconds in ("0.5", "duration:0.5"):
        status, out, _ = Capture("-f", "tcp port 1", "-a", seconds).finish()
        assert (status, out) == (0, "") and time.monotonic() - begun < 20


@live
def test_a_closed_pipe_ends_it_silently() -> None:
    capture = Capture("-f", ONLY)
    assert capture.process.stdout is not None
    capture.process.stdout.readline()
    capture.process.stdout.close()
    assert capture.process.stderr is not None
    err = capture.process.stderr.read()
    capture.process.stderr.close()
    assert capture.process.wait(10) == 0
    assert "Traceback" not in err and "Broken" not in err


@live
def test_a_closed_pipe_ends_the_capture_file_silently_too() -> None:
    capture = Capture("-f", ONLY, "-w", "-")
    assert capture.process.stdout is not None and capture.process.stderr is not None
    capture.process.stdout.close()
    err = capture.process.stderr.read()
    capture.process.stderr.close()
    assert capture.process.wait(10) == 0
    assert "Traceback" not in err and "Broken" not in err


@live
def test_mistakes() -> None:
    for arguments, text in (
        (["nosuch0"], "nosuch0: No such device exists"),
        (["lo", "-f", "tcp prot 80"], "syntax error"),
        (["lo", "-Y", "no.such.field == 1"], "no.such.field"),
        (["lo", "-y", "NO_SUCH"], "NO_SUCH"),
        (["lo", "-w", "/nonexistent/x"], "No such file"),
        (["lo", "--json", "-w", "-"], "standard output"),
    ):
        done = run("capture", *arguments)
        assert done.returncode == 2 and text in done.stderr and "Traceback" not in done.stderr, (arguments, done)
        assert done.stdout == ""


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["lo", "-i", "lo"],
        ["lo", "-a", "packets:5"],
        ["lo", "-c", "0"],
        ["lo", "-c", "x"],
        ["lo", "--no-such"],
        ["lo", "-a", "-1"],
    ],
)
def test_wrong_usage(arguments: list[str]) -> None:
    done = run("capture", *arguments)
    assert done.returncode == 1 and "usage:" in done.stderr


def test_interfaces() -> None:
    lines = run("interfaces").stdout.splitlines()
    assert len(lines) == len(wishpy.interfaces())
    as_json = [json.loads(line) for line in run("interfaces", "--json").stdout.splitlines()]
    (lo,) = [interface for interface in as_json if interface["name"] == "lo"]
    assert lo["loopback"] is True and "127.0.0.1" in lo["addresses"]
    assert lo["linktypes"] == (["EN10MB"] if os.geteuid() == 0 else None)
