"""The heap grows by huge pages while a long capture is dissected, and else by small ones."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
import traffic
from conftest import Finished, plain_memory

from wishpy import isolated

FRAME = traffic.ethernet(traffic.ipv4(17, "192.0.2.1", "192.0.2.2", b"\0\7\0\7\0\x0a\0\0hi"))

REPORT = """
import resource, sys, threading, wishpy

def advised(flag):
    "Kilobytes of the heap that were advised so."
    total = size = 0
    with open("/proc/self/smaps") as maps:
        for line in maps:
            words = line.split()
            if "-" in words[0]:
                heap = words[-1] == "[heap]"
            elif words[0] == "Size:":
                size = int(words[1])
            elif words[0] == "VmFlags:" and heap and flag in words:
                total += size
    return total

def report():
    print(advised("hg"), advised("nh"))
"""

CODE = REPORT + """
report()
with wishpy.Dissector(sys.argv[1], count=10) as short:
    list(short)
report()
with wishpy.Dissector(sys.argv[1], two_pass=len(sys.argv) > 3) as long:
    for packet in long:
        if packet.number == int(sys.argv[2]):
            report()
            break
report()
"""


def are_given_when_asked() -> bool:
    """Else the system gives them to everybody or to nobody, and nothing is asked for."""
    modes = Path("/sys/kernel/mm/transparent_hugepage/enabled")
    return modes.exists() and "[madvise]" in modes.read_text()


@plain_memory
@pytest.mark.parametrize("two_pass", [(), ("two",)])
@pytest.mark.parametrize(("count", "size", "looked_at"), [(2100, 0, 2090), (500, 9000, 5)], ids=["packets", "bytes"])
def test_the_heap_grows_by_huge_pages(
    python: Callable[..., Finished], tmp_path: Path, two_pass: tuple[str, ...], count: int, size: int, looked_at: int
) -> None:
    """From the 2048th packet on, and in a file of 4 MB from the first."""
    capture = traffic.write_pcap(tmp_path / "long.pcap", [FRAME + bytes(size)] * count)
    run = python(str(capture), str(looked_at), *two_pass, code=CODE)
    run.check()
    none, short, long, end = (tuple(map(int, line.split())) for line in run.out.splitlines())
    assert none == (0, 0)
    assert short == (0, 0) if size == 0 else short[0] == 0
    assert long[0] > 16 << 10 if are_given_when_asked() else long == (0, 0)
    assert end[0] == 0


RESETTING = REPORT + """
every = int(sys.argv[2])

def read(*args, **options):
    with wishpy.Dissector(*args, reset_after=every, **options) as packets:
        for packet in packets:
            if packet.number == 4199:
                report()

read(sys.argv[1])
read([b"\\0" * 64] * 4200, linktype=1)
"""


@plain_memory
@pytest.mark.parametrize("every", [2000, 2048])
def test_what_lies_between_two_resets_counts(python: Callable[..., Finished], tmp_path: Path, every: int) -> None:
    """A session for days that stays small is not one huge page larger some day."""
    capture = traffic.write_pcap(tmp_path / "large.pcap", [FRAME + bytes(2000)] * 4200)
    file, frames = python(str(capture), str(every), code=RESETTING).check().splitlines()
    expected = every == 2048 and are_given_when_asked()
    assert [int(line.split()[0]) > 16 << 10 for line in (file, frames)] == [expected, expected]


WAYS = REPORT + """
opened = []

def open_here():
    opened.append(wishpy.Dissector(sys.argv[1]))

if sys.argv[2] == "thread":   # opened in another thread, read in this one
    thread = threading.Thread(target=open_here)
    thread.start()
    thread.join()
elif sys.argv[2] == "limit":
    resource.setrlimit(resource.RLIMIT_AS, (4 << 30, 4 << 30))
    open_here()
else:
    open_here()
for packet in opened[0]:
    if packet.number == 2090:
        break
if sys.argv[2] == "refused":   # a second one that finds the place taken
    try:
        wishpy.Dissector(sys.argv[1], isolated=False)
    except wishpy.SessionError:
        pass
report()
opened[0].close()
report()
"""


@plain_memory
@pytest.mark.skipif(not are_given_when_asked(), reason="the system gives huge pages to everybody, or to nobody")
@pytest.mark.parametrize("way", ["plain", "thread", "refused", "limit", "hugetlb"])
def test_who_gets_huge_pages(python: Callable[..., Finished], tmp_path: Path, way: str) -> None:
    """Whoever reads in the main thread, but where address space is limited; and what glibc asks for itself stays."""
    capture = traffic.write_pcap(tmp_path / "long.pcap", [FRAME + bytes(2000)] * 2100)
    env = {**os.environ, **({"GLIBC_TUNABLES": "glibc.malloc.hugetlb=1"} if way == "hugetlb" else {})}
    said = python(str(capture), way, code=WAYS, env=env).check()
    asked, taken_back, left, taken_back_in_the_end = map(int, said.split())
    assert taken_back == 0
    if way == "hugetlb":
        assert left >= asked > 0
        assert taken_back_in_the_end == 0
    else:
        assert asked == 0 if way == "limit" else asked > 16 << 10
        assert left == 0


def test_a_worker_adds_to_the_tunables_that_are_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GLIBC_TUNABLES", "glibc.malloc.arena_max=1")
    first, *ours = isolated._worker_environment()["GLIBC_TUNABLES"].split(":")
    assert first == "glibc.malloc.arena_max=1"
    assert ours == [f"glibc.malloc.{name}={value}" for name, value in isolated.HEAP.items()]
    monkeypatch.delenv("GLIBC_TUNABLES")
    assert isolated._worker_environment()["GLIBC_TUNABLES"].split(":") == ours
