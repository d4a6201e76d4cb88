"""wishpy.pcapy on files: pcapy's and pcapy-ng's behaviour, and libpcap's own words."""

from __future__ import annotations

import os
import re
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conftest import DATA, ROOT, SHARED, Finished
from traffic import ethernet, ipv4, tcp, udp, write_pcap

import wishpy
from wishpy import pcapy

COUNT = 96


@pytest.fixture
def pings(tmp_path: Path) -> str:
    """As many packets as pcapy's own tests have, every third of them TCP."""
    packets = []
    for i in range(COUNT):
        payload = tcp(1000 + i, 80, payload=b"x" * i) if i % 3 == 0 else udp(1000 + i, 53, b"y" * i)
        packets.append(ethernet(ipv4(6 if i % 3 == 0 else 17, "192.0.2.1", "192.0.2.2", payload)))
    return write_pcap(tmp_path / "pings.pcap", packets)


def everything(reader: pcapy.Reader) -> list[tuple[tuple[int, int], int, int, bytes]]:
    found = []
    while True:
        header, data = reader.next()
        if header is None:
            assert data == b""
            return found
        found.append((header.getts(), header.getlen(), header.getcaplen(), data))


# ---- What there is


def test_names() -> None:
    functions = "open_live open_offline create compile lookupdev findalldevs".split()
    types = "BPFProgram PcapError BPFError Reader Dumper Pkthdr".split()
    for name in functions + types:
        assert callable(getattr(pcapy, name))
        assert name in pcapy.__all__
    methods = """next loop dispatch breakloop setfilter getnet getmask datalink getnonblock setnonblock setdirection
        dump_open sendpacket stats close getfd set_snaplen set_promisc set_timeout set_buffer_size set_rfmon activate
        next_batch loop_filtered loop_to_buffer filtered_stats set_fanout __enter__ __exit__""".split()
    assert [name for name in methods if not hasattr(pcapy.Reader, name)] == []
    assert (pcapy.PCAP_D_INOUT, pcapy.PCAP_D_IN, pcapy.PCAP_D_OUT) == (0, 1, 2)
    fanout = [getattr(pcapy, f"PACKET_FANOUT_{name}") for name in ("HASH", "LB", "CPU", "ROLLOVER", "RND")]
    assert fanout == [0, 1, 2, 3, 4]


def test_every_link_type_of_libpcaps_header_is_there() -> None:
    header = Path("/usr/include/pcap/dlt.h")
    if not header.exists():
        pytest.skip(f"{header} is not here")
    text = re.sub(r"/\*.*?\*/", "", header.read_text(), flags=re.DOTALL)
    numbers = dict(re.findall(r"^#define\s+(DLT_\w+)\s+(\d+)\b", text, re.MULTILINE))
    # The ends of ranges are no link types (libpcap 1.10.5 has two ranges, and other names), and DLT_HIPPI is NetBSD's.
    others = re.compile(r"DLT_(LOW_|HIGH_)?MATCHING_(MIN|MAX)|DLT_HIPPI")
    plain = {name: int(number) for name, number in numbers.items() if not others.fullmatch(name)}
    assert len(plain) > 180
    wrong = {
        name: number
        for name, number in plain.items()
        if getattr(pcapy, name, None) != number and len(re.findall(rf"^#define\s+{name}\s", text, re.MULTILINE)) == 1
    }
    wrong |= {name: number for name, number in plain.items() if not hasattr(pcapy, name)}
    assert wrong == {}


def test_errors_are_wishpys_and_apart() -> None:
    assert issubclass(pcapy.PcapError, wishpy.Error) and issubclass(pcapy.BPFError, wishpy.Error)
    assert not issubclass(pcapy.PcapError, pcapy.BPFError) and not issubclass(pcapy.BPFError, pcapy.PcapError)


@pytest.mark.parametrize("name", ["Reader", "Dumper", "Pkthdr"])
def test_only_the_functions_make_them(name: str) -> None:
    with pytest.raises(TypeError):
        getattr(pcapy, name)()


