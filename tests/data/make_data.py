#!/usr/bin/env python3
"""make_data.py [DIR] - make the captures of this folder that are not recordings, always the same bytes.

Plain Python: packets are put together with struct, files are written block by block. The addresses are those that
RFC 5737, RFC 3849 and RFC 7042 set aside for documentation. README.md says what each file is for.
"""

from __future__ import annotations

import gzip
import os
import shutil
import struct
import subprocess
import sys

CLIENT_MAC, SERVER_MAC = bytes.fromhex("00005e005301"), bytes.fromhex("00005e005302")
CLIENT, SERVER, NAMESERVER = "192.0.2.1", "192.0.2.80", "192.0.2.53"
START = 1_700_000_000  # seconds since the epoch; a Tuesday in November 2023


# --- packets --------------------------------------------------------------------------------------------------


def address(text: str) -> bytes:
    return bytes(int(part) for part in text.split("."))


def checksum(data: bytes) -> int:
    data += b"\0" * (len(data) % 2)
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def ethernet(payload: bytes, kind: int = 0x0800, *, back: bool = False, broadcast: bool = False) -> bytes:
    source, destination = (SERVER_MAC, CLIENT_MAC) if back else (CLIENT_MAC, SERVER_MAC)
    return (b"\xff" * 6 if broadcast else destination) + source + struct.pack("!H", kind) + payload


def ipv4(
    source: str, destination: str, protocol: int, payload: bytes, *, ttl: int = 64, identification: int = 1
) -> bytes:
    def header(check: int) -> bytes:
        fixed = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(payload), identification, 0x4000, ttl, protocol, check)
        return fixed + address(source) + address(destination)

    return header(checksum(header(0))) + payload


def with_checksum(source: str, destination: str, protocol: int, segment: bytes, at: int) -> bytes:
    pseudo = address(source) + address(destination) + struct.pack("!BBH", 0, protocol, len(segment))
    return segment[:at] + struct.pack("!H", checksum(pseudo + segment)) + segment[at + 2 :]


def udp(source: tuple[str, int], destination: tuple[str, int], payload: bytes, **options: int) -> bytes:
    segment = struct.pack("!HHHH", source[1], destination[1], 8 + len(payload), 0) + payload
    return ipv4(source[0], destination[0], 17, with_checksum(source[0], destination[0], 17, segment, 6), **options)


FIN, SYN, PSH, ACK = 1, 2, 8, 16


def tcp(
    source: tuple[str, int],
    destination: tuple[str, int],
    numbers: tuple[int, int],
    flags: int,
    payload: bytes = b"",
    **more: int,
) -> bytes:
    options = bytes.fromhex("020405b40103030701010402") if flags & SYN else b""
    offset = (20 + len(options)) // 4 << 12
    window = 64240 if flags & SYN else 502
    segment = struct.pack("!HHIIHHHH", source[1], destination[1], *numbers, offset | flags, window, 0, 0)
    segment += options + payload
    return ipv4(source[0], destination[0], 6, with_checksum(source[0], destination[0], 6, segment, 16), **more)


def arp(operation: int) -> bytes:
    mine, theirs = CLIENT_MAC + address(CLIENT), SERVER_MAC + address(SERVER)
    unknown = b"\0" * 6 + address(SERVER)
    body = mine + unknown if operation == 1 else theirs + mine
    return struct.pack("!HHBBH", 1, 0x0800, 6, 4, operation) + body


def ping(operation: int, sequence: int) -> bytes:
    body = struct.pack("!BBHHH", operation, 0, 0, 0x1234, sequence) + bytes(range(32))
    body = body[:2] + struct.pack("!H", checksum(body)) + body[4:]
    return ipv4(CLIENT, SERVER, 1, body) if operation == 8 else ipv4(SERVER, CLIENT, 1, body)


