"""Worker processes: a Dissector that lives in a process of its own, with the same API and the same answers.

Here is what happens once per Dissector: a worker is started or taken from the few that are kept warm, told what to
open, and later kept, or ended and explained. What happens for every packet is in csrc/epan/worker_link.c. Nothing here
is for users: it is what Dissector(..., isolated=...) stands on. How it all works: docs/internals/workers.md.
"""

from __future__ import annotations

import array
import atexit
import contextlib
import errno
import json
import logging
import marshal
import os
import queue
import signal
import socket
import stat
import struct
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from . import errors

__all__ = ["Engagement", "start"]

MESSAGE_LOG, MESSAGE_END, MESSAGE_ERROR = 3, 4, 5   # csrc/epan/worker.h has all of them

ERROR_FACTS = ("errno", "filter", "position", "span", "field", "preference")

# glibc's malloc takes these at a program's start alone, and a worker is a program of our own.
HEAP = {
    "hugetlb": 1,   # huge pages, where the system has some to give
    "tcache_count": 2000,   # freed pieces of a size at hand; seven otherwise
    # What is freed is soon wanted again. Given back to the system it would come as an empty page, to be cleared first.
    "mmap_threshold": 32 << 20,
    "trim_threshold": 64 << 20,
    "top_pad": 16 << 20,
}

KEPT_WARM = 4          # idle workers, at most
WARM_SECONDS = 5.0     # and for how long
LOOK_SECONDS = 0.5     # between two looks at that
SETTLE_SECONDS = 0.05  # close() waits that long for a worker to come to rest, before the janitor takes over
LONGEST_MESSAGE = 1 << 24
LAST_WORDS = 600       # characters of a dead worker's standard error

_log = logging.getLogger("wishpy")


# --- what goes over a socket: a length, the bytes, and descriptors ---------------------------------------------


def send(sock: socket.socket, message: bytes, descriptors: Iterable[int] = ()) -> None:
    rights = array.array("i", descriptors)
    head = struct.pack("=I", len(message))
    sock.sendmsg([head], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, rights)] if rights else [])
    sock.sendall(message)


def receive(sock: socket.socket) -> tuple[bytes | None, list[int]]:
    """A message and its descriptors; None where the other side is gone."""
    descriptors = array.array("i")
    head, ancillary, _, _ = sock.recvmsg(4, socket.CMSG_LEN(8 * descriptors.itemsize), socket.MSG_CMSG_CLOEXEC)
    for level, kind, data in ancillary:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            descriptors.frombytes(data[: len(data) - len(data) % descriptors.itemsize])
    head += _exactly(sock, 4 - len(head)) if head else b""
    if len(head) < 4:
        return None, list(descriptors)
    size = struct.unpack("=I", head)[0]
    message = _exactly(sock, size) if size <= LONGEST_MESSAGE else b""
    return (message if len(message) == size else None), list(descriptors)


def _exactly(sock: socket.socket, size: int) -> bytes:
    parts = bytearray()
    while len(parts) < size:
        part = sock.recv(size - len(parts))
        if not part:
            break
        parts += part
    return bytes(parts)


# --- processes ------------------------------------------------------------------------------------------------


def _environment() -> tuple[tuple[str, str], ...]:
    """What libwireshark looks at when it starts: a warm worker must have seen the same."""
    looked_at = ("WIRESHARK_", "TZ", "LC_", "LANG", "HOME")
    return tuple(sorted((name, value) for name, value in os.environ.items() if name.startswith(looked_at)))


def _worker_environment() -> dict[str, str]:
    tunables = [os.environ.get("GLIBC_TUNABLES", ""), *(f"glibc.malloc.{name}={value}" for name, value in HEAP.items())]
    return {**os.environ, "GLIBC_TUNABLES": ":".join(filter(None, tunables))}