# ---- Reading


def test_next(pings: str) -> None:
    found = everything(pcapy.open_offline(pings))
    assert len(found) == COUNT
    assert found[3][0] == (1_700_000_000, 3003)
    for _, length, captured, data in found:
        assert length == captured == len(data)


def test_end_of_file_gives_none_again_and_again(pings: str) -> None:
    reader = pcapy.open_offline(pings)
    everything(reader)
    assert reader.next() == (None, b"")
    assert reader.next() == (None, b"")


def test_headers_are_their_own(pings: str) -> None:
    header, _ = pcapy.open_offline(pings).next()
    assert sys.getrefcount(header) == 2
    assert type(header) is pcapy.Pkthdr


def test_loop_and_dispatch(pings: str) -> None:
    expected = everything(pcapy.open_offline(pings))
    for name in ("loop", "dispatch"):
        found: list[Any] = []

        def callback(header: pcapy.Pkthdr, data: bytes, found: list[Any] = found) -> None:
            found.append((header.getts(), header.getlen(), header.getcaplen(), data))

        reader = pcapy.open_offline(pings)
        assert getattr(reader, name)(10, callback) == (None if name == "loop" else 10)
        assert len(found) == 10
        assert getattr(reader, name)(-1, callback) == (None if name == "loop" else COUNT - 10)
        assert found == expected
        assert getattr(reader, name)(0, callback) == (None if name == "loop" else 0)


def test_an_exception_comes_out_of_the_loop_and_it_goes_on_after(pings: str) -> None:
    reader = pcapy.open_offline(pings)
    seen = []

    def callback(header: pcapy.Pkthdr, data: bytes) -> None:
        seen.append(data)
        if len(seen) == 5:
            raise KeyError("five")

    with pytest.raises(KeyError, match="five"):
        reader.loop(-1, callback)
    assert len(seen) == 5
    assert len(everything(reader)) == COUNT - 5


@pytest.mark.parametrize("name", ["loop", "dispatch"])
def test_breakloop_in_a_callback(pings: str, name: str) -> None:
    reader = pcapy.open_offline(pings)
    seen = []

    def callback(header: pcapy.Pkthdr, data: bytes) -> None:
        seen.append(data)
        if len(seen) % 4 == 0:
            reader.breakloop()

    getattr(reader, name)(-1, callback)
    assert len(seen) == 4
    getattr(reader, name)(-1, callback)
    assert len(seen) == 8
    assert reader.next()[0] is not None  # neither the break nor the end of the file comes out here
    assert len(everything(reader)) == COUNT - 9


def test_breakloop_before_a_loop_ends_it_and_only_it(pings: str) -> None:
    reader = pcapy.open_offline(pings)
    seen: list[bytes] = []
    reader.breakloop()
    reader.loop(5, lambda header, data: seen.append(data))
    first = len(seen)
    assert first <= 5
    reader.loop(-1, lambda header, data: seen.append(data))
    assert len(seen) == COUNT


def test_a_reader_is_not_read_twice_at_once(pings: str) -> None:
    reader = pcapy.open_offline(pings)
    errors = []

    def callback(header: pcapy.Pkthdr, data: bytes) -> None:
        try:
            reader.next()
        except pcapy.PcapError as error:
            errors.append(str(error))

    reader.loop(2, callback)
    assert len(errors) == 2 and "already" in errors[0]


def test_what_callbacks_may_do(pings: str, tmp_path: Path) -> None:
    """Filters, dumpers, other readers: all but reading the same one."""
    reader = pcapy.open_offline(pings)
    seen = []

    def callback(header: pcapy.Pkthdr, data: bytes) -> None:
        seen.append(data)
        assert reader.datalink() == pcapy.DLT_EN10MB
        if len(seen) == 10:
            reader.setfilter("tcp")
        assert len(everything(pcapy.open_offline(pings))) == COUNT

    reader.loop(-1, callback)
    assert all(data[23] == 6 for data in seen[10:])
    assert len(seen) == 10 + sum(1 for i in range(10, COUNT) if i % 3 == 0)


