"""Capturer: live packets and capture files through libpcap, with queues, asyncio and dumpcap on top of wishpy._pcap."""

from __future__ import annotations

import errno
import inspect
import logging
import os
import queue as queue_module
import sys
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from . import _pcap
from ._dumpcap import Dumpcap
from ._pcap import CaptureStats, PacketHeader, RawPacket
from .errors import CaptureError, FileError

if TYPE_CHECKING:
    import asyncio

__all__ = ["Address", "CaptureStats", "Capturer", "Interface", "PacketHeader", "RawPacket", "interfaces"]

logger = logging.getLogger("wishpy")

# How long a put into a full queue waits before it looks for stop() again.
_PATIENCE = 0.05
# How long, after stop(), a full queue is given to make room for the end marker.
_GRACE = 1.0

# What only a live capture can have, with the defaults: with path= anything else is refused.
_LIVE_ONLY: dict[str, Any] = {
    "snaplen": 65535,
    "promiscuous": True,
    "timeout": 0.1,
    "buffer_size": None,
    "immediate": False,
    "monitor": False,
    "direction": "inout",
    "linktype": None,
    "backend": "libpcap",
}

# libpcap's own 2 MiB are full in 0.1 s at 100,000 small packets a second, which is less than a busy Python may sleep.
_DEFAULT_BUFFER = 16 * 1024 * 1024


class Capturer(_pcap.Capturer):
    """An iterator of RawPacket over a live capture, or over a capture file through libpcap.

    interface       its name, or "any"; or else
    path            a capture file, pcap or pcapng; "-" is standard input, and a pipe may be one
    capture_filter  in libpcap's language; FilterError, with the position, for a mistake
    snaplen         bytes of a packet to capture at most
    promiscuous     also packets that are not for this machine
    timeout         seconds that the kernel may keep packets to hand over many at once, 0 as with immediate;
                    it never ends the iteration
    buffer_size     the kernel's buffer in bytes; None is 16 MiB
    immediate       no keeping: each packet at once, at the price of more work for each
    monitor         monitor mode, for 802.11
    precision       "ns", where the device has it, or "us"; the attribute of this name says which it became
    direction       "inout", "in" or "out"
    linktype        a link type's name or DLT number, for interfaces that have more than one
    count           packets after which it ends
    duration        seconds, from the opening, after which it ends
    backend         "libpcap", or "dumpcap": through Wireshark's own small privileged program

    It is a context manager, an iterable and an async iterable. One consumer at a time reads; stop(), stats() and
    close() may be called from any thread. A closed Capturer raises ValueError.
    """

    def __new__(cls, *args: Any, backend: str = "libpcap", **kwargs: Any) -> Capturer:
        return super().__new__(_DumpcapCapturer if cls is Capturer and backend == "dumpcap" else cls)

    def __init__(
        self,
        interface: str | None = None,
        *,
        path: str | os.PathLike[str] | None = None,
        capture_filter: str | None = None,
        snaplen: int = 65535,
        promiscuous: bool = True,
        timeout: float = 0.1,
        buffer_size: int | None = None,
        immediate: bool = False,
        monitor: bool = False,
        precision: str = "ns",
        direction: str = "inout",
        linktype: str | int | None = None,
        count: int | None = None,
        duration: float | None = None,
        backend: str = "libpcap",
    ) -> None:
        self.queue_dropped = 0
        self.capture_filter = capture_filter
        self.snaplen = snaplen if path is None else None
        live: dict[str, Any] = {
            "snaplen": snaplen,
            "promiscuous": promiscuous,
            "timeout": timeout,
            "buffer_size": buffer_size,
            "immediate": immediate,
            "monitor": monitor,
            "direction": direction,
            "linktype": linktype,
        }
        rest: dict[str, Any] = {
            "capture_filter": capture_filter,
            "precision": precision,
            "count": count,
            "duration": duration,
        }
        if backend not in ("libpcap", "dumpcap"):
            raise ValueError(f'backend must be "libpcap" or "dumpcap", not {backend!r}')
        if buffer_size is not None and buffer_size <= 0:
            raise ValueError("buffer_size must be a number of bytes above 0")
        if path is not None:
            _refuse({**live, "backend": backend}, "{} is for live captures, not for a capture file")
            super().__init__(interface, path=path, **rest)
        else:
            self._open_live(interface, live, rest)

    def _open_live(self, interface: str | None, live: dict[str, Any], rest: dict[str, Any]) -> None:
        if live["buffer_size"] is None:
            live["buffer_size"] = _DEFAULT_BUFFER
        try:
            _pcap.Capturer.__init__(self, interface, **live, **rest)
        except CaptureError as error:
            raise _with_ways_out(error) from None
        if self._warning:
            logger.warning("%s: %s", interface, self._warning)

    @property
    def linktype_name(self) -> str:
        """libpcap's name of the link type, such as "EN10MB"."""
        return _pcap.linktype_name(self.linktype) or str(self.linktype)

    # ---- Queues

    def put_to(self, queue: Any, count: int | None = None, *, policy: str = "block") -> int:
        """Put (PacketHeader, bytes) for each packet into `queue`, then None; return how many were put.

        Ends after `count` packets, at the end of the capture, or on stop(), from any thread.

        queue   anything with put(): queue.Queue, multiprocessing.Queue, one of your own
        policy  when a bounded queue is full: "block" waits for room, "drop" leaves the packet out and counts it in
                `queue_dropped`

        When stop() is called while the queue stays full, the oldest item makes room for the None, and is counted.
        """
        if policy not in ("block", "drop"):
            raise ValueError(f'policy must be "block" or "drop", not {policy!r}')
        if count is not None and count < 0:
            raise ValueError("count must not be negative")
        writer = QueueWriter(self, queue, policy)
        done = 0
        try:
            while count is None or done < count:
                item = self._next_item()
                if item is None:
                    break
                if writer.put(item):
                    done += 1
        finally:
            writer.put_end()
        return done

    # ---- asyncio

    def __aiter__(self) -> AsyncIterator[RawPacket]:
        return self._packets()

    async def _packets(self) -> AsyncIterator[RawPacket]:
        import asyncio

        loop = asyncio.get_running_loop()
        while True:
            try:
                raw = self._poll()
            except StopAsyncIteration:
                return
            if raw is not None:
                yield raw
                # Many packets may be there at once; other tasks get their turn between two handfuls.
                if self._wait_hints()[2] == 0:
                    await asyncio.sleep(0)
                continue
            descriptors, seconds, _ = self._wait_hints()
            await _readable(loop, descriptors, seconds)


