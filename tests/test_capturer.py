"""Capturer on capture files and pipes, its queues and its asyncio; live captures are in test_capturer_live.py."""

from __future__ import annotations

import asyncio
import gc
import multiprocessing
import os
import pickle
import queue
import threading
import time
import weakref
from pathlib import Path
from typing import Any

import pytest
from traffic import PCAP_NANO, ethernet, ipv4, tcp, udp, wait_until, write_pcap

import wishpy
from wishpy import Capturer, RawPacket
from wishpy._pcap import PacketHeader

COUNT = 600  # more than two of the handfuls that are read at once


@pytest.fixture
def packets() -> list[bytes]:
    def payload(i: int) -> bytes:
        return tcp(i + 1, 80, payload=b"x" * i) if i % 3 == 0 else udp(i + 1, 53, b"y" * i)

    return [ethernet(ipv4(6 if i % 3 == 0 else 17, "192.0.2.1", "192.0.2.2", payload(i))) for i in range(COUNT)]


@pytest.fixture
def path(tmp_path: Path, packets: list[bytes]) -> str:
    return write_pcap(tmp_path / "x.pcap", packets)


def test_iterates(path: str, packets: list[bytes]) -> None:
    with Capturer(path=path) as capturer:
        assert iter(capturer) is capturer
        found = list(capturer)
        assert next(capturer, None) is None
    assert [raw.data for raw in found] == packets
    assert type(found[0]) is RawPacket
    assert found[3].time_ns == 1_700_000_000_003_003_000
    assert {(raw.linktype, raw.interface) for raw in found} == {(1, None)}


def test_what_it_says_of_itself(path: str) -> None:
    capturer = Capturer(path=path)
    assert (capturer.path, capturer.interface, capturer.linktype, capturer.linktype_name) == (path, None, 1, "EN10MB")
    assert (capturer.precision, capturer.closed, capturer.stopped) == ("ns", False, False)
    assert path in repr(capturer)
    capturer.close()
    assert (capturer.closed, capturer.stopped) == (True, True)
    assert "closed" in repr(capturer)


def test_nanoseconds_or_microseconds(tmp_path: Path) -> None:
    nano = write_pcap(tmp_path / "nano.pcap", [b"x"] * 9, magic=PCAP_NANO)
    assert next(Capturer(path=nano)).time_ns == 1_700_000_000_000_000_000
    assert list(Capturer(path=nano))[4].time_ns == 1_700_000_000_000_004_004
    assert list(Capturer(path=nano, precision="us"))[4].time_ns == 1_700_000_000_000_004_000


def test_paths(path: str, packets: list[bytes], tmp_path: Path) -> None:
    assert len(list(Capturer(path=Path(path)))) == COUNT
    odd = tmp_path / "ü \udcff.pcap"
    os.rename(path, odd)
    assert len(list(Capturer(path=odd))) == COUNT


def test_packets_outlive_their_capturer(path: str, packets: list[bytes]) -> None:
    found = list(Capturer(path=path))
    gc.collect()
    assert [raw.data for raw in found] == packets


def test_count(path: str) -> None:
    for count in (0, 1, 255, 256, 257, COUNT, COUNT + 1):
        capturer = Capturer(path=path, count=count)
        assert len(list(capturer)) == min(count, COUNT)
        assert next(capturer, None) is None


def test_capture_filter(path: str) -> None:
    assert len(list(Capturer(path=path, capture_filter="tcp"))) == COUNT // 3
    assert len(list(Capturer(path=path, capture_filter=""))) == COUNT
    assert list(Capturer(path=path, capture_filter="ip6")) == []


@pytest.mark.parametrize(
    ("text", "position", "span", "message"),
    [
        ("tcp prot 80", 4, 4, "syntax error"),
        ("tcp and", 7, 0, "syntax error"),
        ("(tcp", 4, 0, "syntax error"),
        ("tcp port 80 )", 12, 1, "syntax error"),
        ("tcp port 80 oor udp", 12, 3, "syntax error"),
        ("port nosuchport", 5, 10, "unknown port 'nosuchport'"),
        ("udp dst port 99999", 13, 5, "illegal port number 99999 > 65535"),
        ("ether host 1:2", 11, 3, "illegal link layer address"),
        ("tcp[tcpflags & tcp-sin != 0", 15, 7, "syntax error"),
        ("not (src net 10.0.0.0/8 and vlan 5000)", 33, 4, "VLAN tag 5000 greater than maximum 4095"),
        ("tcp é", 4, 1, ""),
        ("wlan type mgt", 10, 3, "802.11 link-layer types supported only on 802.11"),
    ],
)
def test_a_bad_capture_filter(path: str, text: str, position: int, span: int, message: str) -> None:
    with pytest.raises(wishpy.FilterError) as caught:
        Capturer(path=path, capture_filter=text)
    error = caught.value
    assert text in str(error) and message in str(error)
    assert (error.filter, error.position, error.span) == (text, position, span)