@pytest.mark.parametrize("method", ["next", "loop", "dispatch", "next_batch", "loop_filtered"])
def test_a_closed_reader(pings: str, method: str) -> None:
    reader = pcapy.open_offline(pings)
    reader.next()
    reader.close()
    reader.close()
    arguments: dict[str, tuple[Any, ...]] = {"next": (), "next_batch": (1,)}
    with pytest.raises(ValueError, match=r"^pcap is closed$"):
        getattr(reader, method)(*arguments.get(method, (1, print)))
    for name in "stats getnet getmask datalink getfd getnonblock activate breakloop".split():
        with pytest.raises(ValueError, match=r"^pcap is closed$"):
            getattr(reader, name)()


def test_closing_in_a_callback_ends_the_loop(pings: str) -> None:
    reader = pcapy.open_offline(pings)
    seen = []

    def callback(header: pcapy.Pkthdr, data: bytes) -> None:
        seen.append(data)
        reader.close()

    reader.loop(-1, callback)
    assert len(seen) == 1
    with pytest.raises(ValueError, match="pcap is closed"):
        reader.next()


def test_the_last_reference_may_go_in_a_callback(pings: str) -> None:
    holder = [pcapy.open_offline(pings)]
    seen: list[bytes] = []

    def callback(header: pcapy.Pkthdr, data: bytes) -> None:
        holder.clear()
        seen.append(data)

    holder[0].loop(-1, callback)
    assert len(seen) == COUNT


def test_context_manager(pings: str) -> None:
    with pcapy.open_offline(pings) as reader:
        assert reader.next()[0] is not None
    with pytest.raises(ValueError, match="pcap is closed"):
        reader.next()


def test_one_thread_a_reader(pings: str) -> None:
    counts: list[int] = []

    def work() -> None:
        for _ in range(20):
            reader = pcapy.open_offline(pings)
            seen: list[bytes] = []
            reader.loop(-1, lambda header, data, seen=seen: seen.append(data))
            counts.append(len(seen))

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert counts == [COUNT] * 120


# ---- libpcap's own words


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "{path}: No such file or directory"),
        (b"", "truncated dump file; tried to read 4 file header bytes, only got 0"),
        (b"not a capture file at all", "unknown file format"),
    ],
)
def test_open_offline_fails_in_libpcaps_words(tmp_path: Path, content: bytes | None, message: str) -> None:
    path = tmp_path / "x.pcap"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(pcapy.PcapError) as caught:
        pcapy.open_offline(str(path))
    assert str(caught.value) == message.format(path=path)
    assert caught.value.args == (str(caught.value),)


def test_a_cut_file_gives_its_whole_packets_first(pings: str) -> None:
    os.truncate(pings, os.path.getsize(pings) - 7)
    reader = pcapy.open_offline(pings)
    seen: list[bytes] = []
    with pytest.raises(pcapy.PcapError, match="truncated dump file"):
        reader.loop(-1, lambda header, data: seen.append(data))
    assert len(seen) == COUNT - 1


def test_files_have_no_network_no_statistics_no_nonblocking_mode(pings: str) -> None:
    reader = pcapy.open_offline(pings)
    assert reader.getnet() == reader.getmask() == "0.0.0.0"
    with pytest.raises(pcapy.PcapError, match=r"^Statistics aren't available from savefiles$"):
        reader.stats()
    assert reader.getnonblock() == 0
    with pytest.raises(pcapy.PcapError, match="Savefiles cannot be put into non-blocking mode"):
        reader.setnonblock(1)
    with pytest.raises(pcapy.PcapError, match="Sending packets isn't supported on savefiles"):
        reader.sendpacket(b"x" * 60)
    with pytest.raises(pcapy.PcapError, match="PACKET_FANOUT"):
        reader.set_fanout(1)
    with pytest.raises(pcapy.PcapError, match="Failed setting direction"):
        reader.setdirection(pcapy.PCAP_D_IN)
    assert reader.set_snaplen(99) == reader.activate() == -4  # PCAP_ERROR_ACTIVATED


