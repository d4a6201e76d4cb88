"""The program of a worker process: dissects one capture after another for the process that started it.

Run by wishpy/isolated.py with descriptors as arguments; of no use by itself. It is told what to do over a socket, and
what it finds goes through shared memory, see csrc/epan/worker.c. What it says is JSON, never pickle: a worker that a
hostile frame has taken over must not be able to make its parent run anything.
"""

from __future__ import annotations

import contextlib
import errno
import json
import logging
import marshal
import os
import select
import signal
import socket
import sys
from typing import Any

# No site, no user's paths (python -I -S): only where this file lies.
if __name__ == "__main__":
    sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

# All that may be needed, while it may still be read: a worker becomes another user.
from wishpy import _epan, nearest, registry  # noqa: F401
from wishpy.isolated import ERROR_FACTS, MESSAGE_END, MESSAGE_ERROR, MESSAGE_LOG, receive, send

# Keywords of a Dissector that say what to read and to return. All others are settings, and a session that was made
# ready under the same settings is as good as a new one; except where they name files, which may change meanwhile.
NO_SETTINGS = {
    "display_filter", "fields", "two_pass", "read_filter", "skip", "count", "reset_after", "linktype",
}  # fmt: skip
FILES = {"profile", "tls_keylog", "preferences"}

BREATH = 0.02   # seconds in which the parent does something with what it got, where there is one processor


def settings_of(keywords: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in keywords.items() if name not in NO_SETTINGS}


def describe(error: BaseException) -> dict[str, Any]:
    """An exception as plain values."""
    facts = {name: getattr(error, name) for name in ERROR_FACTS if getattr(error, name, None) is not None}
    message = getattr(error, "message", None) or str(error)
    names = [cls.__name__ for cls in type(error).__mro__]
    return {"type": names, "message": message, "facts": facts}


def is_there(name: str) -> bool:
    """Also where this user may not look."""
    try:
        os.stat(name)
    except PermissionError:
        return True
    except OSError:
        return False
    return True


def databases(records: Any) -> list[str]:
    """The folders of uat:maxmind_db_paths, and the databases in them, which another program reads."""
    files: list[str] = []
    for record in [records] if isinstance(records, str) else records:
        folder = record.strip().strip('"') if isinstance(record, str) else record[0]
        files.append(folder)
        with contextlib.suppress(OSError):
            files += [os.path.join(folder, name) for name in os.listdir(folder) if name.endswith(".mmdb")]
    return files


def files_read_later(keywords: dict[str, Any]) -> list[str]:
    """The files that settings name and that are opened when they are first needed: keys, databases, names."""
    files = [keywords.get("tls_keylog"), keywords.get("profile") and _epan._worker_ethers()]
    if preferences := keywords.get("preferences"):
        kinds = {info.name.lower(): info.type for info in registry.preferences()}
        files += [value for name, value in preferences.items() if kinds.get(name.lower()) == "Filename"]
        files += databases(preferences.get("uat:maxmind_db_paths", ()))
    return [name for name in files if name and is_there(name)]


class LogHandler(logging.Handler):
    """Log lines go to the parent: with the reply until the capture is open, and then between the packets."""

    def __init__(self) -> None:
        super().__init__()
        self.early: list[tuple[int, str]] | None = []

    def emit(self, record: logging.LogRecord) -> None:
        line = (record.levelno, record.getMessage())
        if self.early is not None:
            self.early.append(line)
        else:
            _epan._worker_write(MESSAGE_LOG, json.dumps([line]).encode())


class Worker:
    def __init__(self, parent: int, ends: list[int]) -> None:
        self.socket = socket.socket(fileno=ends[0])
        for end in ends:
            os.set_inheritable(end, False)
        _epan._worker_start(ends[0], parent, *ends[1:])
        self.log = LogHandler()
        logger = logging.getLogger("wishpy")
        logger.addHandler(self.log)
        logger.setLevel(logging.DEBUG)
        logger.propagate = False
        self.bound = False
        self.ready: dict[str, Any] | None = None   # the settings of the session that is laid by, if one is
        self.hand = -1   # a socket for the frames of a source that only the parent can read

    def run(self) -> None:
        while True:
            message, descriptors = receive(self.socket)
            if message is None:
                return
            job = marshal.loads(message)
            self.work(job, descriptors)
            os.ftruncate(2, 0)
            if _epan._worker_is_spent():
                return
            send(self.socket, b'{"idle": true}')
            if not select.select([self.socket], [], [], BREATH)[0]:
                self.make_ready(settings_of(job["keywords"]), job["plugins"])

    def work(self, job: dict[str, Any], descriptors: list[int]) -> None:
        _epan._worker_restart()
        self.log.early = []
        try:
            dissector = self.open(job, descriptors)
        except Exception as error:
            self.reply({"error": describe(error)})
            return
        self.reply({})
        self.log.early = None
        with dissector:
            try:
                _epan._worker_serve(dissector, job["after"], job["left_out"], self.hand)
                _epan._worker_write(MESSAGE_END, b"")
            except Exception as error:
                _epan._worker_write(MESSAGE_ERROR, json.dumps(describe(error)).encode())
        self.log.early = []
        _epan._worker_memory(0)

    def make_ready(self, settings: dict[str, Any], plugins: bool) -> None:
        """The next job will most likely have the settings of this one: what takes long of its start is done now."""
        if FILES.isdisjoint(settings):
            with contextlib.suppress(Exception):
                _epan._worker_lay_by(_epan.Dissector(isolated=False, plugins=plugins, **settings))
                self.ready = settings

    def reply(self, answer: dict[str, Any]) -> None:
        send(self.socket, json.dumps({**answer, "log": self.log.early}).encode())

    def open(self, job: dict[str, Any], descriptors: list[int]) -> Any:
        """The Dissector, with all of the worker's bounds in force."""
        if not self.bound:
            self.bound = True
            if job["user"] is not None:
                _epan._worker_become(*job["user"])
            if not job["network"]:
                _epan._worker_no_network()
        if self.hand >= 0:
            os.close(self.hand)
        self.hand = descriptors.pop() if job["handed"] else -1
        for descriptor in descriptors or [os.open(os.devnull, os.O_RDONLY)]:   # its standard input
            if descriptor != 0:   # libwiretap closes its standard input
                os.dup2(descriptor, 0)
                os.close(descriptor)
        os.chdir(job["folder"])
        if self.ready != settings_of(job["keywords"]):
            _epan._worker_drop_spare()
        dissector = _epan.Dissector(job["source"], isolated=False, plugins=job["plugins"], **job["keywords"])
        files = files_read_later(job["keywords"])
        _epan._worker_drop_reading()
        for file in files:
            if not os.access(file, os.R_OK):
                dissector.close()
                what = "the worker's user may not read this file; worker_user=None lets it stay who you are"
                raise PermissionError(errno.EACCES, f"{what}: {file!r}")
        if job["memory_limit"]:
            try:
                _epan._worker_memory(job["memory_limit"])
            except BaseException:
                dissector.close()
                raise
        return dissector


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with contextlib.suppress(ConnectionError, BrokenPipeError):
        Worker(int(sys.argv[1]), [int(word) for word in sys.argv[2:]]).run()
    os._exit(0)
