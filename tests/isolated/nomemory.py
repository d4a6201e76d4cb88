"""nomemory.py WORK CAPTURE - let Python's allocations fail after n of them, for n = 0, 1, 2, ... until WORK succeeds.

Every failure must be a MemoryError; afterwards the same work must succeed and give what it gave before.
"""

from __future__ import annotations

import _testcapi
import ctypes
import gc
import io
import os
import pickle
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from types import CodeType, FunctionType
from typing import Any

import wishpy
import wishpy.isolated as isolated

PATH = sys.argv[2]
MOST = 60_000


def read(**options: Any) -> list[wishpy.Packet]:
    with wishpy.Dissector(PATH, **options) as dissector:
        return list(dissector)


KEPT = read()
ANSWER = KEPT[1]
PICKLED = pickle.dumps(ANSWER)
RAW = wishpy.RawPacket(b"x" * 60, time_ns=1, interface="eth0")


def fresh_worker(**options: Any) -> list[wishpy.Packet]:
    """No worker is warm: one is started."""
    with isolated._lock:
        while isolated._idle:
            isolated._idle.pop().end()
    return read(isolated=True, **options)


def handed_over() -> list[wishpy.Packet]:
    with wishpy.Dissector([b"x" * 60, b"y" * 60], isolated=True, linktype="EN10MB") as dissector:
        return list(dissector)


def refusal(work: Callable[[], Any], *wanted: type[BaseException]) -> str:
    try:
        work()
    except wanted as error:
        return type(error).__name__
    return "nothing"


def tree(fields: Any) -> int:
    count = 0
    for field in fields:
        count += 1 + tree(field.children)
    return count


def texts() -> int:
    field = ANSWER.layers[4].children[0]
    return (
        len(field.text)
        + len(field.display)
        + len(field.raw)
        + len(field.name)
        + len(field.title)
        + len(field.type)
        + len(repr(field))
    )


def errors() -> tuple[str, ...]:
    return (
        refusal(lambda: ANSWER["ip.scr"], wishpy.FieldError),
        refusal(lambda: wishpy.Dissector(PATH + ".none"), wishpy.FileError),
        refusal(lambda: wishpy.Dissector(PATH, display_filter="ip.src =="), wishpy.FilterError),
        refusal(lambda: wishpy.Dissector(PATH, fields=["ip.scr"]), wishpy.FieldError),
        refusal(lambda: wishpy.Dissector(PATH, skip=-1), ValueError),
    )


TABLE = ["frame.number", "ip.addr", "tcp.flags.*", "tcp.payload", "frame.time"]


def scan() -> wishpy.Scan:
    return wishpy.scan(PATH, TABLE, occurrence="all", encode={"ip.addr": "dictionary"}, text={"tcp.flags.syn"})


def written() -> tuple[int, int]:
    """Into a file of the system's that takes everything and keeps nothing."""
    with wishpy.Dissector(PATH, count=2) as packets, wishpy.Writer("/dev/null") as writer:
        for packet in [*packets, ANSWER, pickle.loads(PICKLED)]:
            writer.write(packet, comment="a comment")
        writer.write(RAW)
        refused = refusal(lambda: writer.write(b"x"), ValueError)
        assert refused == "ValueError", refused
        writer.flush()
    return writer.count, len(repr(writer))


WORKS: dict[str, Callable[[], Any]] = {
    "open": lambda: wishpy.Dissector(PATH).close(),
    "iterate": lambda: sum(packet.number for packet in read()),
    "filter": lambda: [packet.number for packet in read(display_filter="http", skip=1)],
    "fields": lambda: [packet.to_dict() for packet in read(fields=["ip.src", "tcp.flags.*"], count=4)],
    "to_dict": lambda: repr(ANSWER.to_dict()),
    "to_json": lambda: ANSWER.to_json(indent=1),
    "layers": lambda: tree(ANSWER.layers),
    "values": lambda: (ANSWER["dns.a"], ANSWER.get_all("ip.addr"), "dns" in ANSWER, list(ANSWER.keys()), ANSWER["udp"]),
    "columns": lambda: (ANSWER.info, ANSWER.columns, ANSWER.protocols, ANSWER.source, ANSWER.data, ANSWER.interface),
    "facts": lambda: (ANSWER.expert, ANSWER.follow, ANSWER.data_sources, ANSWER._repr_html_()),
    "times": lambda: (ANSWER.time, ANSWER.time_ns, ANSWER["frame.time"]),
    "show": lambda: (ANSWER.show(io.StringIO()), ANSWER.hexdump(io.StringIO()), repr(ANSWER), str(ANSWER)),
    "pickle": lambda: len(pickle.dumps(ANSWER)),
    "unpickle": lambda: pickle.loads(PICKLED)["dns.a"],
    "find": lambda: (ANSWER.find("dns.a").value, len(ANSWER.find_all("ip.addr"))),
    "errors": errors,
    "texts": texts,
    "table": lambda: scan().head(4).to_pydict(),
    "table_stream": lambda: (type(scan().head(2).__arrow_c_stream__()), type(scan().__arrow_c_stream__())),
    "written": written,
    "isolated": lambda: [(packet.number, packet["frame.len"]) for packet in read(isolated=True, count=3)],
    "isolated_start": lambda: [packet.number for packet in fresh_worker(count=2)],
    "isolated_skip": lambda: [packet.crash is not None for packet in read(isolated=True, on_crash="skip", count=2)],
    "isolated_source": lambda: [packet.number for packet in handed_over()],
    "kept": lambda: [packet["frame.number"] for packet in read(count=5)],
}