class _Process:
    """A running worker program and the descriptors that lead to it. When nobody refers to it any more it is ended."""

    socket: Any = None
    words = -1

    def __init__(self, kind: Any) -> None:
        from . import _epan

        if not sys.executable:
            raise errors.SessionError("no worker process can be started: sys.executable does not name a Python")
        self.kind = kind       # what a job must have in common with the first one
        self.fresh = True      # no job yet: it has all the privileges of its parent
        self.resting = True    # it waits for a job
        self.idle_since = 0.0
        self.ends = [-1, -1, -1]   # the shared memory, and two eventfds: to read, to write
        self.socket, theirs = socket.socketpair()
        try:
            self.ends[0] = _epan._ring_create()
            self.ends[1] = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
            self.ends[2] = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
            self.words = os.memfd_create("wishpy-words", os.MFD_CLOEXEC)
            given = (theirs.fileno(), *self.ends)
            program = os.path.join(os.path.dirname(os.path.abspath(__file__)), "_worker.py")
            command = [sys.executable, "-I", "-S", program, str(os.getpid()), *map(str, given)]
            self.program = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=self.words, stderr=self.words, pass_fds=given,
                start_new_session=True, cwd="/", env=_worker_environment(),
            )  # fmt: skip
        except BaseException:
            self.close()
            raise
        finally:
            theirs.close()
        _alive.add(self)

    def give(self, job: dict[str, Any], descriptors: list[int]) -> None:
        os.pwrite(self.ends[0], bytes(4096), 0)   # the ring begins anew; the worker does not look at it now
        self.resting = False
        try:
            message = marshal.dumps(job)
        except ValueError:   # these are plain values all: that is how marshal says that there is no memory
            raise MemoryError from None
        send(self.socket, message, descriptors)

    def answer(self) -> dict[str, Any] | None:
        """What it says next; None where it died."""
        try:
            message, _ = receive(self.socket)
            found = None if message is None else json.loads(message)
        except (ConnectionError, ValueError):
            found = None
        return found if isinstance(found, dict) else None

    def come_to_rest(self, seconds: float) -> bool:
        """Is it ready for another job, at the latest in so many seconds?"""
        if not self.resting and self.program.returncode is None:
            self.socket.settimeout(seconds)
            try:
                answer = self.answer()
                self.resting = answer is not None and answer.get("idle") is True
                if not self.resting:
                    self.end()
            except TimeoutError:
                return False
            finally:
                self.socket.settimeout(None)
        return self.resting and self.program.returncode is None

    def end(self) -> int:
        """It is dead after this, and waited for; its status as subprocess has it."""
        self.resting = False
        if self.program.returncode is None:
            self.program.kill()   # a process that has ended already keeps its own status
        _alive.discard(self)
        return self.program.wait()

    def last_words(self) -> str:
        size = os.fstat(self.words).st_size
        return os.pread(self.words, LAST_WORDS, max(0, size - LAST_WORDS)).decode(errors="replace").strip()

    def close(self) -> None:
        if self.socket is not None:
            self.socket.close()
        for i in range(3):
            end, self.ends[i] = self.ends[i], -1
            if end >= 0:
                os.close(end)
        if self.words >= 0:
            os.close(self.words)
            self.words = -1

    def __del__(self) -> None:
        try:
            self._release()
        except MemoryError:   # one more try: nobody else would do it
            self._release()

    def _release(self) -> None:
        if hasattr(self, "program") and self.program.returncode is None:
            self.end()
        if hasattr(self, "ends"):
            self.close()


_alive: weakref.WeakSet[_Process] = weakref.WeakSet()   # all that run
_idle: list[_Process] = []
_lock = threading.RLock()   # a signal handler may call close() while its thread is here
_leavings: queue.SimpleQueue[_Process] = queue.SimpleQueue()   # put() may be called from a destructor
_janitor: threading.Thread | None = None


def _take(kind: Any) -> _Process:
    """A worker that rests, or a new one."""
    with _lock:
        for process in _idle:   # who has rested longest is ready soonest, see make_ready() of _worker.py
            if process.kind == kind and process.program.poll() is None:
                _idle.remove(process)
                return process
    return _Process(kind)


def _keep(process: _Process) -> None:
    """Keeps a resting worker warm, if there are not too many."""
    process.idle_since = time.monotonic()
    with _lock:
        _idle.append(process)
        surplus = _idle.pop(0) if len(_idle) > KEPT_WARM else None
    if surplus is not None:
        surplus.end()
    _wake_janitor()


def _leave(process: _Process, later: bool) -> None:
    """The Dissector needs it no more. `later`: here nothing may wait."""
    if process.program.returncode is not None:
        return
    if not later and process.come_to_rest(SETTLE_SECONDS):
        _keep(process)
    else:
        _leavings.put(process)
        _wake_janitor()


