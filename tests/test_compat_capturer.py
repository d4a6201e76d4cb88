"""wishpy 0.1's capturers: its names, its items, its errors."""

from __future__ import annotations

import importlib
import inspect
import multiprocessing
import pickle
import queue
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from traffic import ethernet, send_udp, wait_until, why_not, write_pcap

import wishpy
from wishpy.libpcap.lib.capturer import (
    PCAPHeader,
    WishpyCapturer,
    WishpyCapturerCaptureError,
    WishpyCapturerFileToQueue,
    WishpyCapturerIfaceToQueue,
    WishpyCapturerOpenError,
    WishpyCapturerQueue,
)

COUNT = 96

_missing = why_not()
live = pytest.mark.skipif(_missing is not None, reason=f"live captures: {_missing}")
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


@pytest.fixture
def path(tmp_path: Path) -> str:
    return write_pcap(tmp_path / "x.pcap", [ethernet(bytes([i]) * 50) for i in range(COUNT)])


def opened(path: str) -> tuple[WishpyCapturerFileToQueue, queue.Queue[Any]]:
    items: queue.Queue[Any] = queue.Queue()
    capturer = WishpyCapturerFileToQueue(path, items)
    capturer.open()
    return capturer, items


def taken(items: queue.Queue[Any]) -> list[Any]:
    return [items.get_nowait() for _ in range(items.qsize())]


def test_the_pcapy_module_is_the_same_object() -> None:
    import wishpy.pcapy

    sys.modules.pop("wishpy.libpcap.lib.pcapy", None)
    assert importlib.import_module("wishpy.libpcap.lib.pcapy") is wishpy.pcapy
    from wishpy.libpcap.lib import pcapy

    assert pcapy is wishpy.pcapy


def test_signatures() -> None:
    def parameters(function: Any) -> list[str]:
        return [str(parameter).split(":")[0] for parameter in inspect.signature(function).parameters.values()]

    assert parameters(WishpyCapturerIfaceToQueue)[:5] == ["iface", "queue", "snaplen", "promisc", "timeout"]
    assert parameters(WishpyCapturerFileToQueue)[:2] == ["filename", "queue"]
    capturer = WishpyCapturerIfaceToQueue("lo", queue.Queue(), other="ignored")
    assert (capturer.iface, capturer.snaplen, capturer.promisc, capturer.timeout) == ("lo", 0, True, 10)
    for name in ("iface", "snaplen", "promisc", "timeout", "queue"):
        with pytest.raises(AttributeError):
            setattr(capturer, name, 1)
    assert issubclass(WishpyCapturerQueue, WishpyCapturer)
    with pytest.raises(TypeError):
        WishpyCapturer()  # type: ignore[abstract]
    assert PCAPHeader._fields == ("dltype", "ts_sec", "ts_usec", "len", "caplen")


def test_they_warn_whoever_makes_one() -> None:
    with pytest.warns(DeprecationWarning, match="put_to") as caught:
        WishpyCapturerFileToQueue("x", queue.Queue())
    assert caught[0].filename == __file__
    with pytest.warns(DeprecationWarning) as caught:
        WishpyCapturerIfaceToQueue("lo", queue.Queue())
    assert caught[0].filename == __file__


def test_a_file(path: str) -> None:
    capturer, items = opened(path)
    assert capturer.filename == path and capturer.queue is items
    capturer.start()
    found = taken(items)
    assert len(found) == COUNT + 1 and found[-1] == ("stop", 0)
    header, data = found[3]
    assert header == PCAPHeader(1, 1_700_000_000, 3003, 64, 64) and len(data) == 64
    assert pickle.loads(pickle.dumps(found)) == found
    capturer.start()
    assert taken(items) == [("stop", 0)]
    capturer.close()
    capturer.close()


def test_started_many_times(path: str) -> None:
    capturer, items = opened(path)
    for count in (1, 5, 10):
        capturer.start(count=count, serialize=False)
        assert len(taken(items)) == count + 1
    capturer.stop()
    capturer.stop()
    capturer.start()  # what was stopped begins anew
    assert len(taken(items)) == COUNT + 1
    capturer.close()
    capturer.open()
    capturer.start(count=2)
    assert len(taken(items)) == 3


def test_a_stop_that_comes_first_ends_the_start(path: str) -> None:
    capturer, items = opened(path)
    capturer.stop()
    capturer.start()
    assert taken(items) == [("stop", 0)]
    capturer.start()
    assert len(taken(items)) == COUNT + 1


def test_stop_ends_a_start_into_a_queue_that_nobody_reads(path: str) -> None:
    items: queue.Queue[Any] = queue.Queue(3)
    capturer = WishpyCapturerFileToQueue(path, items)
    capturer.open()
    thread = threading.Thread(target=capturer.start)
    thread.start()
    assert wait_until(items.full)
    capturer.stop()
    thread.join(5)
    assert not thread.is_alive()
    assert [item[0] for item in taken(items)][-1] == "stop"
    capturer.close()


def test_errors(tmp_path: Path, path: str) -> None:
    with pytest.raises(WishpyCapturerOpenError, match="missing"):
        WishpyCapturerFileToQueue(str(tmp_path / "missing"), queue.Queue()).open()
    with pytest.raises(WishpyCapturerOpenError):
        WishpyCapturerFileToQueue(None, queue.Queue()).open()  # type: ignore[arg-type]
    with pytest.raises(WishpyCapturerOpenError):
        WishpyCapturerIfaceToQueue("nosuch0", queue.Queue()).open()
    with pytest.raises(WishpyCapturerCaptureError):
        WishpyCapturerFileToQueue(path, queue.Queue()).start()
    with open(path, "r+b") as file:
        file.truncate(5000)
    capturer, items = opened(path)
    with pytest.raises(WishpyCapturerCaptureError, match="truncated"):
        capturer.start()
    assert taken(items)[-1] == ("stop", -1)
    assert issubclass(WishpyCapturerOpenError, wishpy.Error)


def test_to_another_process(path: str) -> None:
    context = multiprocessing.get_context("spawn")
    items = context.Queue()
    capturer = WishpyCapturerFileToQueue(path, items)
    capturer.open()
    capturer.start()
    found = [items.get(timeout=10) for _ in range(COUNT + 1)]
    assert type(found[0][0]) is PCAPHeader and found[-1] == ("stop", 0)


@live
def test_an_interface_in_a_thread() -> None:
    items: queue.Queue[Any] = queue.Queue()
    capturer = WishpyCapturerIfaceToQueue("lo", items)
    capturer.open()
    for _ in range(3):
        thread = threading.Thread(target=capturer.start)
        thread.start()
        time.sleep(0.1)  # opened anew after a stop
        send_udp("127.0.0.1", 3, port=4719)
        wanted = []
        while len(wanted) < 3:
            header, data = items.get(timeout=5)
            if data[36:38] == (4719).to_bytes(2, "big") and data[23] == 17:
                wanted.append((header.len, header.caplen, len(data)))
        assert wanted == [(62, 62, 62)] * 3
        begun = time.monotonic()
        capturer.stop()
        thread.join()
        assert time.monotonic() - begun < 0.1
        assert taken(items)[-1] == ("stop", 0)
    capturer.close()
