"""Capturer, the queues and dumpcap on real traffic: loopback, and a veth pair into a network namespace."""

from __future__ import annotations

import asyncio
import contextlib
import os
import queue
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import ROOT
from traffic import (
    DNS_SERVER,
    HTTP_SERVER,
    Veth,
    check_delays,
    dns_query,
    ethernet,
    ipv4,
    send_udp,
    udp,
    veth,
    wait_until,
    why_not,
    write_pcap,
)

import wishpy
from wishpy import Capturer, RawPacket

PORT = 4711
ONLY = f"udp dst port {PORT}"

_missing = why_not()
pytestmark = pytest.mark.skipif(_missing is not None, reason=f"live captures: {_missing}")
needs_dumpcap = pytest.mark.skipif(shutil.which("dumpcap") is None, reason="needs dumpcap (wireshark-common)")


def send(count: int = 1) -> None:
    send_udp("127.0.0.1", count, port=PORT)


@pytest.fixture(scope="module")
def pair() -> Iterator[Veth]:
    with veth() as made:
        yield made


@contextlib.contextmanager
def traffic_on_loopback() -> Iterator[None]:
    """Some 2,000 packets a second, from a process of its own."""
    code = f"""
import socket, time
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
while True:
    for _ in range(10): s.sendto(b"traffic", ("127.0.0.1", {PORT}))
    time.sleep(0.005)
"""
    process = subprocess.Popen([sys.executable, "-c", code])
    try:
        yield
    finally:
        process.kill()
        process.wait()


# ---- Packets


def test_loopback() -> None:
    with Capturer("lo", capture_filter=ONLY, count=5) as capturer:
        before = time.time_ns()
        send(5)
        found = list(capturer)
        after = time.time_ns()
    assert [raw.data[-20:] for raw in found] == [b"w" * 20] * 5
    for raw in found:
        assert (raw.interface, raw.length, raw.captured_length, raw.linktype) == ("lo", 62, 62, 1)
        assert before - 10**9 < raw.time_ns < after + 10**9
    assert len({raw.time_ns % 1000 for raw in found}) > 1, "nanoseconds"


def test_http_dns_and_ping(pair: Veth) -> None:
    """Each seen from here, whole and in order."""
    with Capturer(pair.here, capture_filter=f"host {pair.remote}") as capturer:
        found: list[RawPacket] = []
        thread = threading.Thread(target=lambda: found.extend(capturer))
        thread.start()
        with pair.server(HTTP_SERVER):
            assert urllib.request.urlopen(f"http://{pair.remote}/", timeout=10).read() == b"<p>captured</p>"
        with pair.server(DNS_SERVER), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.settimeout(10)
            s.sendto(dns_query("www.example.com"), (pair.remote, 53))
            answer = s.recv(512)
        if shutil.which("ping"):
            subprocess.run(["ping", "-c", "2", "-i", "0.2", pair.remote], check=True, capture_output=True)
        assert wait_until(lambda: len(found) >= 12)
        time.sleep(0.15)
        capturer.stop()
        thread.join()
        stats = capturer.stats()
    assert stats.dropped == 0 and stats.received >= len(found)
    payloads = [raw.data for raw in found]
    assert sum(b"GET / HTTP/1.1" in data for data in payloads) == 1
    assert sum(b"<p>captured</p>" in data for data in payloads) == 1
    assert [data[42:] for data in payloads if data[42:] == answer] == [answer]
    if shutil.which("ping"):
        assert sum(data[23] == 1 for data in payloads if data[12:14] == b"\x08\x00") == 4
    times = [raw.time_ns for raw in found]
    assert times == sorted(times)


def test_a_packet_is_delivered_when_it_comes(pair: Veth) -> None:
    """Each alone on the wire, so that one that waited for the next would be seen."""
    options: list[tuple[dict[str, Any], float]] = [({}, 0.2), ({"immediate": True}, 0.05), ({"timeout": 0}, 0.05)]
    for keywords, limit in options:
        delays = []
        with Capturer("lo", capture_filter=ONLY, **keywords) as capturer:
            for _ in range(10):
                send()
                raw = next(capturer)
                delays.append(time.time_ns() / 1e9 - raw.time_ns / 1e9)
        assert max(delays) < limit, (keywords, delays)


def test_a_timeout_does_not_end_it() -> None:
    with Capturer("lo", capture_filter=ONLY, timeout=0.01) as capturer:
        timer = threading.Timer(0.4, send)
        timer.start()
        assert next(capturer).length == 62