def attempt(work: Callable[[], Any], allowed: int) -> tuple[bool, Any]:
    """Did it succeed with this many allocations, and what did it give? Anything but MemoryError goes through."""
    _testcapi.set_nomemory(allowed)
    try:
        result = work()
    except MemoryError:
        return False, None
    finally:
        _testcapi.remove_mem_hooks()
    return True, result


def one_failure(work: Callable[[], Any], expected: Any) -> None:
    """Of all allocations one fails: CPython 3.11 loops for ever when it unwinds without any memory (its handlers keep
    the place in long functions as an int), and starting a process is long functions."""
    failures = passed = allowed = 0
    while passed < 100:   # what was let through may just have been lucky
        _testcapi.set_nomemory(allowed, allowed + 1)
        try:
            result = work()
        except MemoryError:
            passed = 0
            failures += 1
        except (SystemError, RuntimeError) as error:   # so say CPython's os.environ.get() and threading.Lock()
            assert "without exception set" in str(error) or "allocate lock" in str(error), error
        else:
            assert result == expected, (allowed, result)
            passed += 1
        finally:
            _testcapi.remove_mem_hooks()
        allowed += 1
        if allowed % 50 == 0:
            assert work() == expected, f"after a failure with {allowed} allocations"
    assert work() == expected
    until = time.monotonic() + 20
    # No zombies are looked for: when the int of a new process' number cannot be made, CPython has lost that process.
    running = ["pgrep", "-P", str(os.getpid()), "-r", "R,S,D", "python"]
    while subprocess.run(running, stdout=subprocess.DEVNULL).returncode == 0:
        assert time.monotonic() < until, f"a worker is left; idle are {isolated._idle}"
        time.sleep(0.1)
    assert not isolated._alive
    print(f"{sys.argv[1]}: failed {failures} times in {allowed}")


def inner_codes(code: CodeType) -> Iterator[CodeType]:
    """Of all functions, classes and comprehensions within this one."""
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield constant
            yield from inner_codes(constant)


def keep_for_ever(thing: object) -> None:
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(thing))


def python_loses_references() -> bool:
    """CPython 3.13 (its issue 122752, mended in 3.14): MAKE_FUNCTION without memory takes a reference too many from the
    code of an inner function, which then is freed while the function around it still has it."""

    def outer() -> Callable[[], None]:
        return lambda: None

    code = next(inner_codes(outer.__code__))
    keep_for_ever(code)
    before = sys.getrefcount(code)
    attempt(outer, 0)
    return sys.getrefcount(code) < before


def spare_references() -> None:
    """For each code that may lose some: more than it can lose, since a work makes a function fail once or twice."""
    functions = [thing for thing in gc.get_objects() if type(thing) is FunctionType]
    keep_for_ever([[code] * 100 for function in functions for code in inner_codes(function.__code__)])


def main() -> None:
    work = WORKS[sys.argv[1]]
    expected = work()
    work()
    if python_loses_references():
        spare_references()
    if sys.argv[1].startswith("isolated"):
        one_failure(work, expected)
        return
    failures = 0
    allowed = 0
    while allowed < MOST:
        done, result = attempt(work, allowed)
        if done:
            assert result == expected, (allowed, result)
            break
        failures += 1
        if failures % 20 == 0:
            gc.collect()
            assert work() == expected, f"after a failure with {allowed} allocations"
        # near the start each single step, later not all of the thousands
        allowed += 1 if allowed < 600 else 1 + allowed // 100
    else:
        raise AssertionError(f"still failing with {MOST} allocations")
    gc.collect()
    assert work() == expected
    print(f"{sys.argv[1]}: failed {failures} times, succeeded with {allowed} allocations")


if __name__ == "__main__":
    main()
