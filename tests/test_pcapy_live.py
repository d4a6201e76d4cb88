"""wishpy.pcapy on live traffic: loopback and a veth pair."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import struct
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from test_capturer_live import traffic_on_loopback
from traffic import (
    DNS_SERVER,
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
)

from wishpy import pcapy

PORT = 4711
ONLY = f"udp dst port {PORT}"

_missing = why_not()
pytestmark = pytest.mark.skipif(_missing is not None, reason=f"live captures: {_missing}")


@pytest.fixture(scope="module")
def pair() -> Iterator[Veth]:
    with veth() as made:
        yield made


def send(count: int = 1) -> None:
    send_udp("127.0.0.1", count, port=PORT)


@contextlib.contextmanager
def listening(to_ms: int = 100) -> Iterator[pcapy.Reader]:
    with pcapy.open_live("lo", 65535, 1, to_ms) as reader:
        reader.setfilter(ONLY)
        yield reader


def test_names_of_interfaces() -> None:
    assert {"lo", "any"} <= set(pcapy.findalldevs())
    assert pcapy.lookupdev() in pcapy.findalldevs()


def test_open_live_fails_in_libpcaps_words() -> None:
    with pytest.raises(pcapy.PcapError) as caught:
        pcapy.open_live("nosuch0", 65535, 1, 100)
    assert str(caught.value).startswith("nosuch0: No such device exists")


def test_what_a_live_reader_says_of_itself(pair: Veth) -> None:
    with pcapy.open_live(pair.here, 65535, 1, 100) as reader:
        network = pair.local.rsplit(".", 1)[0] + ".0"
        assert (reader.getnet(), reader.getmask(), reader.datalink()) == (network, "255.255.255.0", pcapy.DLT_EN10MB)
        assert reader.getfd() > 2 and reader.getnonblock() == 0
        assert len(reader.stats()) == 3
        assert reader.set_snaplen(5) == reader.set_promisc(1) == reader.set_rfmon(0) == reader.set_timeout(5) == -4
        with pytest.raises(pcapy.PcapError, match="syntax error"):
            reader.setfilter("tcp prot 80")


def test_next_and_its_timeout() -> None:
    with listening(to_ms=100) as reader:
        begun = time.monotonic()
        assert reader.next() == (None, b"")
        assert 0.08 < time.monotonic() - begun < 0.3
        send()
        header, data = reader.next()
        assert header is not None and (header.getlen(), header.getcaplen(), len(data)) == (62, 62, 62)
        seconds, microseconds = header.getts()
        assert abs(seconds + microseconds / 1e6 - time.time()) < 1


def test_a_timeout_of_zero_waits() -> None:
    with listening(to_ms=0) as reader:
        threading.Timer(0.3, send).start()
        assert reader.next()[0] is not None


def test_loop_dispatch_and_batch() -> None:
    with listening() as reader:
        seen: list[bytes] = []

        def callback(header: Any, data: bytes) -> None:
            seen.append(data)

        send(5)
        reader.loop(3, callback)
        assert len(seen) == 3
        assert reader.dispatch(-1, callback) == 2 and len(seen) == 5
        begun = time.monotonic()
        assert reader.dispatch(-1, callback) == 0
        assert 0.08 < time.monotonic() - begun < 0.3
        send(4)
        data, meta = reader.next_batch(100)
        assert [struct.unpack_from("=IIII", meta, i)[3] for i in range(0, len(meta), 16)] == [62] * 4
        assert len(data) == 4 * 62
        assert reader.next_batch(100) == (b"", b"")
        send(6)
        assert reader.loop_filtered(6, lambda *_: None) == (6, 0, 6, 0, 0)
        assert reader.stats()[0] >= 15


def test_nonblocking_and_select() -> None:
    with listening(to_ms=100) as reader:
        reader.setnonblock(1)
        assert reader.getnonblock() == 1
        begun = time.monotonic()
        assert reader.next() == (None, b"") and reader.dispatch(-1, print) == 0 and reader.next_batch(5) == (b"", b"")
        assert time.monotonic() - begun < 0.05
        send(2)
        assert select.select([reader.getfd()], [], [], 2)[0] == [reader.getfd()]
        found = 0
        while reader.next()[0] is not None:
            found += 1
        assert found == 2
        reader.setnonblock(0)
        assert reader.getnonblock() == 0


def test_create_and_activate() -> None:
    reader = pcapy.create("lo")
    assert reader.getnonblock() == -3  # PCAP_ERROR_NOT_ACTIVATED
    for early in (reader.next, lambda: reader.loop(1, print), lambda: reader.next_batch(1), reader.stats):
        with pytest.raises(pcapy.PcapError, match=r"^This handle hasn't been activated yet$"):
            early()
    options = [reader.set_snaplen(40), reader.set_promisc(0), reader.set_timeout(50), reader.set_buffer_size(1 << 20)]
    assert options == [0, 0, 0, 0]
    assert reader.set_rfmon(0) == 0
    assert reader.activate() == 0
    assert reader.activate() == reader.set_snaplen(5) == -4
    reader.setfilter(ONLY)
    begun = time.monotonic()
    assert reader.next() == (None, b"")
    assert 0.03 < time.monotonic() - begun < 0.2
    send()
    header, data = reader.next()
    assert header is not None and (header.getlen(), header.getcaplen(), len(data)) == (62, 40, 40)
    reader.close()


def test_create_of_what_is_not_there() -> None:
    reader = pcapy.create("nosuch0")
    assert reader.activate() == -5  # PCAP_ERROR_NO_SUCH_DEVICE, as libpcap returns it


def test_sendpacket_and_setdirection(pair: Veth) -> None:
    packet = ethernet(ipv4(17, "192.0.2.1", "192.0.2.2", udp(1, PORT, b"sent")))
    with pcapy.open_live(pair.here, 65535, 1, 300) as out, pcapy.open_live(pair.here, 65535, 1, 300) as into:
        out.setfilter(ONLY)
        into.setfilter(ONLY)
        out.setdirection(pcapy.PCAP_D_OUT)
        into.setdirection(pcapy.PCAP_D_IN)
        with pcapy.open_live(pair.here, 65535, 1, 300) as sender:  # a socket doesn't see what it sends itself
            sender.sendpacket(packet)
            sender.sendpacket(bytearray(packet))
            with pytest.raises(pcapy.PcapError, match="send"):
                sender.sendpacket(b"x" * 70_000)
        assert out.next()[1] == out.next()[1] == packet
        assert into.next() == (None, b"")
        with pytest.raises(pcapy.PcapError, match="Failed setting direction"):
            out.setdirection(17)


def test_fanout_spreads_and_loses_nothing(pair: Veth) -> None:
    readers = [pcapy.open_live(pair.here, 65535, 1, 50) for _ in range(3)]
    group = os.getpid() & 0xFFFF
    for reader in readers:
        reader.setfilter(ONLY)
        reader.set_fanout(group, pcapy.PACKET_FANOUT_LB)
    with pcapy.open_live(pair.here, 65535, 1, 50) as sender:
        for i in range(300):
            sender.sendpacket(ethernet(ipv4(17, "192.0.2.1", "192.0.2.2", udp(i, PORT))))
    counts = []
    for reader in readers:
        seen: list[bytes] = []
        while reader.dispatch(-1, lambda header, data, seen=seen: seen.append(data)):
            pass
        counts.append(len(seen))
    assert sum(counts) == 300 and min(counts) > 50, counts
    with pytest.raises(pcapy.PcapError, match="PACKET_FANOUT: "):
        readers[0].set_fanout(group)  # it is in a group already
    unstarted = pcapy.create("lo")
    with pytest.raises(pcapy.PcapError, match="activated"):
        unstarted.set_fanout(1)


def test_a_filter_set_by_another_thread_while_the_loop_runs() -> None:
    with listening() as reader:
        seen: list[bytes] = []
        thread = threading.Thread(target=lambda: reader.loop(-1, lambda header, data: seen.append(data)))
        thread.start()
        for i in range(20):
            reader.setfilter(ONLY if i % 2 else "tcp port 1")
            reader.stats()
        send(3)
        assert wait_until(lambda: len(seen) == 3)
        reader.breakloop()
        thread.join()


def test_closing_in_another_thread_ends_the_loop() -> None:
    with listening() as reader:
        thread = threading.Thread(target=lambda: reader.loop(-1, print))
        thread.start()
        time.sleep(0.1)
        begun = time.monotonic()
        reader.close()
        thread.join()
        assert time.monotonic() - begun < 0.2


ROUNDS = 100


@pytest.mark.parametrize("busy", [False, True], ids=["idle", "traffic"])
@pytest.mark.parametrize("method", ["loop", "loop_filtered", "next"])
def test_breakloop_from_another_thread(busy: bool, method: str) -> None:
    delays = []

    def read() -> None:
        if method == "next":
            while reader.next()[0] is not None:
                pass
        else:
            getattr(reader, method)(-1, lambda *_: None)

    with traffic_on_loopback() if busy else contextlib.nullcontext(), listening(0 if busy else 10_000) as reader:
        for _ in range(ROUNDS):
            thread = threading.Thread(target=read)
            thread.start()
            time.sleep(0.002)
            begun = time.perf_counter()
            reader.breakloop()
            thread.join()
            delays.append(time.perf_counter() - begun)
    check_delays(delays, ROUNDS)


@pytest.mark.parametrize("busy", [False, True], ids=["idle", "traffic"])
@pytest.mark.parametrize("method", ["loop", "loop_to_buffer", "next"])
def test_control_c(busy: bool, method: str) -> None:
    delays = []
    with traffic_on_loopback() if busy else contextlib.nullcontext(), listening(0 if busy else 10_000) as reader:
        for _ in range(ROUNDS):
            sent: list[float] = []

            def interrupt(sent: list[float] = sent) -> None:
                time.sleep(0.002)
                sent.append(time.perf_counter())
                os.kill(os.getpid(), signal.SIGINT)

            thread = threading.Thread(target=interrupt)
            with pytest.raises(KeyboardInterrupt):
                thread.start()
                while True:
                    if method == "next":
                        reader.next()
                    elif method == "loop":
                        reader.loop(-1, lambda *_: None)
                    else:
                        reader.loop_to_buffer(-1, bytearray(100))
            delays.append(time.perf_counter() - sent[0])
            thread.join()
    check_delays(delays, ROUNDS)


def test_an_unchanged_sniffer(pair: Veth) -> None:
    """As programs of pcapy's users go: a thread that loops, real queries on the wire."""
    names = []

    def callback(header: Any, data: bytes) -> None:
        names.append(data[55 : 55 + data[54]])

    with pcapy.open_live(pair.here, 65535, 1, 10) as reader:
        reader.setfilter("udp dst port 53")
        thread = threading.Thread(target=reader.loop, args=(3, callback))
        thread.start()
        with pair.server(DNS_SERVER), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            for name in ("one.example", "two.example", "three.example"):
                s.sendto(dns_query(name), (pair.remote, 53))
        thread.join(10)
    assert names == [b"one", b"two", b"three"]