def ping6(operation: int) -> bytes:
    ends = [bytes.fromhex("20010db8" + "00" * 11 + last) for last in ("01", "80")]
    source, destination = ends if operation == 128 else ends[::-1]
    body = struct.pack("!BBHHH", operation, 0, 0, 0x1234, 1) + b"wishpy over IPv6"
    pseudo = source + destination + struct.pack("!II", len(body), 58)
    body = body[:2] + struct.pack("!H", checksum(pseudo + body)) + body[4:]
    return struct.pack("!IHBB", 0x60000000, len(body), 58, 64) + source + destination + body


def dns_name(name: str) -> bytes:
    return b"".join(bytes([len(part)]) + part.encode() for part in name.split(".")) + b"\0"


def dns(number: int, name: str, kind: int = 1, answers: list[tuple[bytes, int, bytes]] | None = None) -> bytes:
    flags, count = (0x0100, 0) if answers is None else (0x8180, len(answers))
    message = struct.pack("!HHHHHH", number, flags, 1, count, 0, 0) + dns_name(name) + struct.pack("!HH", kind, 1)
    for owner, answer_kind, data in answers or []:
        message += owner + struct.pack("!HHIH", answer_kind, 1, 300, len(data)) + data
    return message


POINTER = b"\xc0\x0c"  # the name of the question


def dns_query(number: int, name: str, kind: int = 1) -> bytes:
    return ethernet(udp((CLIENT, 50000 + number), (NAMESERVER, 53), dns(number, name, kind)))


def dns_answer(number: int, name: str, answers: list[tuple[bytes, int, bytes]], kind: int = 1) -> bytes:
    return ethernet(udp((NAMESERVER, 53), (CLIENT, 50000 + number), dns(number, name, kind, answers)), back=True)


def http_exchange() -> list[bytes]:
    """Handshake, GET, a 200 in two segments, and both FINs."""
    client, server = (CLIENT, 40000), (SERVER, 80)
    request = b"GET /hello HTTP/1.1\r\nHost: www.example.com\r\nUser-Agent: wishpy\r\nAccept: */*\r\n\r\n"
    body = b'{"greeting": "Hello, \xc3\xa9\xc3\xa8!", "numbers": [1, 2.5, true, null]}\n'
    head = b"HTTP/1.1 200 OK\r\nServer: example\r\nContent-Type: application/json\r\n"
    answer = head + b"Content-Length: %d\r\n\r\n" % len(body) + body
    mine, theirs = 1000, 5000
    after, half = mine + 1 + len(request), 60
    done = theirs + 1 + len(answer)

    def out(numbers: tuple[int, int], flags: int, payload: bytes = b"") -> bytes:
        return ethernet(tcp(client, server, numbers, flags, payload))

    def back(numbers: tuple[int, int], flags: int, payload: bytes = b"") -> bytes:
        return ethernet(tcp(server, client, numbers, flags, payload, ttl=57), back=True)

    return [
        out((mine, 0), SYN),
        back((theirs, mine + 1), SYN | ACK),
        out((mine + 1, theirs + 1), ACK),
        out((mine + 1, theirs + 1), PSH | ACK, request),
        back((theirs + 1, after), ACK),
        back((theirs + 1, after), ACK, answer[:half]),
        back((theirs + 1 + half, after), PSH | ACK, answer[half:]),
        out((after, done), ACK),
        out((after, done), FIN | ACK),
        back((done, after + 1), FIN | ACK),
        out((after + 1, done + 1), ACK),
    ]


def small_talk() -> list[bytes]:
    """A frame or two of each everyday protocol."""
    return [
        ethernet(arp(1), 0x0806, broadcast=True),
        ethernet(arp(2), 0x0806, back=True),
        ethernet(ping(8, 1)),
        ethernet(ping(0, 1), back=True),
        ethernet(ping6(128), 0x86DD),
        ethernet(ping6(129), 0x86DD, back=True),
        dns_query(7, "www.example.com"),
        dns_answer(7, "www.example.com", [(POINTER, 1, address(SERVER))]),
    ]


