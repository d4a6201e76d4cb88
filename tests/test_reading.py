"""What can be read: every format, any file name, standard input and pipes as they are written."""

from __future__ import annotations

import gzip
import os
import shutil
import signal
import struct
import subprocess
import sys
import threading
import time
from datetime import datetime, timezone
from pathlib import Path

import oracle
import pytest
from conftest import DATA, ROOT, captures_under, needs_tshark

import wishpy

START_NS = 1_700_000_000_123_456_789


def read(source: object, **options: object) -> list[wishpy.Packet]:
    with wishpy.Dissector(source, **options) as dissector:
        return list(dissector)


# --- formats --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("order", ["little", "big"])
@pytest.mark.parametrize(("precision", "unit"), [("micro", 1000), ("nano", 1)])
def test_pcap(order: str, precision: str, unit: int) -> None:
    packets = read(DATA / f"{precision}_{order}.pcap")
    assert [packet.number for packet in packets] == list(range(1, 9))
    for number, packet in enumerate(packets):
        assert packet.time_ns == (START_NS + number * 10_000_001) // unit * unit
    assert packets[0].protocols == ["eth", "ethertype", "arp"]
    assert packets[7]["dns.a"] == "192.0.2.80"


def test_times_are_aware_and_in_utc() -> None:
    first = read(DATA / "nano_little.pcap")[0]
    assert first.time == datetime.fromtimestamp(1_700_000_000, timezone.utc).replace(microsecond=123456)
    assert first.time.tzinfo is not None
    assert first.time.utcoffset().total_seconds() == 0


def test_several_sections_interfaces_and_comments() -> None:
    packets = read(DATA / "several.pcapng")
    assert [packet.interface for packet in packets][:4] == ["eth0", "only a description", "eth0", "eth0"]
    assert packets[4].interface == packets[6].interface
    assert packets[0].comment == "one comment"
    assert packets[1].comment is None
    assert packets[2].comment is not None
    assert packets[2].comment.startswith("first \u2713")
    assert packets[2].get_all("frame.comment") == ["first \u2713", "second"]
    assert (packets[3].captured_length, packets[3].length, len(packets[3].data)) == (60, 78, 60)
    assert packets[0].linktype != packets[1].linktype
    assert packets[1].protocols[0] == "raw"


@needs_tshark
def test_name_resolution_blocks_are_used_when_names_are_wanted() -> None:
    path = DATA / "several.pcapng"
    named = [packet.source for packet in read(path, name_resolution=("network",))]
    assert "server.example.com" in named
    assert named == [line for line in oracle.lines(path, "-N", "n", "-T", "fields", "-e", "_ws.col.Source")]
    assert "server.example.com" not in [packet.source for packet in read(path)]


def test_embedded_tls_secrets_are_used() -> None:
    secret = read(DATA / "tls13_recorded.pcapng")
    open_ = read(DATA / "tls13_secrets.pcapng")
    assert not any("http" in packet.protocols for packet in secret)
    requests = [packet for packet in open_ if "http.request.method" in packet]   # 4.4 has the URI in the answer as well
    assert [packet["http.request.uri"] for packet in requests] == ["/page?n=1"]
    body = next(packet for packet in open_ if "http.response" in packet)
    text = body.get("http.file_data", b"")   # bytes from 4.4
    assert (text if isinstance(text, bytes) else text.encode()).startswith(b"Hello over TLS")


def test_secrets_of_one_file_do_not_open_the_next() -> None:
    read(DATA / "tls13_secrets.pcapng")
    assert not any("http" in packet.protocols for packet in read(DATA / "tls13_recorded.pcapng"))


@pytest.mark.parametrize("suffix", ["gz", "zst", "lz4"])
def test_compressed(suffix: str, demo: str) -> None:
    assert [p.to_dict() for p in read(f"{demo}.{suffix}")] == [p.to_dict() for p in read(demo)]


EDITCAP = shutil.which("editcap")
FORMATS = """
    5views btsnoop commview-ncf commview-ncfx erf k12text lanalyzer modpcap
    netmon1 netmon2 nettl ngsniffer ngwsniffer_1_1 ngwsniffer_2_0 nokiapcap nstrace10
    nstrace20 nstrace30 nstrace35 observer rh6_1pcap snoop suse6_3pcap visual
""".split()


@needs_tshark
@pytest.mark.skipif(EDITCAP is None, reason="no editcap to write other vendors' formats with")
@pytest.mark.parametrize("form", FORMATS)
def test_other_vendors_formats(form: str, tmp_path: Path) -> None:
    path = tmp_path / f"capture.{form}"
    command = [EDITCAP, "-F", form, DATA / "micro_little.pcap", path]
    made = subprocess.run(command, capture_output=True, text=True, env=oracle.environment(), timeout=60)
    if made.returncode != 0:
        pytest.skip(f"editcap cannot write Ethernet as {form}: {made.stderr.splitlines()[-1:]}")
    run = oracle.json_frames(path)
    frames = list(run)
    mine, failed = [], False
    try:
        with wishpy.Dissector(path) as dissector:
            for packet in dissector:
                mine.append(oracle.expected_pairs(packet.layers))
    except wishpy.FileError:
        failed = True
    assert mine == frames
    assert failed == (run.status == 2), run.messages  # Wireshark cannot read everything that it writes


