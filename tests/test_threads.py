"""Threads: libwireshark is entered by one at a time, the GIL is free meanwhile, and objects may be shared."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import oracle
import pytest
from conftest import DATA

import wishpy


def in_threads(count: int, work: Callable[[int], Any]) -> list[Any]:
    """The results of work(0), work(1), ... each in a thread of its own; the first exception of any is raised here."""
    results: list[Any] = [None] * count
    errors: list[BaseException] = []
    ready = threading.Barrier(count)

    def run(number: int) -> None:
        try:
            ready.wait()
            results[number] = work(number)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
        assert not thread.is_alive(), "a thread hangs"
    if errors:
        raise errors[0]
    return results


@pytest.fixture(scope="module")
def long_capture(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The frames of dns.pcap, 10,000 times."""
    path = tmp_path_factory.mktemp("threads") / "long.pcap"
    data = (DATA / "dns.pcap").read_bytes()
    path.write_bytes(data[:24] + data[24:] * 10_000)
    return str(path)


@pytest.mark.parametrize("options", [{}, {"display_filter": "tcp.port == 1"}, {"two_pass": True, "count": 1}], ids=str)
def test_other_threads_run_meanwhile(long_capture: str, options: dict[str, Any]) -> None:
    """While one thread dissects, another counts; nowhere does it stand still for long."""
    gaps: list[float] = []
    stop = threading.Event()

    def count() -> None:
        last = time.perf_counter()
        while not stop.is_set():
            time.sleep(0.001)
            now = time.perf_counter()
            gaps.append(now - last)
            last = now

    thread = threading.Thread(target=count)
    thread.start()
    start = time.perf_counter()
    with wishpy.Dissector(long_capture, **options) as dissector:
        for _ in dissector:
            pass
    took = time.perf_counter() - start
    stop.set()
    thread.join()
    assert took > 0.2, "the capture is too short to show anything"
    # 0.001 s asked; the interpreter's switch interval is 0.005 s; a busy machine adds some
    assert max(gaps) < 0.5, f"another thread stood still for {max(gaps):.2f} s of {took:.2f}"


def test_one_dissector_read_by_many_threads(data: Path) -> None:
    """Each packet is given out once, whole."""
    path = data / "http.pcapng"
    with wishpy.Dissector(path) as dissector:
        expected = {packet.number: oracle.expected_pairs(packet.layers) for packet in dissector}
    for _ in range(20):
        with wishpy.Dissector(path) as dissector:

            def work(number: int, dissector: Any = dissector) -> list[Any]:
                return [(packet.number, oracle.expected_pairs(packet.layers)) for packet in dissector]

            found = [one for part in in_threads(4, work) for one in part]
        assert len(found) == len(expected)
        assert dict(found) == expected


def test_one_packet_asked_by_many_threads(demo: str) -> None:
    """Also the packet that is live in the Dissector, for the first time in several threads at once."""
    with wishpy.Dissector(demo) as dissector:
        expected = [packet.to_dict() for packet in dissector]
    for _ in range(20):
        with wishpy.Dissector(demo) as dissector:
            for packet, whole in zip(dissector, expected):
                questions: list[Callable[[Any], Any]] = [
                    lambda p: p.to_dict(), lambda p: p.info, lambda p: str(p), lambda p: p.layers[-1].text,
                ]  # fmt: skip
                answers = in_threads(4, lambda number, p=packet, q=questions: q[number](p))
                assert answers[0] == whole


def test_asking_old_packets_while_another_thread_dissects(demo: str, long_capture: str) -> None:
    with wishpy.Dissector(demo) as dissector:
        kept = list(dissector)
    expected = [(packet.to_dict(), str(packet), packet.info) for packet in kept]
    stop = threading.Event()

    def dissect() -> None:
        while not stop.is_set():
            with wishpy.Dissector(long_capture, count=2000) as dissector:
                for packet in dissector:
                    packet.to_dict()

    thread = threading.Thread(target=dissect)
    thread.start()
    try:
        for _ in range(100):
            assert [(packet.to_dict(), str(packet), packet.info) for packet in kept] == expected
    finally:
        stop.set()
        thread.join()


def test_threads_that_want_the_one_place(demo: str) -> None:
    """Each opens until it gets in; all see the same."""
    refused = []

    def work(number: int) -> list[int]:
        seen = []
        while len(seen) < 10:
            try:
                dissector = wishpy.Dissector(demo, isolated=False)
            except wishpy.SessionError:
                refused.append(number)
                time.sleep(0.0005)
                continue
            with dissector:
                seen.append(len([packet.to_dict() for packet in dissector]))
        return seen

    assert in_threads(4, work) == [[13] * 10] * 4


def test_close_from_another_thread(long_capture: str, demo: str) -> None:
    """The reader gets ValueError, or its packet if that was ready; never a crash."""
    for turn in range(10):
        dissector = wishpy.Dissector(long_capture, display_filter="tcp.port == 1" if turn % 2 else None)
        outcome: list[Any] = []

        def work(dissector: Any = dissector, outcome: list[Any] = outcome) -> None:
            try:
                for packet in dissector:
                    packet.to_dict()
                outcome.append("end")
            except ValueError as error:
                outcome.append(str(error))

        thread = threading.Thread(target=work)
        thread.start()
        time.sleep(0.02)
        dissector.close()
        thread.join(10)
        assert not thread.is_alive()
        assert outcome == ["end"] or "closed" in outcome[0]
        with wishpy.Dissector(demo) as after:
            assert len(list(after)) == 13


def test_a_dissector_dropped_while_another_thread_holds_the_lock(long_capture: str, demo: str) -> None:
    """A dealloc must not wait for the lock; the session goes at the next unlock."""
    with wishpy.Dissector(demo) as dissector:
        packets = list(dissector)
    stop = threading.Event()

    def ask() -> None:
        while not stop.is_set():
            for packet in packets:
                str(packet)

    threads = [threading.Thread(target=ask) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(200):
            deadline = time.monotonic() + 10
            while True:
                try:
                    dissector = wishpy.Dissector(demo, isolated=False)
                    break
                except wishpy.SessionError:
                    assert time.monotonic() < deadline, "the place is never given back"
            next(dissector)
            del dissector
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def test_the_switch_interval_makes_no_difference(demo: str) -> None:
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        test_one_packet_asked_by_many_threads(demo)
    finally:
        sys.setswitchinterval(interval)