def dns_talk() -> list[bytes]:
    """Questions that are answered later, with several answers, an alias, and an answer cut short."""
    alias = dns_name("cdn.example.net")
    both = [(POINTER, 1, address("192.0.2.81")), (POINTER, 1, address("192.0.2.82"))]
    v6 = [(POINTER, 5, alias), (alias, 28, bytes.fromhex("20010db8" + "00" * 11 + "80"))]
    cut = dns(3, "cut.example.com", 1, [(POINTER, 1, address(SERVER))])[:-6]
    return [
        dns_query(1, "www.example.com"),
        dns_query(2, "www.example.org", 28),
        dns_answer(1, "www.example.com", both),
        dns_answer(2, "www.example.org", v6, 28),
        dns_query(3, "cut.example.com"),
        ethernet(udp((NAMESERVER, 53), (CLIENT, 50003), cut), back=True),
        dns_query(4, "never.example.com"),
    ]


# --- files ----------------------------------------------------------------------------------------------------


def times(count: int, step_ns: int) -> list[int]:
    """Nanoseconds since the epoch, with digits beyond the microsecond."""
    return [START * 10**9 + 123_456_789 + number * step_ns for number in range(count)]


def pcap(
    frames: list[bytes], *, order: str = "<", nano: bool = False, linktype: int = 1, step_ns: int = 10_000_001
) -> bytes:
    magic, unit = (0xA1B23C4D, 1) if nano else (0xA1B2C3D4, 1000)
    data = struct.pack(order + "IHHiIII", magic, 2, 4, 0, 0, 262144, linktype)
    for frame, time in zip(frames, times(len(frames), step_ns)):
        seconds, rest = divmod(time, 10**9)
        data += struct.pack(order + "IIII", seconds, rest // unit, len(frame), len(frame)) + frame
    return data


def padded(data: bytes) -> bytes:
    return data + b"\0" * (-len(data) % 4)


class Blocks:
    """pcapng, block by block."""

    def __init__(self, order: str = "<") -> None:
        self.order = order
        self.data = b""

    def pack(self, form: str, *values: int) -> bytes:
        return struct.pack(self.order + form, *values)

    def options(self, *options: tuple[int, bytes]) -> bytes:
        if not options:
            return b""
        return b"".join(self.pack("HH", code, len(value)) + padded(value) for code, value in options) + self.pack(
            "HH", 0, 0
        )

    def block(self, kind: int, body: bytes) -> None:
        length = self.pack("I", 12 + len(body))
        self.data += self.pack("I", kind) + length + body + length

    def section(self, *options: tuple[int, bytes]) -> None:
        body = self.pack("IHHq", 0x1A2B3C4D, 1, 0, -1) + self.options(*options)
        self.block(0x0A0D0D0A, body)

    def interface(self, linktype: int, *options: tuple[int, bytes]) -> None:
        self.block(1, self.pack("HHI", linktype, 0, 262144) + self.options(*options))

    def packet(
        self, interface: int, ticks: int, frame: bytes, *options: tuple[int, bytes], length: int | None = None
    ) -> None:
        head = self.pack("IIIII", interface, ticks >> 32, ticks & 0xFFFFFFFF, len(frame), length or len(frame))
        self.block(6, head + padded(frame) + self.options(*options))

    def names(self, *records: tuple[str, str]) -> None:
        body = b""
        for number, name in records:
            value = address(number) + name.encode() + b"\0"
            body += self.pack("HH", 1, len(value)) + padded(value)
        self.block(4, body + self.pack("HH", 0, 0))

    def statistics(self, interface: int, ticks: int, received: int, dropped: int) -> None:
        options = self.options((4, self.pack("Q", received)), (5, self.pack("Q", dropped)))
        self.block(5, self.pack("III", interface, ticks >> 32, ticks & 0xFFFFFFFF) + options)

    def secrets(self, keylog: bytes) -> None:
        self.block(10, self.pack("II", 0x544C534B, len(keylog)) + padded(keylog))


IF_NAME, IF_DESCRIPTION, IF_TSRESOL, COMMENT = 2, 3, 9, 1
NANO, MILLI = (IF_TSRESOL, b"\x09"), (IF_TSRESOL, b"\x03")


def demo() -> bytes:
    """A name looked up and a page fetched: what `make demo` shows."""
    frames = [dns_query(7, "www.example.com"), dns_answer(7, "www.example.com", [(POINTER, 1, address(SERVER))])]
    frames += http_exchange()
    file = Blocks()
    file.section((4, b"wishpy's tests/data/make_data.py"))
    file.interface(1, (IF_NAME, b"eth0"), NANO)
    for number, (frame, time) in enumerate(zip(frames, times(len(frames), 7_654_321))):
        file.packet(0, time, frame, *([(COMMENT, b"the question")] if number == 0 else []))
    return file.data


def several() -> bytes:
    """Two sections of different byte order, three interfaces of different link types and clocks, comments and names."""
    talk, file = small_talk(), Blocks()
    now = times(len(talk), 1_000_000_007)
    file.section((COMMENT, "a section's comment, with \u00e9".encode()), (2, b"a machine"), (3, b"an operating system"))
    file.interface(1, (IF_NAME, b"eth0"), (IF_DESCRIPTION, b"first"), NANO)
    file.interface(101, (IF_DESCRIPTION, b"only a description"))
    file.names((SERVER, "server.example.com"), (NAMESERVER, "ns.example.com"))
    file.packet(0, now[0], talk[0], (COMMENT, b"one comment"))
    file.packet(1, now[2] // 1000, talk[2][14:])
    file.packet(0, now[3], talk[3], (COMMENT, "first \u2713".encode()), (COMMENT, b"second"))
    file.packet(0, now[4], talk[4][:60], length=len(talk[4]))
    file.statistics(0, now[4], 4, 1)
    second = Blocks(">")
    second.section()
    second.interface(1, (IF_NAME, b"late0"), MILLI)
    second.names((CLIENT, "client.example.com"))
    for number in (1, 6, 7):
        second.packet(0, now[number] // 10**6, talk[number])
    return file.data + second.data


def with_secrets(recording: str, keylog: str) -> bytes:
    """A recorded pcapng with the TLS keys of its connection put in after the first interface."""
    with open(recording, "rb") as file:
        data = file.read()
    with open(keylog, "rb") as file:
        secrets = Blocks()
        secrets.secrets(file.read())
    at = 0
    for _ in range(2):  # the section header and the interface
        at += struct.unpack_from("<I", data, at + 4)[0]
    return data[:at] + secrets.data + data[at:]


def compress(path: str, tool: str, suffix: str) -> None:
    if shutil.which(tool) is None:
        print(f"no {tool} here: {os.path.basename(path)}{suffix} stays as it is", file=sys.stderr)
        return
    target = ["-o", path + suffix] if tool == "zstd" else [path + suffix]
    subprocess.run([tool, "-q", "-f", "-9", path, *target], check=True)


def main() -> None:
    here = os.path.dirname(os.path.abspath(__file__))
    folder = sys.argv[1] if len(sys.argv) > 1 else here
    talk = small_talk()
    files = {
        "micro_little.pcap": pcap(talk),
        "micro_big.pcap": pcap(talk, order=">"),
        "nano_little.pcap": pcap(talk, nano=True),
        "nano_big.pcap": pcap(talk, order=">", nano=True),
        "dns.pcap": pcap(dns_talk(), nano=True, step_ns=123_456_789),
        "empty.pcap": pcap([]),
        "several.pcapng": several(),
        "demo.pcapng": demo(),
        "demo.pcapng.gz": gzip.compress(demo(), 9, mtime=0),
    }
    recording, keylog = os.path.join(here, "tls13_recorded.pcapng"), os.path.join(here, "tls13.keys")
    if os.path.exists(recording):
        files["tls13_secrets.pcapng"] = with_secrets(recording, keylog)
    for name, data in files.items():
        with open(os.path.join(folder, name), "wb") as file:
            file.write(data)
    compress(os.path.join(folder, "demo.pcapng"), "zstd", ".zst")
    compress(os.path.join(folder, "demo.pcapng"), "lz4", ".lz4")


if __name__ == "__main__":
    main()