def test_snaplen_and_direction(pair: Veth) -> None:
    with Capturer("lo", capture_filter=ONLY, snaplen=50, count=1) as capturer:
        send()
        (raw,) = capturer
        assert (raw.captured_length, raw.length, len(raw.data)) == (50, 62, 50)
    with contextlib.ExitStack() as stack:
        seen = {}
        for direction in ("in", "out", "inout"):
            seen[direction] = stack.enter_context(
                Capturer(pair.here, capture_filter="icmp", direction=direction, duration=2)
            )
        pair.run(sys.executable, "-c", PING.format(pair.local))
        counts = {direction: len(list(take(capturer, 0.4))) for direction, capturer in seen.items()}
    assert counts == {"in": 1, "out": 1, "inout": 2}


# An echo request, answered by the kernel.
PING = """
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
s.sendto(bytes([8, 0, 0xf7, 0xfd, 0, 1, 0, 1]), ("{}", 0)); s.settimeout(5); s.recv(100)
"""


def take(capturer: Capturer, seconds: float) -> Iterator[RawPacket]:
    timer = threading.Timer(seconds, capturer.stop)
    timer.start()
    yield from capturer
    timer.cancel()


def test_link_types() -> None:
    with Capturer("any", capture_filter=ONLY, count=1) as capturer:
        assert capturer.linktype_name in ("LINUX_SLL", "LINUX_SLL2")
        send()
        assert next(capturer).linktype == capturer.linktype
    with Capturer("any", linktype="LINUX_SLL2", capture_filter=ONLY, count=1) as capturer:
        assert capturer.linktype == 276
        send()
        assert next(capturer).data[20] == 0x45
    with pytest.raises(wishpy.CaptureError, match="lo"):
        Capturer("lo", linktype="IEEE802_11")


def test_microseconds() -> None:
    with Capturer("lo", capture_filter=ONLY, precision="us", count=3) as capturer:
        assert capturer.precision == "us"
        send(3)
        assert {raw.time_ns % 1000 for raw in capturer} == {0}


def test_duration() -> None:
    begun = time.monotonic()
    with Capturer("lo", capture_filter=ONLY, duration=0.3) as capturer:
        assert list(capturer) == []
        assert 0.25 < time.monotonic() - begun < 0.6


def test_monitor_mode_needs_a_wireless_device() -> None:
    with pytest.raises(wishpy.CaptureError, match="monitor mode") as caught:
        Capturer("lo", monitor=True)
    assert caught.value.path == "lo"


def test_no_such_interface() -> None:
    with pytest.raises(wishpy.CaptureError, match="nosuch0: No such device exists") as caught:
        Capturer("nosuch0")
    assert (caught.value.errno, caught.value.path) == (19, "nosuch0")


def test_an_interface_that_goes_away() -> None:
    with veth() as pair, Capturer(pair.here) as capturer:
        timer = threading.Timer(0.2, subprocess.run, [["ip", "link", "del", pair.here]])
        timer.start()
        with pytest.raises(wishpy.CaptureError, match=pair.here):
            for _ in capturer:
                pass


def test_interfaces(pair: Veth) -> None:
    found = {interface.name: interface for interface in wishpy.interfaces()}
    lo, here = found["lo"], found[pair.here]
    assert lo.loopback and lo.up and not here.loopback and here.up and here.running
    assert "127.0.0.1" in [address.address for address in lo.addresses]
    (four,) = [address for address in here.addresses if address.address == pair.local]
    assert four.netmask == "255.255.255.0"
    assert lo.linktypes == ("EN10MB",) and "LINUX_SLL2" in found["any"].linktypes
    assert found["any"].description


# ---- Statistics, and none lost