class _DumpcapCapturer(Capturer):
    """What Capturer(interface, backend="dumpcap") is: it reads the pcapng that dumpcap writes into a pipe."""

    _dumpcap: Dumpcap | None = None

    def _open_live(self, interface: str | None, live: dict[str, Any], rest: dict[str, Any]) -> None:
        if interface is None:
            raise TypeError("Capturer needs an interface or path=, one of them")
        refused = {name: live.pop(name) for name in ("timeout", "immediate", "direction")}
        _refuse(refused, 'backend="dumpcap" leaves {} to dumpcap, which has no option for it')
        self._dumpcap = dumpcap = Dumpcap(interface, rest.pop("capture_filter"), **live)
        try:
            _pcap.Capturer.__init__(self, interface, fd=dumpcap.fileno(), **rest)
        except FileError as error:
            raise dumpcap.failure(str(error)) from None
        except BaseException:
            dumpcap.close()
            raise

    def _check(self) -> None:
        """Raise what dumpcap said when it was dumpcap that ended, not a limit or stop()."""
        if self._dumpcap is not None and self._at_end:
            self._dumpcap.check()

    def __next__(self) -> RawPacket:
        try:
            return super().__next__()
        except StopIteration:
            self._check()
            raise

    def _next_item(self) -> tuple[PacketHeader, bytes] | None:
        item = super()._next_item()
        if item is None:
            self._check()
        return item

    def _poll(self) -> RawPacket | None:
        try:
            return super()._poll()
        except StopAsyncIteration:
            self._check()
            raise

    def stats(self) -> CaptureStats:
        if self._dumpcap is None:
            return super().stats()
        return self._dumpcap.stats(self._handed_out)

    def close(self) -> None:
        super().close()
        if self._dumpcap is not None:
            self._dumpcap.close()