def _wake_janitor() -> None:
    global _janitor
    if (_janitor is None or not _janitor.is_alive()) and not sys.is_finalizing():
        _janitor = threading.Thread(target=_clean_up, name="wishpy-janitor", daemon=True)
        with contextlib.suppress(RuntimeError):   # too late for threads: the processes end with this one
            _janitor.start()


def _clean_up() -> None:
    """The janitor: lets workers come to rest or ends them, and ends those that were idle for long."""
    while True:   # without memory it goes on as well, and what it then drops is ended
        try:
            _settle(_leavings.get(timeout=LOOK_SECONDS))
        except queue.Empty:
            pass
        except MemoryError:
            pass
        try:
            _end_stale()
        except MemoryError:
            pass


def _settle(process: _Process) -> None:
    if process.come_to_rest(1.0):
        _keep(process)
    else:
        process.end()


def _end_stale() -> None:
    oldest = time.monotonic() - WARM_SECONDS
    with _lock:
        stale = [process for process in _idle if process.idle_since < oldest or process.program.poll() is not None]
        for process in stale:
            _idle.remove(process)
    for process in stale:
        process.end()


@atexit.register
def _end_all() -> None:
    with _lock:
        _idle.clear()
    for process in list(_alive):
        process.end()


def _after_fork() -> None:
    """The workers are the parent's. Their sockets are closed here, so that they see the parent's end."""
    global _lock, _leavings, _janitor
    for process in _alive:
        process.program.returncode = 0
        process.close()
    _alive.clear()
    _idle.clear()
    _lock, _leavings, _janitor = threading.RLock(), queue.SimpleQueue(), None


os.register_at_fork(after_in_child=_after_fork)


# --- what a job is --------------------------------------------------------------------------------------------


def _plain(value: Any) -> Any:
    """A Dissector's argument as marshal takes it: no object of the user's class travels."""
    if value is None or isinstance(value, (bool, bytes)):
        return value
    if isinstance(value, os.PathLike):
        return _plain(os.fspath(value))
    if isinstance(value, str):
        return str(value)
    if hasattr(value, "__index__"):
        return int(value)
    if isinstance(value, float):
        return float(value)
    if isinstance(value, Mapping):
        return {_plain(key): _plain(value[key]) for key in value}
    if isinstance(value, Iterable):
        return [_plain(item) for item in value]
    raise TypeError(f"{value!r} cannot be an option of a Dissector")


def _user(name: Any) -> tuple[int, int] | None:
    """Who a worker becomes: nobody new unless this process is root."""
    import pwd

    if name is not None and not isinstance(name, str):
        raise TypeError(f"worker_user must be a user's name or None, not {type(name).__name__}")
    if name is None or os.geteuid() != 0:
        return None
    try:
        entry = pwd.getpwnam(name)
    except KeyError:
        raise ValueError(f"worker_user: there is no user {name!r} on this machine") from None
    return entry.pw_uid, entry.pw_gid


def _bounds(given: dict[str, Any]) -> dict[str, Any]:
    on_crash = given.get("on_crash", "raise")
    if on_crash not in ("raise", "skip"):
        raise ValueError(f"on_crash must be 'raise' or 'skip', not {on_crash!r}")
    timeout, limit = given.get("frame_timeout"), given.get("memory_limit")
    if timeout is not None and not timeout > 0:
        raise ValueError("frame_timeout must be more than 0 seconds")
    if limit is not None and not limit > 0:
        raise ValueError("memory_limit must be more than 0 bytes")
    return {
        "skip": on_crash == "skip",
        "frame_timeout": 0 if timeout is None else min(int(timeout * 1e9) or 1, 2**62),
        "memory_limit": 0 if limit is None else min(int(limit), 2**62),
        "user": _user(given.get("worker_user", "nobody")),
    }


def _is_descriptor(path: str | bytes) -> bool:
    """Does the path mean something else in another process?"""
    name = os.path.abspath(os.fsdecode(path))
    return name == "/dev/stdin" or name.startswith(("/dev/fd/", "/proc/"))


def _is_path(source: Any) -> bool:
    return isinstance(source, (str, bytes, os.PathLike))