def test_looking_for_the_mistake_takes_no_time(path: str) -> None:
    text = "(" * 2000 + "tcp" + ")" * 1999 + " oor udp" * 200
    begun = time.monotonic()
    with pytest.raises(wishpy.FilterError):
        Capturer(path=path, capture_filter=text)
    assert time.monotonic() - begun < 2


def test_the_filter_is_for_the_link_type(tmp_path: Path) -> None:
    raw_ip = write_pcap(tmp_path / "raw.pcap", [ipv4(6, "192.0.2.1", "192.0.2.2", tcp(1, 2))], linktype=101)
    assert len(list(Capturer(path=raw_ip, capture_filter="tcp"))) == 1
    with pytest.raises(wishpy.FilterError, match="ethernet address"):
        Capturer(path=raw_ip, capture_filter="ether host 00:11:22:33:44:55")


# ---- Mistakes


def test_no_such_file(tmp_path: Path) -> None:
    missing = tmp_path / "missing.pcap"
    with pytest.raises(wishpy.FileError) as caught:
        Capturer(path=missing)
    assert (caught.value.errno, caught.value.path) == (2, str(missing))
    assert str(caught.value) == f"{missing}: No such file or directory"


def test_not_a_capture(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"no capture at all, but long enough")
    with pytest.raises(wishpy.FileError, match=r"x: unknown file format"):
        Capturer(path=tmp_path / "x")


def test_a_cut_file(path: str) -> None:
    os.truncate(path, os.path.getsize(path) - 5)
    capturer = Capturer(path=path)
    found = []
    with pytest.raises(wishpy.FileError, match=r"x\.pcap: truncated dump file"):
        for raw in capturer:
            found.append(raw)
    assert len(found) == COUNT - 1
    with pytest.raises(wishpy.FileError, match="truncated dump file"):
        next(capturer)


@pytest.mark.parametrize(
    ("keywords", "error"),
    [
        ({}, TypeError),
        ({"interface": "lo", "path": "x"}, TypeError),
        ({"path": 5}, TypeError),
        ({"path": "x\0y"}, ValueError),
        ({"interface": 5}, TypeError),
        ({"interface": "l\0o"}, ValueError),
        ({"interface": "lo", "capture_filter": b"tcp"}, TypeError),
        ({"interface": "lo", "timeout": -1}, ValueError),
        ({"interface": "lo", "timeout": float("nan")}, ValueError),
        ({"interface": "lo", "timeout": "x"}, TypeError),
        ({"interface": "lo", "snaplen": 0}, ValueError),
        ({"interface": "lo", "buffer_size": 0}, ValueError),
        ({"interface": "lo", "direction": "up"}, ValueError),
        ({"interface": "lo", "precision": "ps"}, ValueError),
        ({"interface": "lo", "linktype": "NO_SUCH"}, ValueError),
        ({"interface": "lo", "linktype": -5}, ValueError),
        ({"interface": "lo", "count": -1}, ValueError),
        ({"interface": "lo", "count": 1.5}, TypeError),
        ({"interface": "lo", "duration": 0}, ValueError),
        ({"interface": "lo", "duration": float("nan")}, ValueError),
        ({"interface": "lo", "backend": "tcpdump"}, ValueError),
        ({"interface": "lo", "no_such": 1}, TypeError),
        ({"interface": "lo", "backend": "dumpcap", "direction": "in"}, ValueError),
        ({"interface": "lo", "backend": "dumpcap", "immediate": True}, ValueError),
        ({"interface": "lo", "backend": "dumpcap", "timeout": 1}, ValueError),
        ({"backend": "dumpcap"}, TypeError),
    ],
)
def test_bad_arguments(keywords: dict[str, Any], error: type[Exception]) -> None:
    with pytest.raises(error):
        Capturer(**keywords)


