"""Real traffic for the capture tests: a network namespace, a veth pair into it, servers and packet generators.

`veth()` needs root and a kernel with network namespaces; `why_not()` says what is missing.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import shutil
import socket
import statistics
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_numbers = itertools.count(1)


def why_not(*programs: str) -> str | None:
    """What keeps this machine from making a veth pair, or None."""
    if os.geteuid() != 0:
        return "needs root, to make a network namespace and to capture"
    missing = [program for program in ("ip", *programs) if shutil.which(program) is None]
    if missing:
        return f"needs the programs {', '.join(missing)}"
    name = f"wishpy{os.getpid()}"
    made = subprocess.run(["ip", "netns", "add", name], capture_output=True, text=True)
    if made.returncode != 0:
        return f"this kernel or container lets nobody make a network namespace: {made.stderr.strip()}"
    added = subprocess.run(
        ["ip", "link", "add", f"{name}a", "type", "veth", "peer", "name", f"{name}b"], capture_output=True, text=True
    )
    subprocess.run(["ip", "link", "del", f"{name}a"], capture_output=True)
    subprocess.run(["ip", "netns", "del", name], capture_output=True)
    return f"this kernel has no veth: {added.stderr.strip()}" if added.returncode != 0 else None


@dataclass
class Veth:
    """A pair: `here` with address `local` in this namespace, `there` with address `remote` in `namespace`."""

    namespace: str
    here: str
    there: str
    local: str
    remote: str

    def command(self, *words: str) -> list[str]:
        return ["ip", "netns", "exec", self.namespace, *words]

    def run(self, *words: str, timeout: float = 60) -> subprocess.CompletedProcess[str]:
        """Run a command on the other side."""
        return subprocess.run(self.command(*words), capture_output=True, text=True, timeout=timeout, check=True)

    def start(self, *words: str) -> subprocess.Popen[str]:
        return subprocess.Popen(self.command(*words), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    @contextlib.contextmanager
    def server(self, code: str) -> Iterator[None]:
        """Run Python code on the other side until the block ends; it prints a line when it is ready."""
        process = self.start(sys.executable, "-u", "-c", code, self.remote)
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            assert line.strip() == "ready", line + (process.stderr.read() if process.stderr else "")
            yield
        finally:
            process.kill()
            process.communicate()


@contextlib.contextmanager
def veth() -> Iterator[Veth]:
    number = next(_numbers)
    name = f"wp{os.getpid() % 100000}n{number}"
    net = f"10.{200 + (os.getpid() // 256 + number) % 50}.{os.getpid() % 256}"  # two runs of the suite have two nets
    pair = Veth(name, f"{name}a", f"{name}b", f"{net}.1", f"{net}.2")
    commands = [
        ["ip", "netns", "add", name],
        ["ip", "link", "add", pair.here, "type", "veth", "peer", "name", pair.there, "netns", name],
        ["ip", "addr", "add", f"{pair.local}/24", "dev", pair.here],
        ["ip", "link", "set", pair.here, "up"],
        pair.command("ip", "addr", "add", f"{pair.remote}/24", "dev", pair.there),
        pair.command("ip", "link", "set", pair.there, "up"),
        pair.command("ip", "link", "set", "lo", "up"),
    ]
    try:
        for command in commands:
            subprocess.run(command, check=True, capture_output=True, text=True)
        yield pair
    finally:
        subprocess.run(["ip", "link", "del", pair.here], capture_output=True)
        subprocess.run(["ip", "netns", "del", name], capture_output=True)


HTTP_SERVER = """
import http.server, sys
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = b"<p>captured</p>"
        self.send_response(200); self.send_header("Content-Length", str(len(body))); self.end_headers()
        self.wfile.write(body)
    def log_message(self, *args): pass
server = http.server.HTTPServer((sys.argv[1], 80), Handler)
print("ready"); server.serve_forever()
"""

# Answers every A query with 192.0.2.1.
DNS_SERVER = """
import socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind((sys.argv[1], 53))
print("ready")
while True:
    query, who = s.recvfrom(512)
    question = query[12:query.index(0, 12) + 5]
    answer = bytes([0xC0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 192, 0, 2, 1])
    s.sendto(query[:2] + bytes([0x81, 0x80, 0, 1, 0, 1, 0, 0, 0, 0]) + question + answer, who)
"""


def dns_query(name: str, number: int = 1) -> bytes:
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split("."))
    return struct.pack("!6H", number, 0x0100, 1, 0, 0, 0) + labels + b"\0" + struct.pack("!2H", 1, 1)


def send_udp(address: str, count: int = 1, *, port: int = 9, size: int = 20) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        for _ in range(count):
            s.sendto(b"w" * size, (address, port))


def ethernet(payload: bytes, ethertype: int = 0x0800) -> bytes:
    return b"\x02\0\0\0\0\1\x02\0\0\0\0\2" + ethertype.to_bytes(2, "big") + payload


def ipv4(protocol: int, source: str, destination: str, payload: bytes) -> bytes:
    header = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(payload), 0, 0, 64, protocol, 0)
    return header + socket.inet_aton(source) + socket.inet_aton(destination) + payload


def udp(source: int, destination: int, payload: bytes = b"") -> bytes:
    return struct.pack("!4H", source, destination, 8 + len(payload), 0) + payload


def tcp(source: int, destination: int, flags: int = 0x10, payload: bytes = b"") -> bytes:
    return struct.pack("!2H2I2B3H", source, destination, 1, 1, 0x50, flags, 8192, 0, 0) + payload


PCAP_MICRO, PCAP_NANO = 0xA1B2C3D4, 0xA1B23C4D


def write_pcap(path: Path | str, packets: list[bytes], *, linktype: int = 1, magic: int = PCAP_MICRO) -> str:
    """A pcap file, its packets a thousandth of a second apart, each with a fraction of its own."""
    with open(path, "wb") as file:
        file.write(struct.pack("<IHHiIII", magic, 2, 4, 0, 0, 262144, linktype))
        for i, packet in enumerate(packets):
            fraction = (i % 1000) * 1000 + i % 7
            file.write(struct.pack("<4I", 1_700_000_000 + i // 1000, fraction, len(packet), len(packet)) + packet)
    return str(path)


def wait_until(condition: object, seconds: float = 5) -> bool:
    until = time.monotonic() + seconds
    while not condition():  # type: ignore[operator]
        if time.monotonic() > until:
            return False
        time.sleep(0.005)
    return True


def check_delays(delays: list[float], rounds: int) -> None:
    """Each was under 100 ms; but for a few where other programs leave no processor for those who were told to go on."""
    assert len(delays) == rounds
    late = [delay for delay in delays if delay >= 0.1]
    crowded = os.getloadavg()[0] > (os.cpu_count() or 1)
    assert len(late) <= (rounds // 20 if crowded else 0), f"{late}, median {statistics.median(delays):.6f} s"