def _open_path(source: Any) -> tuple[Any, list[int]]:
    """What the worker opens, and the descriptor that it has to be given for that."""
    path = os.fspath(source)
    if path in ("-", b"-"):
        return "-", [os.dup(0)]
    if _is_descriptor(path):
        try:
            return "-", [os.open(path, os.O_RDONLY)]
        except OSError as error:
            message = f"{os.fsdecode(path)}: {error.strerror}"
            raise errors.FileError(message, errno=error.errno, path=source) from None
    return path, []


# --- one Dissector's worker -----------------------------------------------------------------------------------


class Engagement:
    """A worker at work for one Dissector: the object that csrc/epan/worker_link.c speaks to."""

    process: _Process | None = None
    descriptors: Any = ()

    def __init__(self, arguments: tuple[Any, ...], keywords: dict[str, Any], bounds: dict[str, Any]) -> None:
        from . import _epan

        self.descriptors = []
        if len(arguments) > 1:
            raise TypeError(f"Dissector() takes at most 1 positional argument ({len(arguments)} given)")
        keywords = dict(keywords)
        self.source = arguments[0] if arguments else keywords.pop("source", None)
        self.bounds = _bounds(bounds)
        self.hand: socket.socket | None = None   # to hand frames over: the source is for this process to read
        self.handed = not _is_path(self.source)
        if self.handed:   # these are about reading
            keywords = {name: value for name, value in keywords.items() if name not in ("linktype", "count")}
        options = {name: _plain(value) for name, value in keywords.items()}
        self.job = {
            "keywords": options, "folder": os.getcwd(), "user": self.bounds["user"],
            "network": "dns" in (options.get("name_resolution") or ()),
            "memory_limit": self.bounds["memory_limit"], "after": 0, "left_out": [], "handed": self.handed,
            "source": None,
        }  # fmt: skip
        if self.bounds["skip"]:
            self._check_skip(options)
        if self.handed:
            self.hand, theirs = socket.socketpair()
            self.descriptors.append(theirs.detach())
        else:
            self.job["source"], self.descriptors = _open_path(self.source)
        self.job["plugins"] = _epan._has_plugins()
        self.kind = (_environment(), self.job["user"], self.job["network"], self.job["plugins"])

    def _check_skip(self, options: dict[str, Any]) -> None:
        if options.get("read_filter") is not None:
            raise ValueError("on_crash='skip' does not go together with read_filter, which numbers the frames anew")
        if self.handed:
            raise ValueError("on_crash='skip' needs a capture file: a source's frames cannot be read again")
        with contextlib.suppress(OSError):   # opening it will tell
            path = os.fspath(self.source)
            if path in ("-", b"-") or _is_descriptor(path) or not stat.S_ISREG(os.stat(path).st_mode):
                raise ValueError("on_crash='skip' needs a capture file that can be read again")

    def launch(self, process: _Process) -> None:
        self.process = process
        try:
            process.give(self.job, self.descriptors)
        except ConnectionError:
            pass   # it died meanwhile: opened() finds out

    def _close_descriptors(self) -> None:
        while self.descriptors:
            os.close(self.descriptors.pop())

    def opened(self) -> Engagement:
        """Waits until the capture is open. Raises what the worker met."""
        try:
            return self._opened()
        except BaseException:
            process, self.process = self.process, None
            if process is not None:
                _leave(process, later=not process.resting)
            raise
        finally:
            self._close_descriptors()

    def _opened(self) -> Engagement:
        assert self.process is not None
        answer, fresh = self.process.answer(), self.process.fresh
        self.process.fresh = False
        if answer is None and not fresh:   # a warm one that died while nobody looked
            return self._again()
        if answer is None:
            raise self._crash(None, self._cause(self.process.end()))
        for level, text in answer.get("log", ()):
            _log.log(int(level), "%s", text)
        failure = answer.get("error")
        if failure is None:
            return self
        # A warm worker has given up the right to open what its user may not; a fresh one still has it.
        if not fresh and self.job["user"] is not None and failure["facts"].get("errno") in (errno.EACCES, errno.EPERM):
            return self._again()
        raise self._error(failure)

    def _again(self) -> Engagement:
        process, self.process = self.process, None
        if process is not None:
            _leave(process, later=False)
            del process
        self.launch(_Process(self.kind))
        return self._opened()

    def ends(self) -> tuple[int, ...]:
        assert self.process is not None
        hand = -1 if self.hand is None else self.hand.fileno()
        return (*self.process.ends, self.process.socket.fileno(), self.bounds["frame_timeout"], hand)

    # --- what comes out of the ring

    def log(self, message: bytes) -> None:
        for level, text in json.loads(message):
            _log.log(int(level), "%s", text)

    def raise_error(self, message: bytes) -> None:
        raise self._error(json.loads(message))

    def _error(self, failure: dict[str, Any]) -> BaseException:
        """The exception that the worker met, made anew here."""
        facts = {name: failure["facts"][name] for name in ERROR_FACTS if name in failure["facts"]}
        for name in failure["type"]:
            cls = getattr(errors, name, None) if name in errors.__all__ else None
            if cls is not None:
                known = {fact: facts[fact] for fact in cls._facts if fact in facts}
                if "path" in cls._facts:
                    known["path"] = self.source
                return cls(failure["message"], **known)   # type: ignore[no-any-return]
            builtin = _BUILTIN.get(name)
            if builtin is not None:
                return builtin(failure["message"])
        return errors.Error(failure["message"])

    # --- the end

    def crashed(self, frame: int, last: int, cause: str | None, memory: int) -> Engagement:
        """The worker died, or has to. Raises DissectorCrash; or goes on without the frame, with another worker."""
        assert self.process is not None
        process = self.process
        if cause is None:
            with contextlib.suppress(subprocess.TimeoutExpired):   # its socket is closed: it is about to end
                process.program.wait(5)
        status = process.end()
        crash = self._crash(frame, cause or ("memory" if memory else self._cause(status)), memory)
        if not self.bounds["skip"] or any(number == frame for number, _ in self.job["left_out"]):
            raise crash
        _log.warning("%s", crash)
        why = f"[Left out: the dissector crashed here ({crash.cause})]"
        self.job["left_out"] = sorted([*self.job["left_out"], (frame, why)])
        self.job["after"] = last
        self.launch(_take(self.kind))
        return self.opened()

    def damaged(self, frame: int) -> None:
        """A packet that was delivered turns out to be no good. Raises."""
        if self.process is not None:
            self.process.end()
        raise self._crash(frame, "damage")

    @staticmethod
    def _cause(status: int) -> str:
        if status >= 0:
            return f"exit {status}"
        try:
            return signal.Signals(-status).name
        except ValueError:
            return f"signal {-status}"

    def _crash(self, frame: int | None, cause: str, memory: int = 0) -> errors.DissectorCrash:
        what = {
            "time": f"it took longer than {self.bounds['frame_timeout'] / 1e9:g} seconds",
            "memory": f"the worker took {memory} bytes of memory, and {self.bounds['memory_limit']} are allowed",
            "damage": "what the worker sent is damaged",
        }.get(cause) or f"the worker {'ended with' if cause.startswith('exit') else 'died of'} {cause}"
        where = "while the capture was opened" if frame is None else f"frame {frame}"
        name = os.fsdecode(self.source) if _is_path(self.source) else repr(self.source)
        words = self.process.last_words() if self.process is not None else ""
        message = f"{name}: {where}: {what}" + (f"\nIts last words: {words}" if words else "")
        return errors.DissectorCrash(message, path=self.source, frame=frame, cause=cause)

    def abandon(self, later: bool) -> None:
        """The Dissector is at its end. `later`: called from a destructor."""
        if self.hand is not None:
            with contextlib.suppress(OSError):
                self.hand.shutdown(socket.SHUT_RDWR)   # a worker that waits for a frame sees its end
            self.hand.close()
        process, self.process = self.process, None
        if process is not None:
            try:   # contextlib.suppress would need memory, too
                _leave(process, later)
            except MemoryError:
                pass   # it is dropped, which ends it

    def __del__(self) -> None:
        self._close_descriptors()
        if self.process is not None:
            self.abandon(True)


_BUILTIN: dict[str, Callable[[str], BaseException]] = {
    cls.__name__: cls for cls in (TypeError, ValueError, OverflowError, MemoryError, PermissionError, OSError)
}


def start(arguments: tuple[Any, ...], keywords: dict[str, Any], bounds: dict[str, Any]) -> Engagement:
    """Gives a worker the job of a Dissector with these arguments. Called by Dissector."""
    engagement = Engagement(arguments, keywords, bounds)
    engagement.launch(_take(engagement.kind))
    return engagement
