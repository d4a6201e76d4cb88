"""wishpy 0.1's capturers: packets into a queue, as (PCAPHeader, bytes). New programs use wishpy.Capturer.put_to()."""

from __future__ import annotations

import abc
import os
import threading
import warnings
from typing import Any, NamedTuple

from wishpy.capture import Capturer, PacketHeader, QueueWriter
from wishpy.errors import CaptureError, Error

__all__ = [
    "PCAPHeader",
    "WishpyCapturer",
    "WishpyCapturerCaptureError",
    "WishpyCapturerFileToQueue",
    "WishpyCapturerIfaceToQueue",
    "WishpyCapturerOpenError",
    "WishpyCapturerQueue",
]


class PCAPHeader(NamedTuple):
    """What the queue's items begin with; times in seconds and microseconds."""

    dltype: int
    ts_sec: int
    ts_usec: int
    len: int
    caplen: int


class WishpyCapturerOpenError(CaptureError):
    """The interface or file could not be opened."""


class WishpyCapturerCaptureError(CaptureError):
    """The capture went wrong, or was never opened."""


class WishpyCapturer(abc.ABC):
    """What a capturer can do."""

    @abc.abstractmethod
    def open(self) -> None: ...

    @abc.abstractmethod
    def close(self) -> None: ...

    @abc.abstractmethod
    def start(self, **kwargs: Any) -> None: ...

    @abc.abstractmethod
    def stop(self, **kwargs: Any) -> None: ...


class WishpyCapturerQueue(WishpyCapturer):
    """A capturer into a queue: anything with put()."""

    def __init__(self, queue: Any, **kwargs: Any) -> None:
        warnings.warn(
            f"{type(self).__name__} is wishpy 0.1's; wishpy.Capturer(...).put_to(queue) takes its place",
            DeprecationWarning,
            stacklevel=_caller_of_constructors(type(self)),
        )
        self._queue = queue
        self._lock = threading.Lock()
        self._capturer: Capturer | None = None
        self._fresh = True  # open() was called, start() not yet
        self._stop_next = False  # stop() came in between, as libpcap's breakloop remembers it

    @property
    def queue(self) -> Any:
        return self._queue

    def _make(self) -> Capturer:
        """Open what is captured: for subclasses to say."""
        raise NotImplementedError(f"{type(self).__name__} does not say what it captures")

    def open(self) -> None:
        """Open the interface or file; WishpyCapturerOpenError where that fails."""
        with self._lock:
            if self._capturer is None:
                self._capturer = self._open()
                self._fresh = True
                self._stop_next = False

    def _open(self) -> Capturer:
        try:
            capturer = self._make()
        except (Error, OSError, ValueError, TypeError) as error:
            path = getattr(error, "path", None)
            raise WishpyCapturerOpenError(str(error), errno=getattr(error, "errno", None), path=path) from error
        return capturer

    def close(self) -> None:
        """Close it. May be called again."""
        with self._lock:
            if self._capturer is not None:
                self._capturer.close()
                self._capturer = None

    def _begin(self) -> Capturer:
        """The capturer to read from; after a stop() it is opened anew."""
        with self._lock:
            capturer = self._capturer
            if capturer is None:
                raise WishpyCapturerCaptureError("open() comes before start()")
            if capturer.stopped and not self._stop_next:
                capturer.close()
                capturer = self._capturer = self._open()
            self._fresh = self._stop_next = False
            return capturer

    def start(self, count: int = -1, serialize: bool = True, **kwargs: Any) -> None:
        """Put (PCAPHeader, bytes) for each packet, then ("stop", result).

        Blocks until the end, `count` packets or stop(); 0 or less is no limit. May be called again. `serialize` has
        no meaning any more: the items are always tuples that can be pickled. When stop() is called while the queue
        stays full, the oldest item makes room for the last.
        """
        capturer = self._begin()
        writer = QueueWriter(capturer, self._queue, "block")
        result = -1
        try:
            done = 0
            while count <= 0 or done < count:
                item = capturer._next_item()
                if item is None:
                    break
                writer.put(_as_in_0_1(item))
                done += 1
            result = 0
        except (Error, ValueError) as error:
            if not capturer.stopped:
                path = capturer.interface or capturer.path
                raise WishpyCapturerCaptureError(str(error), errno=getattr(error, "errno", None), path=path) from error
            result = 0  # closed by another thread: that is an end, too
        finally:
            writer.put_end(("stop", result))

    def stop(self, **kwargs: Any) -> None:
        """End the start() that runs, from any thread; before the first start(), end that. May be called again."""
        with self._lock:
            if self._capturer is not None:
                self._stop_next = self._fresh
                self._capturer.stop()


def _as_in_0_1(item: tuple[PacketHeader, bytes]) -> tuple[PCAPHeader, bytes]:
    header, data = item
    seconds, nanoseconds = divmod(header.time_ns, 1_000_000_000)
    return PCAPHeader(header.linktype, seconds, nanoseconds // 1000, header.length, header.captured_length), data


class WishpyCapturerIfaceToQueue(WishpyCapturerQueue):
    """Live packets of an interface into a queue. timeout is in milliseconds; a snaplen of 0 means whole packets."""

    def __init__(
        self, iface: str, queue: Any, snaplen: int = 0, promisc: bool = True, timeout: int = 10, **kwargs: Any
    ) -> None:
        super().__init__(queue, **kwargs)
        self._iface = iface
        self._snaplen = snaplen
        self._promisc = promisc
        self._timeout = timeout

    @property
    def iface(self) -> str:
        return self._iface

    @property
    def snaplen(self) -> int:
        return self._snaplen

    @property
    def promisc(self) -> bool:
        return self._promisc

    @property
    def timeout(self) -> int:
        return self._timeout

    def _make(self) -> Capturer:
        return Capturer(
            self._iface,
            snaplen=self._snaplen if self._snaplen > 0 else 262144,
            promiscuous=bool(self._promisc),
            timeout=self._timeout / 1000,
        )


class WishpyCapturerFileToQueue(WishpyCapturerQueue):
    """The packets of a capture file, read by libpcap, into a queue."""

    def __init__(self, filename: str | os.PathLike[str], queue: Any, **kwargs: Any) -> None:
        super().__init__(queue, **kwargs)
        self._filename = filename

    @property
    def filename(self) -> str | os.PathLike[str]:
        return self._filename

    def _make(self) -> Capturer:
        return Capturer(path=self._filename)


def _caller_of_constructors(cls: type) -> int:
    """The stacklevel at which the warning points at who made the object: past each __init__ on the way."""
    above = [base for base in cls.__mro__ if "__init__" in vars(base) and issubclass(base, WishpyCapturerQueue)]
    return 1 + len(above)
