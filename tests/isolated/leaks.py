"""leaks.py blocks|memory|opens|names WHAT DATA - does doing something again and again leave nothing behind?

blocks   sys.getallocatedblocks() and the reference counts of the types and of shared objects, over rounds
memory   the resident size, over more rounds
opens    the resident size over COUNT opens of the demo
names    the resident size over captures of COUNT frames each, whose addresses and ports no other one has
"""

from __future__ import annotations

import contextlib
import gc
import io
import itertools
import os
import pickle
import struct
import sys
import tempfile
from array import array
from collections.abc import Callable, Iterator
from typing import Any

import wishpy

DATA = sys.argv[3] if len(sys.argv) > 3 else ""
DEMO = os.path.join(DATA, "demo.pcapng")
DNS = os.path.join(DATA, "dns.pcap")


def read(path: str = DEMO, **options: Any) -> list[wishpy.Packet]:
    with wishpy.Dissector(path, **options) as dissector:
        return list(dissector)


KEPT: list[wishpy.Packet] = []
UNPICKLED: list[wishpy.Packet] = []


def kept() -> list[wishpy.Packet]:
    if not KEPT:
        KEPT.extend(read())
    return KEPT


def left_early() -> None:
    for packet in wishpy.Dissector(DEMO):
        if packet.number == 4:
            break


def walk(fields: Any) -> None:
    for field in fields:
        _ = (field.name, field.title, field.value, field.raw, field.text, field.display, field.type, field.source)
        _ = (field.offset, field.length, field.hidden, field.generated, repr(field))
        walk(field.children)


def values() -> None:
    for packet in kept():
        _ = (packet.get("ip.src"), packet.get_all("tcp.port"), "dns" in packet, list(packet.keys()))
        _ = (packet.find("ip.ttl"), packet.find_all("ip.addr"), packet.interface)
        _ = (packet.time, packet.time_ns, packet.data, packet.protocols, packet.columns, packet.info, packet.comment)
        packet["ip"]


def trees() -> None:
    for packet in read():
        walk(packet.layers)


def shown() -> None:
    for packet in kept():
        packet.show(io.StringIO()), packet.hexdump(io.StringIO()), repr(packet), str(packet)
        packet.expert, packet.follow, packet.data_sources, packet._repr_html_()


def pickled() -> None:
    for packet in kept():
        pickle.loads(pickle.dumps(packet)).to_dict()


def matched() -> None:
    for packet in kept():
        packet.matches("tcp.port == 80")
        with contextlib.suppress(wishpy.FilterError):
            packet.matches("tcp.port ==")


def written() -> None:
    """Live, kept, pickled, raw and refused packets; into plain and compressed files; with interfaces and secrets."""
    if not UNPICKLED:
        UNPICKLED.extend(pickle.loads(pickle.dumps(kept()[:2])))
    packets = [*kept()[:4], *UNPICKLED]
    for format, compression in (("pcapng", None), ("pcapng", "gzip"), ("pcap", None)):
        with wishpy.Writer(os.devnull, format, compression) as writer:
            for packet in packets:
                writer.write(packet)
                writer.write(wishpy.RawPacket(packet.data, time_ns=1, interface="eth0"))
            with contextlib.suppress(ValueError):
                writer.write(wishpy.RawPacket(b"x", time_ns=-1))
            with contextlib.suppress(TypeError):
                writer.write(7)
    for name in ("several.pcapng", "tls13_secrets.pcapng"):
        path = os.path.join(DATA, name)
        with wishpy.Dissector(path, count=3) as dissector, wishpy.Writer(os.devnull) as writer:
            for packet in dissector:
                writer.write(packet, comment="more")
    writer = wishpy.Writer("/dev/full")
    writer.write(wishpy.RawPacket(b"x"))
    with contextlib.suppress(wishpy.FileError):
        writer.close()
    with contextlib.suppress(wishpy.FileError):
        wishpy.Writer("/nonexistent/x")


def refused(*wanted: type[BaseException], path: Any = DEMO, **options: Any) -> None:
    try:
        read(path, **options)
    except wanted:
        return
    raise AssertionError(f"{options} was not refused")


def cut_file() -> None:
    refused(wishpy.FileError, path=cut_path())


CUT: list[str] = []