@pytest.mark.parametrize(
    "keywords",
    [
        {"snaplen": 99},
        {"promiscuous": False},
        {"timeout": 1},
        {"buffer_size": 1000},
        {"immediate": True},
        {"monitor": True},
        {"direction": "in"},
        {"linktype": 1},
        {"backend": "dumpcap"},
    ],
)
def test_a_file_has_no_live_options(path: str, keywords: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=f"{next(iter(keywords))} is for live captures"):
        Capturer(path=path, **keywords)


def test_the_defaults_given_by_name_are_no_mistake(path: str) -> None:
    assert len(list(Capturer(path=path, snaplen=65535, promiscuous=True, timeout=0.1, buffer_size=None))) == COUNT


def test_it_is_opened_once(path: str) -> None:
    capturer = Capturer(path=path)
    with pytest.raises(RuntimeError, match="opened once"):
        capturer.__init__(path=path)  # type: ignore[misc]
    with pytest.raises(ValueError, match="not opened"):
        next(Capturer.__new__(Capturer))


def test_closed(path: str) -> None:
    capturer = Capturer(path=path)
    next(capturer)
    capturer.close()
    capturer.close()
    for use in (lambda: next(capturer), capturer.__enter__, lambda: capturer.put_to(queue.Queue())):
        with pytest.raises(ValueError, match="closed"):
            use()
    with pytest.raises(ValueError, match="closed"):
        asyncio.run(collect(capturer))


def test_files_have_no_statistics(path: str) -> None:
    with pytest.raises(wishpy.CaptureError, match="Statistics aren't available from savefiles"):
        Capturer(path=path).stats()


def test_can_not_be_pickled(path: str) -> None:
    with pytest.raises(TypeError):
        pickle.dumps(Capturer(path=path))


# ---- Ending


def test_stop_ends_it_for_good(path: str) -> None:
    capturer = Capturer(path=path)
    found = []
    for raw in capturer:
        found.append(raw)
        if len(found) == 3:
            capturer.stop()
    assert len(found) == 3 and list(capturer) == []
    assert capturer.stopped and not capturer.closed


def test_stopped_before_it_began(path: str) -> None:
    capturer = Capturer(path=path)
    capturer.stop()
    assert list(capturer) == []


def test_duration_holds_for_files_too(path: str) -> None:
    capturer = Capturer(path=path, duration=0.05)
    next(capturer)
    time.sleep(0.06)
    assert len(list(capturer)) < 256  # what was read before is handed out still


def test_a_subclass_may_have_its_own_close(path: str) -> None:
    calls = []

    class Mine(Capturer):
        def close(self) -> None:
            calls.append(self)
            super().close()

    with Mine(path=path) as capturer:
        assert next(capturer).length > 0
    assert calls == [capturer] and capturer.closed


def test_goes_away_with_its_last_reference(path: str) -> None:
    capturer = Capturer(path=path)
    next(capturer)
    gone = weakref.ref(capturer)
    before = len(os.listdir("/proc/self/fd"))
    del capturer
    assert gone() is None
    assert len(os.listdir("/proc/self/fd")) == before - 2  # the file, the eventfd


# ---- Pipes


def test_packets_of_a_pipe_come_as_they_are_written(tmp_path: Path, packets: list[bytes]) -> None:
    whole = Path(write_pcap(tmp_path / "x.pcap", packets)).read_bytes()
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    written = threading.Semaphore(0)

    def write() -> None:
        with open(fifo, "wb", buffering=0) as file:
            file.write(whole[:24])
            at = 24
            for packet in packets[:20]:
                written.acquire()
                end = at + 16 + len(packet)
                file.write(whole[at : end - 5])
                time.sleep(0.002)
                file.write(whole[end - 5 : end])
                at = end

    thread = threading.Thread(target=write)
    thread.start()
    capturer = Capturer(path=fifo, capture_filter="udp or tcp")
    for packet in packets[:20]:
        written.release()
        assert next(capturer).data == packet
    assert next(capturer, None) is None
    thread.join()


