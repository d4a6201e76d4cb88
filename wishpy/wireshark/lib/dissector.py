"""wishpy 0.1's dissectors: JSON texts of a file's or a queue's packets. New programs use wishpy.Dissector."""

from __future__ import annotations

import abc
import json
import logging
import os
import warnings
from collections.abc import Callable, Generator, Iterator
from typing import Any

from wishpy import DisplayFilter, Dissector, Packet
from wishpy.errors import Error, FilterError

__all__ = [
    "WishpyDissectorBase",
    "WishpyDissectorFile",
    "WishpyDissectorQueue",
    "WishpyDissectorQueuePython",
    "WishpyEpanLibAlreadyInitialized",
    "WishpyEpanLibUninitializedError",
    "WishpyErrorInitDissector",
    "WishpyErrorWthOpen",
    "cleanup_process",
    "setup_process",
]

_logger = logging.getLogger("wishpy")


class WishpyErrorInitDissector(Error):
    """A dissector could not be set up."""


class WishpyEpanLibUninitializedError(Error):
    """setup_process() was not called."""


class WishpyEpanLibAlreadyInitialized(Error):
    """setup_process() was called a second time."""


class WishpyErrorWthOpen(Error):
    """The capture file could not be opened."""


_is_set_up = False


def _deprecated(old: str, new: str, stacklevel: int) -> None:
    warnings.warn(f"{old} is wishpy 0.1's; {new}", DeprecationWarning, stacklevel=stacklevel + 1)


def setup_process() -> None:
    """Say that dissectors will run. libwireshark itself starts when it is needed."""
    global _is_set_up
    _deprecated("setup_process()", "wishpy.Dissector needs no set-up", 2)
    if _is_set_up:
        raise WishpyEpanLibAlreadyInitialized("setup_process() was called before: it is for once per process")
    _is_set_up = True


def cleanup_process() -> None:
    """Undo setup_process()."""
    global _is_set_up
    _deprecated("cleanup_process()", "wishpy.Dissector needs no set-up", 2)
    if not _is_set_up:
        _logger.warning("cleanup_process() without a setup_process() before it")
    _is_set_up = False


def _require_set_up() -> None:
    if not _is_set_up:
        raise WishpyEpanLibUninitializedError("call setup_process() first")


class WishpyDissectorBase(abc.ABC):
    """What all dissectors share: the filter, and how the JSON looks, which is set for a whole class."""

    _elasticky = False
    _pretty = False
    _proto_tree = False
    _json_test = False

    def __init__(self) -> None:
        # Past this __init__ and those of the subclasses here, so that the warning points at who makes the object.
        depth = sum("__init__" in vars(base) for base in type(self).__mro__[:-1])
        _deprecated(type(self).__name__, "wishpy.Dissector takes its place", 1 + depth)
        self._filter: str | None = None

    @classmethod
    def set_elasticky(cls, enabled: bool) -> None:
        """Underscores for the dots in the keys, as Elasticsearch wants them."""
        cls._elasticky = bool(enabled)

    @classmethod
    def set_pretty_print_details(cls, enabled: bool = False, add_proto_tree: bool = False) -> None:
        """JSON over several lines, indented by four; the tree as text under "proto_tree"."""
        cls._pretty = bool(enabled)
        cls._proto_tree = bool(add_proto_tree)

    @classmethod
    def enable_json_test(cls) -> None:
        """Read each JSON text back before it is handed out."""
        cls._json_test = True

    def apply_filter(self, text: str, overwrite: bool = False) -> tuple[int, str | None]:
        """Set a display filter: (0, None); or (-1, message) where one is set, (-2, message) for a bad one."""
        if self._filter is not None and not overwrite:
            return -1, f"a filter is set already: {self._filter}"
        message = _mistake_in(text)
        if message is not None:
            return -2, message
        self._filter = text
        return 0, None

    def clear_filter(self) -> None:
        """All packets again."""
        self._filter = None

    @abc.abstractmethod
    def run(self, count: int = 0) -> Generator[Any, Any, None]:
        """The packets, as the subclass says."""

    def _json(self, packet: Packet, skipped: int = 0) -> str:
        indent = 4 if self._pretty else None
        text: str = packet._json_0_1(self._elasticky, indent)
        if skipped > 0:
            text = json.dumps(_renumbered(packet, json.loads(text), skipped), indent=indent, ensure_ascii=False)
        if self._proto_tree:
            text = _with_member(text, "proto_tree", str(packet), indent)
        if self._json_test:
            json.loads(text)
        return text


def _mistake_in(text: str) -> str | None:
    """What is wrong with a display filter, or None."""
    if not isinstance(text, str):
        return f"a filter is a str, not {type(text).__name__}"
    try:
        DisplayFilter(text)
    except FilterError as error:
        return str(error)
    return None


def _renumbered(packet: Packet, layers: dict[str, Any], skipped: int) -> dict[str, Any]:
    """0.1 did not dissect what it skipped: its frame numbers began behind it."""
    known = packet.keys()
    names = {name for name in known if packet.find_all(name)[0].type == "FT_FRAMENUM"} | {"frame.number"}
    names |= {name.replace(".", "_") for name in names}

    def change(value: Any, is_number: bool) -> Any:
        if isinstance(value, dict):
            return {key: change(item, key in names) for key, item in value.items()}
        if isinstance(value, list):
            return [change(item, is_number) for item in value]
        return value - skipped if is_number and isinstance(value, int) else value

    changed: dict[str, Any] = change(layers, False)
    return changed