def cut_path() -> str:
    if not CUT:
        handle, path = tempfile.mkstemp(suffix=".pcap")
        with open(DNS, "rb") as whole:
            os.write(handle, whole.read()[:-9])
        os.close(handle)
        CUT.append(path)
    return CUT[0]


def bad_keyword() -> None:
    refused(TypeError, nonsense=1)
    refused(TypeError, skip="1")
    refused(ValueError, count=-1)
    refused(ValueError, name_resolution=("mac", "nonsense"))
    refused(ValueError, read_filter="ip")
    refused(TypeError, fields=[1])


def bad_filter() -> None:
    refused(wishpy.FilterError, display_filter="ip.src ==")
    refused(wishpy.FilterError, display_filter="no.such.field")
    refused(wishpy.FilterError, display_filter="ip", read_filter="ip.src ==", two_pass=True)


def busy() -> None:
    with wishpy.Dissector(DEMO) as dissector:
        next(dissector)
        refused(wishpy.SessionError, path=DNS, isolated=False)


def closed() -> None:
    dissector = wishpy.Dissector(DEMO)
    next(dissector)
    dissector.close()
    with contextlib.suppress(ValueError):
        next(dissector)


def missing_name() -> None:
    for packet in kept():
        with contextlib.suppress(KeyError):
            packet["http.cookie"]


def unknown_name() -> None:
    with contextlib.suppress(wishpy.FieldError):
        kept()[0]["ip.scr"]
    with contextlib.suppress(TypeError):
        kept()[0][7]


def error_in_loop() -> None:
    with contextlib.suppress(LookupError), wishpy.Dissector(DEMO) as dissector:
        for packet in dissector:
            raise LookupError(packet.number)


TABLE = ["frame.time", "ip.addr", "frame.protocols", "tcp.flags.syn", "tcp.payload", "_ws.col.info"]


def table() -> None:
    wishpy.scan(DEMO, TABLE, occurrence="all", encode={"ip.addr": "dictionary"}, file=True).to_pydict()


def table_ends() -> None:
    """Readings that are left, never begun, refused, or end in an error."""
    scan = wishpy.scan(DEMO, TABLE, progress=lambda done, all: None)
    next(scan.batches(3))
    scan.__arrow_c_stream__()
    wishpy.scan(DEMO, TABLE).__arrow_c_schema__()   # no pickle here: unpickling a class fills Python's own caches
    for error, path, more in (
        (wishpy.FileError, cut_path(), {}),
        (wishpy.FilterError, DEMO, {"display_filter": "ip.src =="}),
        (ValueError, DEMO, {"encode": {"frame.time": "int"}}),
        (wishpy.FieldError, DEMO, {"text": {"ip.addr"}, "fields": ["ip.adr"]}),
    ):
        fields = more.pop("fields", TABLE)
        with contextlib.suppress(error):
            wishpy.scan(path, fields, **more).to_pydict()
            raise AssertionError(f"{error} did not come")


ROUNDS: dict[str, Callable[[], Any]] = {
    "read": read,
    "read_filtered": lambda: read(display_filter="tcp.flags.syn == 1"),
    "read_fields": lambda: [packet.to_dict() for packet in read(fields=["ip.src", "tcp.*", "dns.a"])],
    "read_two_pass": lambda: read(DNS, two_pass=True, read_filter="dns", display_filter="dns.a"),
    "left_early": left_early,
    "packets_kept": lambda: [packet.number for packet in read()],
    "values": values,
    "trees": trees,
    "dicts": lambda: [packet.to_dict() for packet in read()],
    "json": lambda: [packet.to_json(indent=indent) for packet in kept() for indent in (None, 2)],
    "shown": shown,
    "pickled": pickled,
    "matched": matched,
    "written": written,
    "no_file": lambda: refused(wishpy.FileError, path=DEMO + ".none"),
    "not_a_capture": lambda: refused(wishpy.FileError, path=__file__),
    "cut_file": cut_file,
    "bad_filter": bad_filter,
    "bad_field": lambda: refused(wishpy.FieldError, fields=["ip.src", "ip.scr"]),
    "bad_keyword": bad_keyword,
    "busy": busy,
    "closed": closed,
    "missing_name": missing_name,
    "unknown_name": unknown_name,
    "error_in_loop": error_in_loop,
    "table": table,
    "table_ends": table_ends,
}