def test_the_data_files_are_what_make_data_makes(tmp_path: Path) -> None:
    subprocess.run([sys.executable, DATA / "make_data.py", tmp_path], check=True, capture_output=True)
    for path in captures_under(tmp_path):
        if path.suffix in (".zst", ".lz4", ".gz"):
            continue  # another release of a compressor writes other bytes
        assert path.read_bytes() == (DATA / path.name).read_bytes(), path.name
    with gzip.open(DATA / "demo.pcapng.gz") as file:
        assert file.read() == (DATA / "demo.pcapng").read_bytes()


# --- names ----------------------------------------------------------------------------------------------------

NAMES = [
    b"with space.pcap",
    "gr\u00fc\u00dfe \u65e5\u672c \U0001f40d.pcap".encode(),
    b"undecodable \xff\xfe.pcap",
    b"line\nbreak.pcap",
    b"-x",
    b"%s%n%d.pcap",
    b"quote'\".pcap",
    b"x" * 200,
]


@pytest.mark.parametrize("name", NAMES, ids=ascii)
@pytest.mark.parametrize("kind", ["bytes", "str", "path"])
def test_any_name(name: bytes, kind: str, tmp_path: Path) -> None:
    path = os.path.join(os.fsencode(tmp_path), name)
    shutil.copy(os.fsencode(DATA / "dns.pcap"), path)
    source = {"bytes": path, "str": os.fsdecode(path), "path": Path(os.fsdecode(path))}[kind]
    assert len(read(source)) == 7


def test_a_name_relative_to_the_working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copy(DATA / "dns.pcap", tmp_path / "-r")
    monkeypatch.chdir(tmp_path)
    assert len(read("-r")) == 7


class Named:
    def __init__(self, path: object) -> None:
        self.path = path

    def __fspath__(self) -> object:
        return self.path


def test_anything_with_a_path(demo: str) -> None:
    assert len(read(Named(demo))) == 13
    assert len(read(Named(os.fsencode(demo)))) == 13
    with pytest.raises(TypeError):
        wishpy.Dissector(Named(7))


# --- standard input and pipes ---------------------------------------------------------------------------------

SHOW = """
import sys, wishpy
with wishpy.Dissector(sys.argv[1]) as packets:
    for packet in packets:
        print(packet.number, packet.info, flush=True)
print("end", flush=True)
"""


def shower(source: str, **options: object) -> subprocess.Popen[str]:
    command = [sys.executable, "-X", "faulthandler", "-c", SHOW, source]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=ROOT, **options)


def expect_line(process: subprocess.Popen[bytes], start: str, within: float) -> str:
    """The line that starts so, which the process prints in time; else it is ended and the test fails."""
    timer = threading.Timer(within, process.kill)
    timer.start()
    assert process.stdout is not None
    line = process.stdout.readline().decode()
    timer.cancel()
    if not line.startswith(start):
        process.kill()
        assert process.stderr is not None
        raise AssertionError(f"expected {start!r} within {within} s, got {line!r}\n{process.stderr.read().decode()}")
    return line


def records(path: Path) -> tuple[bytes, list[bytes]]:
    """The header of a little-endian pcap and its records."""
    data = path.read_bytes()
    at, found = 24, []
    while at < len(data):
        size = 16 + struct.unpack_from("<I", data, at + 8)[0]
        found.append(data[at : at + size])
        at += size
    return data[:24], found


def test_standard_input(demo: str) -> None:
    with open(demo, "rb") as file:
        process = shower("-", stdin=file)
        out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert out.decode().splitlines()[-1] == "end"
    assert len(out.splitlines()) == 14


def deliver(process: subprocess.Popen[bytes], pipe: object) -> None:
    """Write a record at a time; each packet comes out before the next record is written."""
    header, packets = records(DATA / "nano_little.pcap")
    pipe.write(header)
    pipe.flush()
    for number, record in enumerate(packets, 1):
        time.sleep(0.05)
        pipe.write(record)
        pipe.flush()
        expect_line(process, f"{number} ", 30 if number == 1 else 5)
    pipe.close()
    expect_line(process, "end", 5)
    assert process.wait(30) == 0


def test_packets_of_standard_input_come_as_they_are_written() -> None:
    with shower("-", stdin=subprocess.PIPE) as process:
        deliver(process, process.stdin)


def test_packets_of_a_named_pipe_come_as_they_are_written(tmp_path: Path) -> None:
    path = tmp_path / "pipe.pcap"
    os.mkfifo(path)
    with shower(str(path)) as process, open(path, "wb") as pipe:
        deliver(process, pipe)


