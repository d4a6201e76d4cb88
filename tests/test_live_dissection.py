"""Live packets into a Dissector: directly, and over queues of threads and processes."""

from __future__ import annotations

import multiprocessing
import os
import queue
import shutil
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import ROOT
from traffic import DNS_SERVER, HTTP_SERVER, Veth, dns_query, send_udp, veth, why_not

from wishpy import Capturer, Dissector

PORT = 4711
ONLY = f"udp dst port {PORT}"

_missing = why_not()
pytestmark = pytest.mark.skipif(_missing is not None, reason=f"live captures: {_missing}")


def send(count: int = 1) -> None:
    send_udp("127.0.0.1", count, port=PORT)


@pytest.fixture(scope="module")
def pair() -> Iterator[Veth]:
    with veth() as made:
        yield made


@pytest.mark.parametrize("isolated", [False, True], ids=["here", "in a worker"])
def test_each_packet_is_delivered_when_it_comes(isolated: bool) -> None:
    with Capturer("lo", capture_filter=ONLY) as capturer, Dissector(capturer, isolated=isolated) as packets:
        for number in range(1, 11):
            send()
            packet = next(packets)
            assert time.time_ns() - packet.time_ns < 200_000_000
            assert (packet.number, packet["udp.dstport"], packet.length) == (number, PORT, 62)


def test_http_and_dns(pair: Veth) -> None:
    found: dict[str, Any] = {}
    with Capturer(pair.here, capture_filter=f"host {pair.remote}") as capturer:

        def dissect() -> None:
            with Dissector(capturer, display_filter="http.response || dns.a") as packets:
                for packet in packets:
                    found[packet.protocol] = packet

        thread = threading.Thread(target=dissect)
        thread.start()
        with pair.server(HTTP_SERVER):
            urllib.request.urlopen(f"http://{pair.remote}/", timeout=10).read()
        with pair.server(DNS_SERVER), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.settimeout(10)
            s.sendto(dns_query("www.example.com"), (pair.remote, 53))
            s.recv(512)
        until = time.monotonic() + 5
        while len(found) < 2 and time.monotonic() < until:
            time.sleep(0.01)
        capturer.stop()
        thread.join(10)
        assert not thread.is_alive()
    assert found["HTTP"]["http.response.code"] == 200
    assert (found["DNS"]["dns.qry.name"], found["DNS"]["dns.a"]) == ("www.example.com", "192.0.2.1")


def test_stop_ends_the_dissector() -> None:
    with Capturer("lo", capture_filter=ONLY) as capturer, Dissector(capturer) as packets:
        threading.Timer(0.1, capturer.stop).start()
        begun = time.monotonic()
        assert list(packets) == []
        assert time.monotonic() - begun < 0.3


def test_control_c_in_the_dissector() -> None:
    with Capturer("lo", capture_filter=ONLY) as capturer, Dissector(capturer) as packets:
        interrupt = threading.Timer(0.1, os.kill, (os.getpid(), 2))
        begun = time.monotonic()
        with pytest.raises(KeyboardInterrupt):
            interrupt.start()
            next(packets)
        assert time.monotonic() - begun < 0.3


def test_after_the_dissector_the_capturer_can_be_read_on() -> None:
    with Capturer("lo", capture_filter=ONLY) as capturer:
        with Dissector(capturer) as packets:
            send()
            next(packets)
            with pytest.raises(ValueError, match="Dissector"):
                next(capturer)
        send()
        assert next(capturer).length == 62


def test_a_capture_file_through_libpcap(data: Path) -> None:
    path = data / "demo.pcapng"
    with Dissector(str(path)) as packets:
        expected = [(packet.number, packet.time_ns, packet.protocols, packet.info) for packet in packets]
    with Capturer(path=path) as capturer, Dissector(capturer) as packets:
        assert [(packet.number, packet.time_ns, packet.protocols, packet.info) for packet in packets] == expected


def test_a_thread_puts_and_the_dissector_gets() -> None:
    items: queue.Queue[Any] = queue.Queue(maxsize=100)
    with Capturer("lo", capture_filter=ONLY) as capturer:
        thread = threading.Thread(target=capturer.put_to, args=(items,))
        thread.start()
        with Dissector(items) as packets:
            for number in range(1, 4):
                send()
                packet = next(packets)
                assert time.time_ns() - packet.time_ns < 200_000_000
                assert (packet.number, packet["udp.dstport"], packet.length) == (number, PORT, 62)
            capturer.stop()
            assert list(packets) == []
        thread.join()


def capture_into(items: Any, ready: Any) -> None:
    with Capturer("lo", capture_filter=ONLY) as capturer:
        ready.set()
        capturer.put_to(items, count=5)


def test_another_process_captures() -> None:
    context = multiprocessing.get_context("spawn")
    items, ready = context.Queue(), context.Event()
    process = context.Process(target=capture_into, args=(items, ready))
    process.start()
    assert ready.wait(30)
    with Dissector(items) as packets:
        for number in range(1, 6):
            send()
            packet = next(packets)
            assert time.time_ns() - packet.time_ns < 200_000_000
            assert (packet.number, packet["udp.dstport"]) == (number, PORT)
        assert list(packets) == []
    process.join()


def test_raw_packets_are_an_iterable(data: Path) -> None:
    raws = list(Capturer(path=data / "demo.pcapng"))
    with Dissector(iter(raws)) as packets:
        assert [packet.time_ns for packet in packets] == [raw.time_ns for raw in raws]


SPLIT = """
import sys, wishpy
with wishpy.Dissector("-") as packets:
    for packet in packets:
        print(packet.number, packet["udp.dstport"], flush=True)
"""


@pytest.mark.skipif(shutil.which("setpriv") is None, reason="needs setpriv (util-linux)")
def test_capture_and_dissection_split_over_two_users(tmp_path: Path) -> None:
    """As docs/guide/live.md shows it: one process captures, another one without any privilege dissects."""
    capture = [sys.executable, "-m", "wishpy", "capture", "lo", "-f", ONLY, "-c", "3", "-w", "-"]
    dissect = ["setpriv", "--bounding-set", "-all", "--inh-caps", "-all", "--no-new-privs", sys.executable, "-c", SPLIT]
    capturing = subprocess.Popen(capture, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT)
    dissecting = subprocess.Popen(dissect, stdin=capturing.stdout, stdout=subprocess.PIPE, text=True, cwd=ROOT)
    assert capturing.stderr is not None and capturing.stdout is not None
    capturing.stdout.close()
    assert capturing.stderr.readline() == "Capturing on lo\n"
    send(3)
    out, _ = dissecting.communicate(timeout=60)
    assert out.splitlines() == [f"{i} {PORT}" for i in (1, 2, 3)]
    capturing.stderr.close()
    assert capturing.wait(10) == 0 and dissecting.returncode == 0