def test_stop_ends_the_wait_for_a_pipe(tmp_path: Path, path: str) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    with open(fifo, "r+b", buffering=0) as file:  # both ends, so that it never ends by itself
        file.write(Path(path).read_bytes()[:24])
        capturer = Capturer(path=fifo)
        thread = threading.Thread(target=list, args=(capturer,))
        thread.start()
        time.sleep(0.05)
        begun = time.monotonic()
        capturer.stop()
        thread.join()
        assert time.monotonic() - begun < 0.1
        capturer.close()


@pytest.mark.parametrize(
    "bundled", ["demo.pcapng", "http.pcapng", "micro_big.pcap", "nano_little.pcap", "nano_big.pcap"]
)
def test_bundled_captures_out_of_a_pipe(tmp_path: Path, data: Path, bundled: str) -> None:
    """Byte by byte, so that every place where a block can be cut is one where it was."""
    expected = list(Capturer(path=data / bundled))
    assert expected
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    content = (data / bundled).read_bytes()

    def write() -> None:
        with open(fifo, "wb", buffering=0) as file:
            for i in range(len(content)):
                file.write(content[i : i + 1])

    thread = threading.Thread(target=write)
    thread.start()
    assert list(Capturer(path=fifo)) == expected
    thread.join()


# ---- Queues


def test_put_to(path: str, packets: list[bytes]) -> None:
    target: queue.Queue[Any] = queue.Queue()
    assert Capturer(path=path).put_to(target) == COUNT
    items = [target.get() for _ in range(COUNT + 1)]
    assert items.pop() is None
    assert [data for _, data in items] == packets
    header = items[3][0]
    assert type(header) is PacketHeader and type(items[3]) is tuple
    assert header == (1_700_000_000_003_003_000, len(packets[3]), len(packets[3]), 1, None)


def test_put_to_in_parts(path: str) -> None:
    capturer = Capturer(path=path)
    target: queue.SimpleQueue[Any] = queue.SimpleQueue()
    assert [capturer.put_to(target, count=n) for n in (5, 0, 7, None)] == [5, 0, 7, COUNT - 12]
    items = [target.get() for _ in range(COUNT + 4)]
    assert [i for i, item in enumerate(items) if item is None] == [5, 6, 14, COUNT + 3]


def test_anything_with_put_is_a_queue(path: str) -> None:
    class Mine:
        items: list[Any] = []

        def put(self, item: Any) -> None:
            self.items.append(item)

    assert Capturer(path=path).put_to(Mine()) == COUNT
    assert len(Mine.items) == COUNT + 1 and Mine.items[-1] is None


def test_to_another_process(path: str, packets: list[bytes]) -> None:
    context = multiprocessing.get_context("spawn")
    target, back = context.Queue(maxsize=50), context.Queue()
    process = context.Process(target=count_bytes, args=(target, back))
    process.start()
    assert Capturer(path=path).put_to(target) == COUNT
    assert back.get(timeout=30) == (COUNT, sum(map(len, packets)))
    process.join()


def count_bytes(source: Any, back: Any) -> None:
    items = list(iter(source.get, None))
    back.put((len(items), sum(len(data) for _, data in items)))


def test_a_full_queue_blocks(path: str) -> None:
    target: queue.Queue[Any] = queue.Queue(maxsize=3)
    thread = threading.Thread(target=Capturer(path=path).put_to, args=(target,))
    thread.start()
    time.sleep(0.15)
    assert target.full() and thread.is_alive()
    assert len(list(iter(target.get, None))) == COUNT
    thread.join()


def test_a_full_queue_drops_and_counts(path: str) -> None:
    target: queue.Queue[Any] = queue.Queue(maxsize=10)
    capturer = Capturer(path=path)
    results: list[int] = []
    thread = threading.Thread(target=lambda: results.append(capturer.put_to(target, policy="drop")))
    thread.start()
    assert wait_until(lambda: capturer.queue_dropped == COUNT - 10)
    assert len(list(iter(target.get, None))) == 10
    thread.join()
    assert results == [10]


@pytest.mark.parametrize("policy", ["block", "drop"])
def test_stop_ends_put_to_a_queue_that_nobody_reads(path: str, policy: str) -> None:
    target: queue.Queue[Any] = queue.Queue(maxsize=4)
    capturer = Capturer(path=path)
    thread = threading.Thread(target=capturer.put_to, args=(target,), kwargs={"policy": policy})
    thread.start()
    assert wait_until(target.full)
    capturer.stop()
    thread.join(3)
    assert not thread.is_alive()
    items = [target.get_nowait() for _ in range(target.qsize())]
    assert items[-1] is None and None not in items[:-1]
    assert capturer.queue_dropped > 0


