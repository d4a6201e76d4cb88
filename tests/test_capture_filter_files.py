"""Capture filters on files, which are run here and not by libpcap: it would be deaf until a packet matches."""

from __future__ import annotations

import asyncio
import os
import signal
import statistics
import struct
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from traffic import ethernet, ipv4, tcp, udp, write_pcap

from wishpy import Capturer, pcapy

ROUNDS = 5


@pytest.fixture
def endless(tmp_path: Path) -> str:
    """Seconds of reading: 268 million packets without a byte in them, in a file of holes."""
    path = tmp_path / "endless.pcap"
    with open(path, "wb") as file:
        file.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1))
        file.truncate(24 + (4 << 30))
    return str(path)


def nothing(*_: Any) -> None:
    return None


READS: dict[str, Callable[[Any], Any]] = {
    "next": lambda reader: reader.next(),
    "loop": lambda reader: reader.loop(-1, nothing),
    "loop of one": lambda reader: reader.loop(1, nothing),
    "dispatch": lambda reader: reader.dispatch(-1, nothing),
    "next_batch": lambda reader: reader.next_batch(100),
    "loop_filtered": lambda reader: reader.loop_filtered(-1, nothing),
    "loop_to_buffer": lambda reader: reader.loop_to_buffer(-1, bytearray(100)),
}


def filtered_reader(path: str) -> pcapy.Reader:
    reader = pcapy.open_offline(path)
    reader.setfilter("tcp")
    return reader


def control_c() -> None:
    os.kill(os.getpid(), signal.SIGINT)


def delay(read: Callable[[], Any], end: Callable[[], object]) -> float:
    """Seconds from what ends the read, in another thread, to its return."""
    sent: list[float] = []

    def later() -> None:
        time.sleep(0.02)
        sent.append(time.perf_counter())
        end()

    thread = threading.Thread(target=later)
    thread.start()
    try:
        read()
    finally:
        returned = time.perf_counter()
        thread.join()
        assert sent[0] < returned, "it ended by itself"
        delays.append(returned - sent[0])
    return delays[-1]


delays: list[float] = []


@pytest.fixture
def prompt() -> Any:
    delays.clear()
    yield
    assert len(delays) == ROUNDS and statistics.median(delays) < 0.1, delays


@pytest.mark.parametrize("name", READS)
def test_control_c_is_heard_while_no_packet_matches(endless: str, name: str, prompt: None) -> None:
    reader = filtered_reader(endless)
    for _ in range(ROUNDS):
        with pytest.raises(KeyboardInterrupt):
            delay(lambda: READS[name](reader), control_c)


@pytest.mark.parametrize("name", READS)
def test_breakloop_is_heard_while_no_packet_matches(endless: str, name: str, prompt: None) -> None:
    reader = filtered_reader(endless)
    for _ in range(ROUNDS):
        delay(lambda: READS[name](reader), reader.breakloop)


def test_a_capturer_hears_both(endless: str, prompt: None) -> None:
    capturer = Capturer(path=endless, capture_filter="tcp")
    for _ in range(ROUNDS - 1):
        with pytest.raises(KeyboardInterrupt):
            delay(lambda: next(capturer), control_c)
    delay(lambda: next(capturer, None), capturer.stop)


def test_other_tasks_run_while_no_packet_matches(endless: str) -> None:
    async def main() -> int:
        turns = 0

        async def count() -> None:
            nonlocal turns
            while True:
                await asyncio.sleep(0)
                turns += 1

        with Capturer(path=endless, capture_filter="tcp", duration=0.3) as capturer:
            task = asyncio.ensure_future(count())
            assert [raw async for raw in capturer] == []
            task.cancel()
        return turns

    assert asyncio.run(main()) > 20


@pytest.mark.parametrize("every", [2, 20_000])
def test_all_ways_to_read_find_the_packets_that_match(tmp_path: Path, every: int) -> None:
    """More packets than are looked at in one go, with matches near and far."""
    packets = [
        ethernet(ipv4(6, "192.0.2.1", "192.0.2.2", tcp(i % 60000, 80, payload=i.to_bytes(4, "big"))))
        if i % every == 1
        else ethernet(ipv4(17, "192.0.2.1", "192.0.2.2", udp(1, 53, b"y")))
        for i in range(50_000)
    ]
    expected = [packet for packet in packets if packet[23] == 6]
    path = write_pcap(tmp_path / "x.pcap", packets)

    def collect(name: str) -> list[bytes]:
        found: list[bytes] = []
        getattr(filtered_reader(path), name)(-1, lambda header, data, *_: found.append(data))
        return found

    for name in ("loop", "dispatch", "loop_filtered"):
        assert collect(name) == expected, name
    reader = filtered_reader(path)
    assert [reader.next()[1] for _ in expected] == expected
    assert reader.next() == (None, b"")
    reader = filtered_reader(path)
    found: list[bytes] = []
    for count in (1, 2, 3):
        before = len(found)
        reader.loop(count, lambda header, data: found.append(data))
        assert len(found) == min(before + count, len(expected)), "no more than asked for"
    reader.loop(-1, lambda header, data: found.append(data))
    assert found == expected
    assert filtered_reader(path).next_batch(len(packets))[0] == b"".join(expected)
    assert [raw.data for raw in Capturer(path=path, capture_filter="tcp")] == expected
    assert [raw.data for raw in Capturer(path=path, capture_filter="tcp", count=2)] == expected[:2]