@pytest.mark.skipif(shutil.which("tcpreplay") is None, reason="needs tcpreplay")
@pytest.mark.parametrize("consumer", ["thread", "sleeper"])
def test_two_hundred_thousand_at_a_hundred_thousand_a_second(pair: Veth, tmp_path: Path, consumer: str) -> None:
    packets = [
        ethernet(ipv4(17, "192.0.2.1", "192.0.2.2", udp(1024 + i % 1000, PORT, b"%060d" % i))) for i in range(20_000)
    ]
    replayed = write_pcap(tmp_path / "x.pcap", packets)
    options: dict[str, Any] = {"buffer_size": 1 << 20} if consumer == "sleeper" else {}
    received = 0

    def drain() -> None:
        nonlocal received
        for _ in capturer:
            received += 1

    with Capturer(pair.here, capture_filter=ONLY, **options) as capturer:
        thread = threading.Thread(target=drain)
        if consumer == "thread":
            thread.start()
        done = pair.run("tcpreplay", "-K", "-q", "-i", pair.there, "--pps=100000", "--loop=10", replayed)
        assert "200000 packets" in done.stdout, done.stdout
        if consumer == "sleeper":
            thread.start()
        wait_until(lambda: sum(capturer.stats()[:2]) == 200_000 and received == capturer.stats().received)
        stats = capturer.stats()
        capturer.stop()
        thread.join()
    assert stats.received + stats.dropped == 200_000
    assert received == stats.received
    assert (stats.dropped == 0) == (consumer == "thread"), stats
    assert capturer.stats() == stats, "also after close()"


# ---- Ending at once

ROUNDS = 100


@pytest.mark.parametrize("busy", [False, True], ids=["idle", "traffic"])
def test_stop_from_another_thread(busy: bool) -> None:
    delays = []
    with traffic_on_loopback() if busy else contextlib.nullcontext():
        for _ in range(ROUNDS):
            with Capturer("lo", capture_filter=ONLY, timeout=5 if not busy else 0.1) as capturer:
                thread = threading.Thread(target=lambda capturer=capturer: [None for _ in capturer])
                thread.start()
                time.sleep(0.005)
                begun = time.perf_counter()
                capturer.stop()
                thread.join()
                delays.append(time.perf_counter() - begun)
    check_delays(delays, ROUNDS)


@pytest.mark.parametrize("busy", [False, True], ids=["idle", "traffic"])
def test_control_c(busy: bool) -> None:
    """The signal comes while the main thread waits in the iteration, which can be gone on with."""
    delays = []
    with traffic_on_loopback() if busy else contextlib.nullcontext(), Capturer("lo", capture_filter=ONLY) as capturer:
        for _ in range(ROUNDS):
            sent: list[float] = []

            def interrupt(sent: list[float] = sent) -> None:
                time.sleep(0.005)
                sent.append(time.perf_counter())
                os.kill(os.getpid(), signal.SIGINT)

            thread = threading.Thread(target=interrupt)
            with pytest.raises(KeyboardInterrupt):
                thread.start()
                for _ in capturer:
                    pass
            delays.append(time.perf_counter() - sent[0])
            thread.join()
        assert not capturer.stopped
        send()
        assert next(capturer).length > 0
    check_delays(delays, ROUNDS)


def test_stop_in_a_signal_handler() -> None:
    with Capturer("lo", capture_filter=ONLY) as capturer:
        old = signal.signal(signal.SIGALRM, lambda *_: capturer.stop())
        try:
            signal.setitimer(signal.ITIMER_REAL, 0.1)
            begun = time.monotonic()
            assert list(capturer) == []
            assert time.monotonic() - begun < 0.2
        finally:
            signal.signal(signal.SIGALRM, old)


def test_close_in_another_thread() -> None:
    capturer = Capturer("lo", capture_filter=ONLY)
    closer = threading.Timer(0.1, capturer.close)
    closer.start()
    assert list(capturer) == []
    closer.join()
    with pytest.raises(ValueError, match="closed"):
        next(capturer)


def test_a_child_that_closes_takes_nothing_from_its_parent() -> None:
    with Capturer("lo", capture_filter=ONLY) as capturer:
        send(5)
        assert next(capturer).length == 62
        child = os.fork()
        if child == 0:
            try:
                capturer.close()
            finally:
                os._exit(0 if capturer.closed else 1)
        assert os.waitpid(child, 0)[1] == 0
        assert capturer.stats().received >= 5
        send()
        assert [next(capturer).length for _ in range(5)] == [62] * 5


def test_the_gil_is_free_while_it_waits() -> None:
    with Capturer("lo", capture_filter=ONLY) as capturer:
        thread = threading.Thread(target=list, args=(capturer,))
        thread.start()
        begun, turns = time.monotonic(), 0
        while time.monotonic() - begun < 0.2:
            time.sleep(0)
            turns += 1
        capturer.stop()
        thread.join()
    assert turns > 1000


# ---- Queues and asyncio


