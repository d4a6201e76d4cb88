"""The exceptions of wishpy. Each carries its facts as attributes, so that a program need not parse a message."""

from __future__ import annotations

import os

TYPE_CHECKING = False   # as in __init__.py
if TYPE_CHECKING:
    from typing import Any
else:
    Any = object   # for who evaluates the annotations

__all__ = [
    "CaptureError",
    "DissectorCrash",
    "Error",
    "FieldError",
    "FileError",
    "FilterError",
    "PreferenceError",
    "SessionError",
]


def _rebuild(cls: type[BaseException], args: tuple[Any, ...], facts: dict[str, Any]) -> BaseException:
    """Make an exception anew after pickling: its facts are keyword-only."""
    return cls(*args, **facts)


class Error(Exception):
    """The base of all of wishpy's exceptions."""

    _facts: tuple[str, ...] = ()

    def __reduce__(self) -> Any:
        facts = {name: getattr(self, name) for name in self._facts}
        return _rebuild, (type(self), (str(self.message),), facts)

    def __init__(self, message: str = "") -> None:
        super().__init__(message)
        self.message = message

    def __str__(self) -> str:
        return self.message


class _SystemError(Error, OSError):
    """What FileError and CaptureError share: an errno and a path or an interface name."""

    _facts = ("errno", "path")

    def __init__(self, message: str = "", *, errno: int | None = None, path: Any = None) -> None:
        super().__init__(message)
        self.errno = errno or None
        self.strerror = os.strerror(errno) if errno else None
        self.path = path
        self.filename = path

    def __str__(self) -> str:
        return self.message


class FileError(_SystemError):
    """A capture file could not be opened, read to its end, or written.

    `path` is the file as it was named, `errno` the system's error number or None.
    """


class CaptureError(_SystemError):
    """A live capture could not be started or went wrong; `path` is the interface's name."""


class FilterError(Error, ValueError):
    """A display filter or capture filter is not valid.

    `filter` is its text; `position` and `span` say where the mistake is, in characters, or are None.
    """

    _facts = ("filter", "position", "span")

    def __init__(
        self, message: str = "", *, filter: str | None = None, position: int | None = None, span: int | None = None
    ) -> None:
        super().__init__(message)
        self.filter = filter
        self.position = position
        self.span = span


class FieldError(Error, KeyError):
    """No field or protocol has this name; `field` is the name, the message has the nearest ones."""

    _facts = ("field",)

    def __init__(self, message: str = "", *, field: str | None = None) -> None:
        super().__init__(message)
        self.field = field


class PreferenceError(Error, ValueError):
    """A preference does not exist or does not take that value; `preference` is its name."""

    _facts = ("preference",)

    def __init__(self, message: str = "", *, preference: str | None = None) -> None:
        super().__init__(message)
        self.preference = preference


class SessionError(Error, RuntimeError):
    """The one place that libwireshark has for a capture is taken by another open Dissector."""


class DissectorCrash(Error, RuntimeError):
    """A dissector crashed, hung or grew beyond its limits in a worker process, at frame number `frame`.

    `cause` is the signal's name ("SIGSEGV"), "time" for frame_timeout, "memory" for memory_limit, or "exit 3" for a
    worker that ended itself.
    """

    _facts = ("path", "frame", "cause")

    def __init__(
        self, message: str = "", *, path: Any = None, frame: int | None = None, cause: str | None = None
    ) -> None:
        super().__init__(message)
        self.path = path
        self.frame = frame
        self.cause = cause