BAD_FILTER = "can't parse filter expression: syntax error"


def test_a_bad_filter(pings: str) -> None:
    reader = pcapy.open_offline(pings)
    with pytest.raises(pcapy.PcapError, match=BAD_FILTER):
        reader.setfilter("tcp prot 80")
    with pytest.raises(pcapy.PcapError, match=BAD_FILTER):
        pcapy.compile(pcapy.DLT_EN10MB, 65535, "tcp prot 80", 1, 0)
    with pytest.raises(pcapy.BPFError, match=r"^Couldn't compile BPF program$") as caught:
        pcapy.BPFProgram("tcp prot 80")
    assert BAD_FILTER in str(caught.value.__cause__)
    assert len(everything(reader)) == COUNT


def test_setfilter(pings: str) -> None:
    reader = pcapy.open_offline(pings)
    reader.next()
    reader.setfilter("tcp")
    assert len(everything(reader)) == COUNT // 3 - 1


# ---- BPFProgram


def test_bpf_program(pings: str) -> None:
    program = pcapy.BPFProgram("ip dst host 192.0.2.2")
    for _, _, _, data in everything(pcapy.open_offline(pings)):
        assert program.filter(data) == 65536 and type(program.filter(data)) is int
    assert pcapy.BPFProgram("ip6").filter(data) == 0
    assert program.filter(b"") == 0
    assert program.filter(bytearray(data)) == program.filter(memoryview(data)) == 65536
    with pytest.raises(TypeError):
        program.filter("text")  # type: ignore[arg-type]
    assert pcapy.BPFProgram("ip", pcapy.DLT_RAW).filter(data[14:]) == 65536


def test_get_bpf_is_what_tcpdump_prints() -> None:
    # tcpdump -ddd -s 65536 icmp, on Ethernet
    expected = [(40, 0, 0, 12), (21, 0, 3, 2048), (48, 0, 0, 23), (21, 0, 1, 1), (6, 0, 0, 65536), (6, 0, 0, 0)]
    assert pcapy.compile(pcapy.DLT_EN10MB, 65536, "icmp", 1, 1).get_bpf() == expected


# ---- Dumper


def test_dumper_writes_what_was_read(pings: str, tmp_path: Path) -> None:
    path = tmp_path / "out.pcap"
    reader = pcapy.open_offline(pings)
    dumper = reader.dump_open(str(path))
    reader.loop(-1, dumper.dump)
    dumper.close()
    dumper.close()
    assert path.read_bytes()[24:] == Path(pings).read_bytes()[24:]
    header, data = pcapy.open_offline(pings).next()
    with pytest.raises(pcapy.PcapError, match="Dumper is already closed"):
        dumper.dump(header, data)


def test_many_dumpers_on_one_reader_in_its_callback(pings: str, tmp_path: Path) -> None:
    reader = pcapy.open_offline(pings)
    dumpers: dict[int, pcapy.Dumper] = {}

    def callback(header: pcapy.Pkthdr, data: bytes) -> None:
        port = int.from_bytes(data[34:36], "big")
        if port not in dumpers:
            dumpers[port] = reader.dump_open(str(tmp_path / f"{port}.pcap"))
        dumpers[port].dump(header, data)

    reader.loop(-1, callback)
    assert len(dumpers) == COUNT
    dumpers.clear()  # no close(): the last reference does it
    written = [everything(pcapy.open_offline(str(tmp_path / f"{1000 + i}.pcap"))) for i in range(COUNT)]
    assert [packets[0] for packets in written] == everything(pcapy.open_offline(pings))


def test_dumper_refuses_less_data_than_the_header_says(pings: str, tmp_path: Path) -> None:
    reader = pcapy.open_offline(pings)
    header, data = reader.next()
    dumper = reader.dump_open(str(tmp_path / "out.pcap"))
    with pytest.raises(ValueError, match="the data has"):
        dumper.dump(header, data[:-1])
    with pytest.raises(TypeError):
        dumper.dump("header", data)  # type: ignore[arg-type]