def _with_member(text: str, name: str, value: str, indent: int | None) -> str:
    """One more member at the end of a JSON object."""
    comma = "" if text.rstrip("}\n ") == "{" else ","
    member = f"{json.dumps(name)}: {json.dumps(value, ensure_ascii=False)}"
    if indent is None:
        return f"{text[:-1]}{comma}{member}}}"
    return f"{text[:-2]}{comma}\n{' ' * indent}{member}\n}}"


class WishpyDissectorFile(WishpyDissectorBase):
    """The packets of a capture file."""

    def __init__(self, filename: str | os.PathLike[str]) -> None:
        super().__init__()
        self._filename = filename

    @property
    def filename(self) -> str | os.PathLike[str]:
        return self._filename

    def run(self, count: int = 0, skip: int = -1) -> Generator[str, Any, None]:
        """JSON texts, one a packet: the first `count` of them (0: all) behind the first `skip` packets."""
        _require_set_up()
        skipped = max(skip, 0)
        with self._open(count, skipped) as packets:
            for packet in packets:
                if (yield self._json(packet, skipped)) == "stop":
                    return

    def _open(self, count: int, skipped: int) -> Dissector:
        if self._filename is None:
            raise WishpyErrorWthOpen("there is no file: the name is None")
        try:
            return Dissector(
                self._filename, display_filter=self._filter, skip=skipped, count=count if count > 0 else None
            )
        except (OSError, TypeError) as error:
            raise WishpyErrorWthOpen(str(error)) from error


class WishpyDissectorQueue(WishpyDissectorBase):
    """Packets that fetch() brings one by one, as (header, data)."""

    def __init__(self) -> None:
        super().__init__()
        self._dissector: Dissector | None = None

    @abc.abstractmethod
    def fetch(self) -> tuple[Any, Any]:
        """The next packet; waits for it. ("stop", anything) is the end."""

    def dissect_one_packet(self) -> tuple[Any, Any, str | None]:
        """Fetch a packet and dissect it: (header, data, JSON), without JSON at the end and where the filter says no."""
        _require_set_up()
        header, data = self.fetch()
        if _is_stop(header):
            return header, data, None
        packet = self._open().dissect(data, **_facts_of(header))
        return header, data, None if packet is None else self._json(packet)

    def _open(self) -> Dissector:
        if self._dissector is None:
            self._dissector = Dissector(display_filter=self._filter)
        return self._dissector

    def apply_filter(self, text: str, overwrite: bool = False) -> tuple[int, str | None]:
        """As ever. A filter belongs to a session of libwireshark: conversations are forgotten, frames count anew."""
        self.close()
        return super().apply_filter(text, overwrite)

    def clear_filter(self) -> None:
        """All packets again. Conversations are forgotten and frames count anew, as with apply_filter()."""
        self.close()
        super().clear_filter()

    def close(self) -> None:
        """Forget the conversations so far, and leave libwireshark to others. May be called again."""
        if self._dissector is not None:
            self._dissector.close()
            self._dissector = None

    def run(self, count: int = 0) -> Generator[tuple[Any, Any, str | None], Any, None]:
        """(header, data, JSON) of each packet that the filter lets through; ("stop", data, None) is the last.

        Ends after `count` packets (0: no limit), and on send("stop").
        """
        done = 0
        try:
            while count <= 0 or done < count:
                header, data, text = self.dissect_one_packet()
                if text is None and not _is_stop(header):
                    continue
                done += 1
                if (yield header, data, text) == "stop" or _is_stop(header):
                    return
        finally:
            self.close()


class WishpyDissectorQueuePython(WishpyDissectorQueue):
    """The packets of a queue that a capturer fills: queue.Queue, multiprocessing.Queue, anything with get()."""

    def __init__(self, queue: Any, iface_name: str | None = None) -> None:
        super().__init__()
        self._queue = queue
        self._iface_name = iface_name
        self._stopped = False
        self._run: Iterator[tuple[Any, Any, str | None]] | None = None

    @property
    def iface_name(self) -> str | None:
        return self._iface_name

    def fetch(self) -> tuple[Any, Any]:
        """The next item; waits for it."""
        item = ("stop", None) if self._stopped else self._queue.get()
        if self._stopped or item is None:
            self._stopped = False
            return "stop", None
        header, data = item
        return header, data

    def stop(self) -> None:
        """End the run(), from any thread, also while it waits for a packet."""
        self._stopped = True
        put: Callable[[Any], Any] | None = getattr(self._queue, "put", None)
        if put is not None:
            put(("stop", 0))  # wakes a fetch() that waits

    def __iter__(self) -> Iterator[tuple[Any, Any, str | None]]:
        return self

    def __next__(self) -> tuple[Any, Any, str | None]:
        if self._run is None:
            self._run = self.run()
        return next(self._run)


def _is_stop(header: Any) -> bool:
    return isinstance(header, str) and header == "stop"


def _facts_of(header: Any) -> dict[str, Any]:
    """A header's time, length and link type as Dissector.dissect() wants them: of 0.1's PCAPHeader, or of today's."""
    if hasattr(header, "time_ns"):
        return {"time_ns": header.time_ns, "length": header.length, "linktype": header.linktype}
    dltype, seconds, microseconds, length, _ = header
    return {"time_ns": seconds * 1_000_000_000 + microseconds * 1000, "length": length, "linktype": dltype}
