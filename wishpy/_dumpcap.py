"""Capturing through dumpcap, Wireshark's own small privileged program: start it, end it, and say why it failed."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import select
import shutil
import signal
import subprocess
import tempfile
import time
import weakref
from typing import Any

from . import _pcap
from ._pcap import CaptureStats
from .errors import CaptureError, Error, FilterError

# Where the distributions put it, for users whose PATH leaves out the administrator's folders.
_FOLDERS = ("/usr/bin", "/usr/sbin", "/usr/local/bin", "/opt/homebrew/bin")

_COUNTS = re.compile(
    r"Packets received/dropped on interface .*: (\d+)/(\d+) \(pcap:\d+/dumpcap:\d+/flushed:\d+/ps_ifdrop:(\d+)\)"
)


def find_dumpcap() -> str:
    """The path of dumpcap; CaptureError where there is none."""
    path = shutil.which("dumpcap") or shutil.which("dumpcap", path=os.pathsep.join(_FOLDERS))
    if path is None:
        raise CaptureError(
            "dumpcap is not installed, or not for this user. It comes with Wireshark (Debian: wireshark-common), "
            "and who may run it are the members of the group wireshark: sudo usermod -aG wireshark $USER",
            errno=errno.ENOENT,
            path="dumpcap",
        )
    return path


class Dumpcap:
    """One dumpcap process that writes pcapng into a pipe."""

    def __init__(
        self,
        interface: str,
        capture_filter: str | None,
        *,
        snaplen: int,
        promiscuous: bool,
        monitor: bool,
        buffer_size: int | None,
        linktype: str | int | None,
    ) -> None:
        self.interface = interface
        self.capture_filter = capture_filter
        command = [find_dumpcap(), "-q", "-i", interface, "-w", "-", "-s", str(snaplen)]
        if not promiscuous:
            command.append("-p")
        if monitor:
            command.append("-I")
        if buffer_size is not None:
            command += ["-B", str(max(1, round(buffer_size / 2**20)))]  # dumpcap counts in MiB
        if linktype is not None:
            command += ["-y", linktype if isinstance(linktype, str) else _pcap.linktype_name(linktype) or str(linktype)]
        if capture_filter is not None:
            command += ["-f", capture_filter]
        self._said: Any = tempfile.TemporaryFile()  # a pipe could fill up, and nobody reads while packets come
        try:
            # A session of its own: Ctrl-C is for Python, which then ends dumpcap.
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=self._said,
                bufsize=0,
                start_new_session=True,
            )
        except OSError as error:
            self._said.close()
            raise CaptureError(f"{command[0]}: {error.strerror}", errno=error.errno, path=interface) from None
        self._printed: list[str] = []
        self._finalizer = weakref.finalize(self, _end, self._process, self._said, self._printed)

    def fileno(self) -> int:
        """The pipe's end to read from."""
        assert self._process.stdout is not None
        return self._process.stdout.fileno()

    def failure(self, fallback: str) -> Error:
        """Why it wrote no capture, as an exception; ends it."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(2)
        self.close()
        lines = [line for line in self._printed[0].splitlines() if line.strip()]
        text = "\n".join(line for line in lines if not line.startswith(("Capturing on", "File:", "Packets ")))
        message = f"{self.interface}: dumpcap: {text or fallback}"
        if "capture filter" in text and self.capture_filter is not None:
            return FilterError(message, filter=self.capture_filter)
        denied = "permission" in text.lower()
        return CaptureError(message, errno=errno.EPERM if denied else None, path=self.interface)

    def check(self) -> None:
        """Its output has ended: CaptureError if that was no regular end."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(2)
        if self._process.returncode:
            raise self.failure(f"ended with status {self._process.returncode}")

    def stats(self, received: int) -> CaptureStats:
        """What it printed at its end; before that, only what came through the pipe is known."""
        if self._process.poll() is not None:
            self.close()
            found = _COUNTS.search(self._printed[0])
            if found:
                return CaptureStats([int(number) for number in found.groups()])
        return CaptureStats([received, None, None])

    def close(self) -> None:
        """End it and wait for that. May be called again."""
        self._finalizer()


def _end(process: subprocess.Popen[bytes], said: Any, printed: list[str]) -> None:
    """Ask dumpcap to end as Ctrl-C does, so that it prints its counts; what it still writes is thrown away."""
    assert process.stdout is not None
    if process.poll() is None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            process.send_signal(signal.SIGINT)
    until = time.monotonic() + 2
    while process.poll() is None and time.monotonic() < until:
        if select.select([process.stdout], [], [], 0.02)[0] and not os.read(process.stdout.fileno(), 65536):
            break
    process.stdout.close()
    try:
        process.wait(1)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    said.seek(0)
    printed.append(said.read().decode("utf-8", "replace"))
    said.close()