def resident() -> int:
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGESIZE")


# Objects that C code borrows and hands out; a count too many each time would show here.
WATCHED = [
    None,
    True,
    False,
    (),
    "",
    wishpy.Dissector,
    wishpy.Packet,
    wishpy.Field,
    wishpy.Writer,
    wishpy.FileError,
    wishpy.FieldError,
    wishpy.FilterError,
    wishpy.SessionError,
]


# Python remembers the name of each attribute that C code has asked a type for, in a cache that fills by chance.
forget_attributes = getattr(sys, "_clear_internal_caches", None) or sys._clear_type_cache


def settle() -> None:
    for _ in range(3):
        gc.collect()
    forget_attributes()


TURNS, CALLS, WARM = 12, 8, 4


def blocks(name: str) -> None:
    """Eight calls a turn; after four turns nothing must go up any more. The figures lie where nothing is allocated."""
    work = ROUNDS[name]
    allocated = array("q", [0] * TURNS)
    counts = [array("q", [0] * TURNS) for _ in WATCHED]
    for turn in range(TURNS):
        for _ in range(CALLS):
            work()
        settle()
        for series, thing in zip(counts, WATCHED):
            series[turn] = sys.getrefcount(thing)
        allocated[turn] = sys.getallocatedblocks()
    # 56 calls lie between the two ends, and nothing at all is kept of them: one block lost in ten calls would show
    most = 4
    for series, thing in zip(counts, WATCHED):
        assert series[-1] - series[WARM] < most, f"{name}: references to {thing!r} grow: {list(series)}"
    assert allocated[-1] - allocated[WARM] < most, f"{name}: blocks grow: {list(allocated)}"
    print(f"{name}: {list(allocated)}")


OPENS = {"written": 2}   # Dissectors opened in one call, where it is not one


def memory(name: str) -> None:
    """The resident size over windows of 60 calls. Heaps settle first; a leak goes on in every window."""
    work = ROUNDS[name]
    for _ in range(250):
        work()
    settle()
    series = [resident()]
    for _ in range(3):
        for _ in range(60):
            work()
        settle()
        series.append(resident())
    growth = min(after - before for before, after in itertools.pairwise(series))
    # what 60 opens may grow by, if 200 may grow by less than a megabyte
    assert growth < 60 * 5000 * OPENS.get(name, 1), f"{name}: {growth} bytes over 60 calls, again and again: {series}"
    print(f"{name}: {series}")


def opens(count: str) -> None:
    for _ in range(10):
        read()
    settle()
    before = resident()
    for _ in range(int(count)):
        read()
    settle()
    growth = resident() - before
    assert growth < 1024 * 1024, f"{growth} bytes over {count} opens"
    print(f"{count} opens: {growth} bytes")


def strangers(number: int, count: int) -> Iterator[bytes]:
    """Frames between manufacturers that nobody knows and ports without a name."""
    for i in range(number * count, (number + 1) * count):
        addresses = b"\2\0\0\0\0\0" + struct.pack("!I", 0x02F00000 + i) + b"\0\1"
        ip = struct.pack("!BBHHHBBHII", 0x45, 0, 28, 0, 0, 64, 17, 0, 0x0A000001, 0x0A000002)
        yield addresses + b"\x08\0" + ip + struct.pack("!HHHH", 20000 + i % 20000, 40000 + i % 20000, 8, 0)


def names(count: str) -> None:
    """A name that is asked for takes some 200 bytes, whether there is one or not; a session's must go with it."""

    def meet(number: int) -> None:
        options: dict[str, Any] = {"linktype": "EN10MB", "name_resolution": ("mac", "transport")}
        with wishpy.Dissector(strangers(number, int(count)), **options) as dissector:
            assert sum(1 for packet in dissector if packet["udp.srcport"]) == int(count)

    before, after = 3, 9
    for number in range(before):
        meet(number)
    settle()
    size = resident()
    for number in range(before, after):
        meet(number)
    settle()
    growth = resident() - size
    assert growth < (after - before) * int(count) * 40, f"{growth} bytes over {after - before} captures"
    print(f"{count} names each: {growth} bytes")


if __name__ == "__main__":
    {"blocks": blocks, "memory": memory, "opens": opens, "names": names}[sys.argv[1]](sys.argv[2])
    for path in CUT:
        os.unlink(path)