def test_dumper_says_when_the_disk_is_full(pings: str) -> None:
    if not os.path.exists("/dev/full"):
        pytest.skip("no /dev/full here")
    reader = pcapy.open_offline(pings)
    with pytest.raises(pcapy.PcapError, match="No space left on device"):
        dumper = reader.dump_open("/dev/full")
        reader.loop(-1, dumper.dump)
        dumper.close()


def test_dump_open_fails_in_libpcaps_words(pings: str) -> None:
    with pytest.raises(pcapy.PcapError, match="/nonexistent/x: No such file or directory"):
        pcapy.open_offline(pings).dump_open("/nonexistent/x")


# ---- Pipes


def test_a_packet_comes_out_of_a_pipe_before_the_next_is_written(tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    packets = [ethernet(bytes([i]) * 50) for i in range(3)]
    whole = Path(write_pcap(tmp_path / "x.pcap", packets)).read_bytes()
    go = threading.Semaphore(0)

    def write() -> None:
        with open(fifo, "wb", buffering=0) as file:
            file.write(whole[:10])
            time.sleep(0.02)
            file.write(whole[10:24])
            for i in range(3):
                go.acquire()
                record = whole[24 + i * 80 : 24 + (i + 1) * 80]
                file.write(record[:20])
                time.sleep(0.02)  # libpcap must not be stuck in the middle of it
                file.write(record[20:])

    thread = threading.Thread(target=write)
    thread.start()
    reader = pcapy.open_offline(str(fifo))
    for packet in packets:
        go.release()
        assert reader.next()[1] == packet
    assert reader.next() == (None, b"")
    thread.join()


def test_a_program_reads_standard_input(pings: str) -> None:
    code = "import wishpy.pcapy as p; n = []; p.open_offline('-').loop(-1, lambda h, d: n.append(d)); print(len(n))"
    for cat in (True, False):
        with open(pings, "rb") as file:
            writer = subprocess.Popen(["cat"], stdin=file, stdout=subprocess.PIPE) if cat else None
            source = writer.stdout if writer else file
            done = subprocess.run([sys.executable, "-c", code], stdin=source, capture_output=True, text=True, cwd=ROOT)
            assert done.stdout == f"{COUNT}\n", done.stderr
            if writer and writer.stdout:
                writer.stdout.close()
                assert writer.wait() == 0


# ---- Programs that say `import pcapy`

PROGRAM = """
import sys
import pcapy
from pcapy import open_offline, PcapError
import helper
print(__name__, sys.argv, pcapy.__name__, helper.VALUE)
reader = open_offline(sys.argv[1])
count = 0
while reader.next()[0] is not None:
    count += 1
print(count)
try:
    open_offline("/nonexistent")
except PcapError as error:
    print(error)
sys.exit(7)
"""


def test_an_unchanged_program_runs(pings: str, tmp_path: Path, python: Callable[..., Finished]) -> None:
    folder = tmp_path / "programs"
    folder.mkdir()
    (folder / "program.py").write_text(PROGRAM)
    (folder / "helper.py").write_text("VALUE = 'beside the program'")
    # One that would win by its place, were it asked.
    (folder / "pcapy.py").write_text("raise RuntimeError('the wrong pcapy')")
    done = python("-m", "wishpy.pcapy", str(folder / "program.py"), pings, "--flag", cwd=str(ROOT))
    assert done.out.splitlines() == [
        f"__main__ ['{folder}/program.py', '{pings}', '--flag'] wishpy.pcapy beside the program",
        str(COUNT),
        "/nonexistent: No such file or directory",
    ], done.err
    assert done.status == 7


PARENT = """
import multiprocessing
import os
import subprocess
import sys
import threading
import pcapy

def count(path):
    return pcapy.__name__, len([*iter(pcapy.open_offline(path).next, (None, b""))]), os.getpid()

def late(method):
    threading.main_thread().join()
    with multiprocessing.get_context(method).Pool(1) as pool:
        print("late", pool.map(count, sys.argv[1:2])[0][:2])

if __name__ == "__main__":
    for method in ("fork", "spawn", "forkserver"):
        context = multiprocessing.get_context(method)
        with context.Pool(1) as pool:
            name, packets, pid = pool.map(count, sys.argv[1:2])[0]
        print(method, name, packets, pid != os.getpid(), flush=True)
    child = "import pcapy, sys; print('again', pcapy.__name__, pcapy.open_offline(sys.argv[1]).next()[0].getlen())"
    subprocess.run([sys.executable, "-c", child, sys.argv[1]], check=True)
    threading.Thread(target=late, args=("spawn",)).start()
"""


@pytest.mark.parametrize("installed", [True, False])
def test_the_children_of_a_program_find_it_too(pings: str, tmp_path: Path, installed: bool) -> None:
    """Also where wishpy is found by the folder it was started in alone."""
    program = tmp_path / "parent.py"
    program.write_text(PARENT)
    if installed:
        start = [sys.executable, "-m", "wishpy.pcapy"]
    else:
        path = [folder for folder in sys.path if folder and Path(folder) not in (ROOT, ROOT / "tests")]
        code = f"import runpy, sys; sys.path[1:] = {path}; runpy.run_module('wishpy.pcapy', run_name='__main__')"
        start = [sys.executable, "-S", "-c", code]
    done = subprocess.run([*start, str(program), pings], capture_output=True, text=True, cwd=ROOT, timeout=120)
    assert done.stdout.splitlines() == [
        *(f"{method} wishpy.pcapy {COUNT} True" for method in ("fork", "spawn", "forkserver")),
        "again wishpy.pcapy 54",
        f"late ('wishpy.pcapy', {COUNT})",
    ], done.stderr
    assert done.stderr == ""


def test_a_child_without_wishpy_has_its_own_pcapy(tmp_path: Path) -> None:
    """The folder for children is before its own on the path of a Python in which wishpy can't be imported."""
    (tmp_path / "pcapy.py").write_text("VALUE = 'its own'")
    children = ROOT / "wishpy" / "_children"
    code = f"""
import sys
sys.modules["wishpy"] = None
sys.path[:0] = [{str(children)!r}, {str(tmp_path)!r}]
import pcapy
from pcapy import VALUE
print(pcapy.VALUE, pcapy.__file__)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout == f"its own {tmp_path}/pcapy.py\n", done.stderr


def test_how_it_is_called(python: Callable[..., Finished]) -> None:
    nothing = python("-m", "wishpy.pcapy", cwd=str(ROOT))
    assert nothing.status == 1 and "usage:" in nothing.err
    missing = python("-m", "wishpy.pcapy", "nowhere.py", cwd=str(ROOT))
    assert missing.status == 1 and "nowhere.py" in missing.err
    assert python("-m", "wishpy.pcapy", "--help", cwd=str(ROOT)).check().startswith("usage:")


def test_it_never_loads_libwireshark(pings: str, python: Callable[..., Finished]) -> None:
    code = f"""
import wishpy.pcapy as pcapy
assert pcapy.open_offline({pings!r}).next()[0] is not None
print([line.split()[-1] for line in open("/proc/self/maps") if "wireshark" in line.rsplit("/", 1)[-1]])
"""
    assert python(code=code, cwd=str(ROOT)).check() == "[]\n"


# ---- Every capture that libpcap reads


@pytest.mark.skipif(not SHARED.is_dir(), reason="../shared/captures is not there")
def test_all_ways_to_read_agree_on_real_captures() -> None:
    captures = [path for path in sorted(SHARED.rglob("*.pcap*")) if path.suffix != ".gz"]
    assert len(captures) > 300
    read = 0
    for path in captures:
        try:
            reader = pcapy.open_offline(str(path))
        except pcapy.PcapError:
            with pytest.raises(wishpy.FileError):
                wishpy.Capturer(path=path)
            continue
        try:
            expected = everything(reader)
            ending = None
        except pcapy.PcapError as error:
            ending = str(error)
            expected = None
        found = []
        try:
            for raw in wishpy.Capturer(path=path):
                found.append(raw)
            assert ending is None, path
        except wishpy.FileError as error:
            assert ending is not None and ending in str(error) and path.name in str(error)
        if expected is not None:
            read += 1
            # Damaged captures have microseconds that are no fraction of a second.
            expected = [(s * 10**6 + us, length, caplen, data) for (s, us), length, caplen, data in expected]
            assert [(raw.time_ns // 1000, raw.length, raw.captured_length, raw.data) for raw in found] == expected, path
        batch: list[bytes] = []
        reader = pcapy.open_offline(str(path))
        try:
            while True:
                data, meta = reader.next_batch(7)
                if not meta:
                    break
                for i in range(0, len(meta), 16):
                    _, _, offset, length = struct.unpack_from("=4I", meta, i)
                    batch.append(data[offset : offset + length])
        except pcapy.PcapError:
            assert expected is None
        assert batch == [raw.data for raw in found][: len(batch)]
    assert read > 250


def test_the_bundled_capture_too() -> None:
    assert len(list(wishpy.Capturer(path=DATA / "demo.pcapng"))) == 13


# ---- What may happen while a method is at work


class Closing:
    """An argument that closes the reader when it is converted."""

    def __init__(self, reader: pcapy.Reader) -> None:
        self.reader = reader

    def __index__(self) -> int:
        self.reader.close()
        return 1

    def __fspath__(self) -> str:
        self.reader.close()
        return "/dev/null"


@pytest.mark.parametrize("method", "setnonblock setdirection dump_open set_snaplen set_fanout next_batch".split())
def test_an_argument_that_closes_the_reader(pings: str, method: str) -> None:
    reader = pcapy.open_offline(pings)
    with pytest.raises(ValueError, match=r"^pcap is closed$"):
        getattr(reader, method)(Closing(reader))


def test_a_path_that_is_no_text(pings: str) -> None:
    with pytest.raises(pcapy.PcapError, match="No such file"):
        pcapy.open_offline(pings).dump_open(b"/nonexistent/\xff")
    with pytest.raises(pcapy.PcapError, match="No such file"):
        pcapy.open_offline(b"/nonexistent/\xff")


FORKED = """
import os, signal, sys, threading, time
from wishpy import Capturer, pcapy

reader = pcapy.open_offline(sys.argv[1])
entered, leave = threading.Event(), threading.Event()

def callback(header, data):
    entered.set()
    leave.wait()

thread = threading.Thread(target=reader.loop, args=(1, callback))
thread.start()
entered.wait()  # the thread is in libpcap, and holds the reader
child = os.fork()
if child == 0:
    signal.alarm(20)
    try:
        reader.stats()
    except pcapy.PcapError:
        reader.setfilter("tcp")
        reader.close()
        del reader
        os._exit(0)
    os._exit(1)
print(os.waitpid(child, 0)[1])
leave.set()
thread.join()
print(reader.next()[0] is not None)
"""


def test_a_child_process_is_not_held_up_by_its_parents_threads(pings: str, python: Callable[..., Finished]) -> None:
    assert python("-c", FORKED, pings, cwd=str(ROOT)).check() == "0\nTrue\n"


def test_closing_while_another_thread_reads(pings: str) -> None:
    """Over and over, at all moments: it ends, or says that it is closed."""
    for i in range(300):
        reader = pcapy.open_offline(pings)
        ended: list[Any] = []

        def read(reader: pcapy.Reader = reader, ended: list[Any] = ended) -> None:
            try:
                while reader.next()[0] is not None:
                    reader.loop(3, lambda header, data: None)
                ended.append(None)
            except ValueError as error:
                ended.append(str(error))

        thread = threading.Thread(target=read)
        thread.start()
        for _ in range(i):
            pass
        reader.close()
        thread.join()
        assert ended in ([None], ["pcap is closed"])