class QueueWriter:
    """Puts packets into one queue, whatever it can do."""

    def __init__(self, capturer: Capturer, queue: Any, policy: str) -> None:
        put = getattr(queue, "put", None)
        if put is None:
            raise TypeError(f"a {type(queue).__name__} has no put()")
        if inspect.iscoroutinefunction(put):
            raise TypeError("put_to() is for queues of threads and processes; in asyncio, use `async for`")
        self.capturer = capturer
        self.queue = queue
        self.drop = policy == "drop"
        # The queues of the standard library can be asked not to wait; of others only put() is known.
        self.bounded = hasattr(queue, "put_nowait")

    def put(self, item: Any) -> bool:
        """Put one item; False when it was left out."""
        if self.drop:
            try:
                (self.queue.put_nowait if self.bounded else self.queue.put)(item)
            except queue_module.Full:
                self.capturer.queue_dropped += 1
                return False
            return True
        if not self.bounded:
            self.queue.put(item)
            return True
        while True:
            try:
                self.queue.put(item, timeout=_PATIENCE)
                return True
            except queue_module.Full:
                if self.capturer.stopped:
                    self.capturer.queue_dropped += 1
                    return False

    def put_end(self, item: Any = None) -> None:
        """Put the last item. A full queue is waited for, but after stop() only for a moment."""
        if not self.bounded:
            self.queue.put(item)
            return
        stopped_at: float | None = None
        while True:
            try:
                self.queue.put(item, timeout=_PATIENCE)
                return
            except queue_module.Full:
                if not self.capturer.stopped:
                    continue
            if stopped_at is None:
                stopped_at = time.monotonic()
            if time.monotonic() - stopped_at > _GRACE and hasattr(self.queue, "get_nowait"):
                try:
                    self.queue.get_nowait()
                    self.capturer.queue_dropped += 1
                except queue_module.Empty:
                    pass


def _refuse(options: dict[str, Any], message: str) -> None:
    for name, value in options.items():
        if value != _LIVE_ONLY[name]:
            raise ValueError(message.format(name))


def _with_ways_out(error: CaptureError) -> CaptureError:
    """The error, and what can be done where it is privileges that are missing."""
    if error.errno not in (errno.EPERM, errno.EACCES):
        return error
    python = os.path.realpath(sys.executable)
    text = (
        f"{error}\n"
        "Capturing needs the capability CAP_NET_RAW, and CAP_NET_ADMIN for monitor mode. Two ways out:\n"
        f"  give them to this Python:      sudo setcap cap_net_raw,cap_net_admin+eip {python}\n"
        f'  capture through dumpcap:       Capturer({error.path!r}, backend="dumpcap")\n'
        "Wireshark's dumpcap has them where it is installed for that; on Debian, "
        "`sudo dpkg-reconfigure wireshark-common` and `sudo usermod -aG wireshark $USER`.\n"
        "Dissecting and reading files need no privileges."
    )
    return CaptureError(text, errno=error.errno, path=error.path)


async def _readable(loop: asyncio.AbstractEventLoop, descriptors: tuple[int, ...], seconds: float | None) -> None:
    """Wait until one of the descriptors can be read, or the time is over."""
    import asyncio

    ready = asyncio.Event()
    for fd in descriptors:
        loop.add_reader(fd, ready.set)
    timer = None if seconds is None else loop.call_later(seconds, ready.set)
    try:
        await ready.wait()
    finally:
        if timer is not None:
            timer.cancel()
        for fd in descriptors:
            loop.remove_reader(fd)


# ---- Interfaces


@dataclass(frozen=True)
class Address:
    """An address of an interface; the last three are None where they don't apply."""

    address: str
    netmask: str | None = None
    broadcast: str | None = None
    peer: str | None = None


@dataclass(frozen=True)
class Interface:
    """An interface that can be captured from."""

    name: str
    description: str | None
    addresses: tuple[Address, ...]
    up: bool
    running: bool
    loopback: bool
    wireless: bool

    @cached_property
    def linktypes(self) -> tuple[str, ...]:
        """The link types to choose from, by libpcap's names, its own first.

        Asked from the interface when first looked at, which needs the same privileges as capturing; CaptureError
        without them.
        """
        try:
            numbers = _pcap.list_linktypes(self.name)
        except CaptureError as error:
            raise _with_ways_out(error) from None
        return tuple(_pcap.linktype_name(number) or str(number) for number in numbers)


def interfaces() -> list[Interface]:
    """The interfaces of this machine, with their addresses and link types, in libpcap's order."""
    return [
        Interface(
            name=name,
            description=description,
            addresses=tuple(Address(*address) for address in addresses),
            up=bool(flags & _pcap.IF_UP),
            running=bool(flags & _pcap.IF_RUNNING),
            loopback=bool(flags & _pcap.IF_LOOPBACK),
            wireless=bool(flags & _pcap.IF_WIRELESS),
        )
        for name, description, flags, addresses in _pcap.list_interfaces()
    ]