def test_put_to_mistakes(path: str) -> None:
    capturer = Capturer(path=path)
    with pytest.raises(ValueError, match="policy"):
        capturer.put_to(queue.Queue(), policy="wait")
    with pytest.raises(ValueError, match="count"):
        capturer.put_to(queue.Queue(), count=-1)
    with pytest.raises(TypeError, match=r"no put\(\)"):
        capturer.put_to([])
    with pytest.raises(TypeError, match="async for"):
        capturer.put_to(asyncio.Queue())
    assert len(list(capturer)) == COUNT


def test_an_error_of_the_queue_comes_out(path: str) -> None:
    class Broken:
        def put(self, item: Any) -> None:
            if item is not None:
                raise RuntimeError("broken")

    with pytest.raises(RuntimeError, match="broken"):
        Capturer(path=path).put_to(Broken())


def test_the_end_is_put_after_an_error_too(path: str) -> None:
    os.truncate(path, os.path.getsize(path) - 5)
    target: queue.Queue[Any] = queue.Queue()
    with pytest.raises(wishpy.FileError):
        Capturer(path=path).put_to(target)
    assert len(list(iter(target.get_nowait, None))) == COUNT - 1


# ---- asyncio


async def collect(capturer: Capturer) -> list[RawPacket]:
    return [raw async for raw in capturer]


def test_async_for(path: str, packets: list[bytes]) -> None:
    assert [raw.data for raw in asyncio.run(collect(Capturer(path=path)))] == packets


def test_async_for_lets_others_run(path: str) -> None:
    async def main() -> int:
        turns = 0

        async def other() -> None:
            nonlocal turns
            while True:
                turns += 1
                await asyncio.sleep(0)

        task = asyncio.create_task(other())
        await collect(Capturer(path=path))
        task.cancel()
        return turns

    assert asyncio.run(main()) >= COUNT // 256


def test_async_for_waits_for_a_pipe(tmp_path: Path, path: str, packets: list[bytes]) -> None:
    whole = Path(path).read_bytes()
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)

    async def main(file: Any) -> list[bytes]:
        capturer = Capturer(path=fifo, count=3)
        task = asyncio.create_task(collect(capturer))
        at = 24
        for packet in packets[:3]:
            await asyncio.sleep(0.02)
            end = at + 16 + len(packet)
            file.write(whole[at : at + 9])
            await asyncio.sleep(0.01)
            file.write(whole[at + 9 : end])
            at = end
        return [raw.data for raw in await task]

    with open(fifo, "r+b", buffering=0) as file:
        file.write(whole[:24])
        assert asyncio.run(main(file)) == packets[:3]


def test_async_errors(path: str) -> None:
    os.truncate(path, os.path.getsize(path) - 5)
    with pytest.raises(wishpy.FileError, match="truncated"):
        asyncio.run(collect(Capturer(path=path)))


# ---- One reader at a time


def test_who_has_the_capsule_reads(path: str) -> None:
    capturer = Capturer(path=path)
    next(capturer)
    capsule = capturer._source_capsule()
    assert "wishpy.source" in repr(capsule)
    for use in (lambda: next(capturer), capturer._source_capsule, lambda: capturer.put_to(queue.Queue())):
        with pytest.raises(ValueError, match="Dissector"):
            use()
    del capsule
    assert len(list(capturer)) == COUNT - 1


def test_the_capsule_keeps_the_capturer(path: str) -> None:
    capturer = Capturer(path=path)
    gone = weakref.ref(capturer)
    capsule = capturer._source_capsule()
    del capturer
    assert gone() is not None
    del capsule
    assert gone() is None


def test_two_threads_do_not_read_at_once(tmp_path: Path, path: str) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    with open(fifo, "r+b", buffering=0) as file:
        file.write(Path(path).read_bytes()[:24])
        capturer = Capturer(path=fifo)
        thread = threading.Thread(target=list, args=(capturer,))
        thread.start()
        time.sleep(0.05)
        with pytest.raises(ValueError, match="another thread"):
            next(capturer)
        capturer.stop()
        thread.join()