def test_a_thread_and_a_queue() -> None:
    target: queue.Queue[Any] = queue.Queue()
    with Capturer("lo", capture_filter=ONLY) as capturer:
        thread = threading.Thread(target=capturer.put_to, args=(target,))
        thread.start()
        for i in range(3):
            send()
            header, data = target.get(timeout=1)
            assert time.time_ns() - header.time_ns < 200_000_000, i
            assert (header.interface, header.length, len(data)) == ("lo", 62, 62)
        capturer.stop()
        thread.join()
        assert target.get(timeout=1) is None


def test_async_for_with_other_tasks() -> None:
    async def main() -> tuple[list[float], float]:
        delays = []
        with Capturer("lo", capture_filter=ONLY, count=5) as capturer:

            async def sender() -> None:
                for _ in range(5):
                    await asyncio.sleep(0.03)
                    send()

            task = asyncio.create_task(sender())
            async for raw in capturer:
                delays.append(time.time() - raw.time_ns / 1e9)
            await task
        with Capturer("lo", capture_filter=ONLY) as capturer:
            asyncio.get_running_loop().call_later(0.1, capturer.stop)
            begun = time.monotonic()
            assert [raw async for raw in capturer] == []
            return delays, time.monotonic() - begun

    delays, stopped = asyncio.run(main())
    assert len(delays) == 5 and max(delays) < 0.2
    assert stopped < 0.2


def test_async_for_can_be_cancelled_and_gone_on_with() -> None:
    async def main() -> int:
        with Capturer("lo", capture_filter=ONLY, count=1) as capturer:
            with pytest.raises(asyncio.TimeoutError):
                await asyncio.wait_for(capturer.__aiter__().__anext__(), 0.05)
            send()
            return len([raw async for raw in capturer])

    assert asyncio.run(main()) == 1


def test_async_stop_from_a_thread_and_duration() -> None:
    async def main() -> float:
        with Capturer("lo", capture_filter=ONLY, duration=0.2) as capturer:
            begun = time.monotonic()
            assert [raw async for raw in capturer] == []
            assert 0.15 < time.monotonic() - begun < 0.4
        with Capturer("lo", capture_filter=ONLY) as capturer:
            threading.Timer(0.1, capturer.stop).start()
            begun = time.monotonic()
            assert [raw async for raw in capturer] == []
            return time.monotonic() - begun

    assert asyncio.run(main()) < 0.2


# ---- dumpcap


@needs_dumpcap
def test_dumpcap() -> None:
    with Capturer("lo", backend="dumpcap", capture_filter=ONLY, snaplen=50) as capturer:
        assert isinstance(capturer, Capturer)
        assert (capturer.interface, capturer.linktype_name, capturer.precision) == ("lo", "EN10MB", "ns")
        for i in range(3):
            send()
            raw = next(capturer)
            assert (raw.interface, raw.captured_length, raw.length) == ("lo", 50, 62)
            assert time.time_ns() - raw.time_ns < 1_000_000_000
            assert capturer.stats() == (i + 1, None, None)
        threading.Timer(0.1, capturer.stop).start()
        begun = time.monotonic()
        assert list(capturer) == []
        assert time.monotonic() - begun < 0.2
    assert capturer.stats() == (3, 0, 0)


@needs_dumpcap
def test_dumpcap_with_queue_asyncio_and_limits() -> None:
    def later() -> None:
        threading.Timer(0.2, send, (3,)).start()

    target: queue.Queue[Any] = queue.Queue()
    with Capturer("lo", backend="dumpcap", capture_filter=ONLY, promiscuous=False, buffer_size=1 << 20) as capturer:
        later()
        assert capturer.put_to(target, count=3) == 3

    async def main() -> int:
        with Capturer("lo", backend="dumpcap", capture_filter=ONLY, count=3) as capturer:
            later()
            return len([raw async for raw in capturer])

    assert asyncio.run(main()) == 3
    with Capturer("lo", backend="dumpcap", capture_filter=ONLY, duration=0.3) as capturer:
        assert list(capturer) == []


@needs_dumpcap
def test_dumpcap_fails_in_its_own_words() -> None:
    with pytest.raises(wishpy.CaptureError, match="nosuch0"):
        Capturer("nosuch0", backend="dumpcap")
    with pytest.raises(wishpy.FilterError, match="tcp prot") as caught:
        Capturer("lo", backend="dumpcap", capture_filter="tcp prot 80")
    assert caught.value.filter == "tcp prot 80"


@needs_dumpcap
def test_dumpcap_that_is_killed() -> None:
    with Capturer("lo", backend="dumpcap", capture_filter=ONLY) as capturer:
        process = capturer._dumpcap._process  # type: ignore[attr-defined]
        threading.Timer(0.1, process.kill).start()
        with pytest.raises(wishpy.CaptureError, match="status -9"):
            list(capturer)