def test_a_record_in_pieces_through_a_pipe() -> None:
    """A record that comes a few bytes at a time is one packet."""
    header, packets = records(DATA / "nano_little.pcap")
    data = header + packets[0] + packets[1]
    with shower("-", stdin=subprocess.PIPE) as process:
        for at in range(0, len(data), 11):
            process.stdin.write(data[at : at + 11])
            process.stdin.flush()
            time.sleep(0.005)
        expect_line(process, "1 ", 30)
        expect_line(process, "2 ", 5)
        process.stdin.close()
        expect_line(process, "end", 5)


def test_pcapng_and_gzip_through_a_pipe(demo: str) -> None:
    for name in (demo, demo + ".gz"):
        with open(name, "rb") as file:
            process = shower("-", stdin=subprocess.PIPE)
            out, err = process.communicate(file.read(), timeout=60)
        assert process.returncode == 0, err
        assert out.decode().splitlines()[-1] == "end"
        assert len(out.splitlines()) == 14


def test_a_pipe_that_is_cut_gives_its_whole_packets() -> None:
    data = (DATA / "nano_little.pcap").read_bytes()
    process = shower("-", stdin=subprocess.PIPE)
    out, err = process.communicate(data[:-10], timeout=60)
    assert len(out.splitlines()) == 7
    assert b"FileError" in err
    assert process.returncode == 1


# --- Ctrl-C ---------------------------------------------------------------------------------------------------

LONG_LOOP = """
import sys, time, wishpy
path, options = sys.argv[1], eval(sys.argv[2])
print("ready", flush=True)
try:
    while True:
        with wishpy.Dissector(path, **options) as packets:
            for packet in packets:
                pass
except KeyboardInterrupt:
    print("interrupted", time.monotonic(), flush=True)
    with wishpy.Dissector(sys.argv[3]) as packets:
        print(len(list(packets)), flush=True)
"""


def waited(process: subprocess.Popen[bytes]) -> float:
    """For how many seconds its main thread was kept from running by others, where the system tells."""
    told = Path(f"/proc/{process.pid}/schedstat")
    return int(told.read_text().split()[1]) / 1e9 if told.exists() else 0.0


def interrupted(arguments: list[str], after: float, code: str = LONG_LOOP) -> tuple[float, str]:
    """Send SIGINT some time after the process is ready; how long its loop took to end, and what it printed then.

    What a busy machine adds is left out: the process notes the end itself, and its waits for a processor do not count.
    """
    command = [sys.executable, "-X", "faulthandler", "-c", code, *arguments]
    # Without a buffer, which would keep for itself what came together with "interrupted": communicate() reads the pipe.
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0)
    expect_line(process, "ready", 30)
    time.sleep(after)
    sent, before = time.monotonic(), waited(process)
    process.send_signal(signal.SIGINT)
    ended = float(expect_line(process, "interrupted", 10).split()[1])
    took = ended - sent - (waited(process) - before)
    out, err = process.communicate(timeout=30)
    assert process.returncode == 0, err.decode()
    return took, out.decode()


@pytest.fixture(scope="module")
def long_capture(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The frames of dns.pcap, 30,000 times."""
    path = tmp_path_factory.mktemp("long") / "long.pcap"
    header, packets = records(DATA / "dns.pcap")
    path.write_bytes(header + b"".join(packets) * 30_000)
    return str(path)


@pytest.mark.parametrize(
    "options",
    [{}, {"display_filter": "tcp.port == 1"}, {"fields": ["tcp.port"]}, {"skip": 10**9}, {"two_pass": True}],
    ids=str,
)
def test_ctrl_c_ends_a_long_loop(options: dict[str, object], long_capture: str, demo: str) -> None:
    """Also one that returns nothing to Python for a long time; and the next file opens."""
    took, out = interrupted([long_capture, repr(options), demo], after=1.0)
    assert took < 1.0
    assert out.split() == ["13"]


WAITING = """
import sys, time, wishpy
print("ready", flush=True)
try:
    for packet in wishpy.Dissector(sys.argv[1]):
        print(packet.number, flush=True)
except KeyboardInterrupt:
    print("interrupted", time.monotonic(), flush=True)
    with wishpy.Dissector(sys.argv[2]) as packets:
        print(len(list(packets)), flush=True)
"""


def test_ctrl_c_while_a_pipe_has_no_writer(tmp_path: Path, demo: str) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    took, out = interrupted([str(path), demo], after=1.0, code=WAITING)
    assert took < 1.0
    assert out.split() == ["13"]


@pytest.mark.parametrize("written", ["nothing", "the header", "half a record"])
def test_ctrl_c_while_a_pipe_is_silent(written: str, tmp_path: Path, demo: str) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    header, packets = records(DATA / "nano_little.pcap")
    data = {"nothing": b"", "the header": header, "half a record": header + packets[0][:30]}[written]
    writer = os.open(path, os.O_RDWR)  # both ends, so that opening does not wait
    try:
        os.write(writer, data)
        took, out = interrupted([str(path), demo], after=1.0, code=WAITING)
    finally:
        os.close(writer)
    assert took < 1.0
    assert out.split() == ["13"]