@needs_dumpcap
def test_dumpcap_goes_away_with_the_capturer() -> None:
    capturer = Capturer("lo", backend="dumpcap", capture_filter=ONLY)
    process = capturer._dumpcap._process  # type: ignore[attr-defined]
    assert process.poll() is None
    del capturer
    assert process.poll() is not None


def test_async_for_in_a_notebook() -> None:
    nbclient = pytest.importorskip("nbclient", reason="nbclient is not installed")
    import nbformat

    cells = [nbformat.v4.new_code_cell(source) for source in (NOTEBOOK, "await reading()", "await stopped()")]
    notebook = nbformat.v4.new_notebook(cells=cells)
    nbclient.NotebookClient(notebook, timeout=60).execute()
    answers = [cell.outputs[-1]["data"]["text/plain"] for cell in cells[1:]]
    assert answers == ["(5, True)", "5"]


NOTEBOOK = f"""
import asyncio, socket, time, wishpy
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)

async def send():
    for _ in range(5):
        await asyncio.sleep(0.05)
        s.sendto(b"notebook", ("127.0.0.1", {PORT}))

async def reading():
    delays = []
    with wishpy.Capturer("lo", capture_filter="{ONLY}", count=5) as capturer:
        task = asyncio.create_task(send())
        async for raw in capturer:
            delays.append(time.time() - raw.time_ns / 1e9)
        await task
    return len(delays), max(delays) < 0.2

async def stopped():
    with wishpy.Capturer("lo", capture_filter="{ONLY}") as capturer:
        async def count():
            return len([raw async for raw in capturer])
        task = asyncio.create_task(count())
        await send()
        await asyncio.sleep(0.2)
        capturer.stop()
        return await task
"""


# ---- Privileges

UNPRIVILEGED = """
import sys, wishpy
try:
    wishpy.Capturer("lo")
except wishpy.CaptureError as error:
    print(error.errno, error)
assert len(list(wishpy.Capturer(path=sys.argv[1]))) == 13
for interface in wishpy.interfaces():
    assert interface.name
"""


@pytest.mark.skipif(shutil.which("setpriv") is None, reason="needs setpriv (util-linux)")
def test_without_privileges_the_error_says_both_ways_out(data: Path) -> None:
    command = ["setpriv", "--bounding-set", "-all", "--inh-caps", "-all", "--no-new-privs", sys.executable]
    done = subprocess.run(
        [*command, "-c", UNPRIVILEGED, str(data / "demo.pcapng")], capture_output=True, text=True, cwd=ROOT
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("1 lo: ")
    assert f"setcap cap_net_raw,cap_net_admin+eip {os.path.realpath(sys.executable)}" in done.stdout
    assert "Capturer('lo', backend=\"dumpcap\")" in done.stdout


BY_DUMPCAP = f"""
import os, socket, threading, wishpy
assert os.getuid() == 65534
try:
    wishpy.Capturer("lo")
except wishpy.CaptureError as error:
    print(error.errno)

def send():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        for _ in range(3):
            s.sendto(b"x" * 20, ("127.0.0.1", {PORT}))

threading.Timer(0.3, send).start()
with wishpy.Capturer("lo", backend="dumpcap", capture_filter="{ONLY}", count=3) as capturer:
    print([raw.length for raw in capturer])
print(tuple(capturer.stats()))
"""


@needs_dumpcap
@pytest.mark.skipif(shutil.which("setpriv") is None, reason="needs setpriv (util-linux)")
def test_a_user_without_privileges_captures_through_dumpcap() -> None:
    """With a dumpcap that has what distributions give it: root's rights for whoever may run it."""
    with tempfile.TemporaryDirectory() as folder:
        if os.statvfs(folder).f_flag & os.ST_NOSUID:
            pytest.skip(f"{folder} is mounted so that no program there can have privileges")
        os.chmod(folder, 0o755)
        dumpcap = shutil.copy(str(shutil.which("dumpcap")), folder)
        os.chmod(dumpcap, 0o4755)
        command = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", sys.executable, "-c", BY_DUMPCAP]
        path = f"{folder}{os.pathsep}{os.environ['PATH']}"
        done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env={**os.environ, "PATH": path})
    assert done.stdout.splitlines() == ["1", "[62, 62, 62]", "(3, 0, 0)"], done.stderr
