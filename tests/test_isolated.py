"""Dissector(..., isolated=...): the same API and the same answers from a worker process, and no crash reaches here."""

from __future__ import annotations

import os
import pickle
import queue
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import oracle
import pytest
from conftest import DATA, ISOLATED, ROOT, SANITIZED, SHARED, SOMEBODY_ELSE, Finished, captures_under, needs_root

import wishpy
import wishpy.isolated

FULL = bool(os.environ.get("WISHPY_FULL"))
PROGRAM = "wishpy/_worker.py"


def children(of: int | None = None) -> dict[int, str]:
    """Worker processes by their parent's number: process number and state."""
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            state, parent = (folder / "stat").read_text().rsplit(")", 1)[1].split()[:2]
            words = (folder / "cmdline").read_bytes()
        except OSError:
            continue
        if int(parent) == (of or os.getpid()) and (PROGRAM.encode() in words or state == "Z"):
            found[int(folder.name)] = state
    return found


def gone(process: int) -> bool:
    return not Path(f"/proc/{process}").exists()


def idle() -> set[int]:
    return {process.program.pid for process in wishpy.isolated._idle}


def eventually(condition: Callable[[], bool], seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.01)


def everything(packet: Any) -> tuple[Any, ...]:
    """All that a Packet says; its dict as text, in which a NaN is equal to another."""
    return (
        packet.number, packet.time_ns, packet.length, packet.captured_length, packet.linktype, packet.interface,
        packet.comment, packet.data, packet.data_sources, packet.protocols, packet.columns, repr(packet.to_dict()),
        packet.to_json(), str(packet), packet.crash,
    )  # fmt: skip


def answers(path: Any, **keywords: Any) -> tuple[list[Any], str | None]:
    """All packets and how the reading ended."""
    found = []
    try:
        with wishpy.Dissector(path, **keywords) as dissector:
            for packet in dissector:
                found.append(everything(packet))
    except wishpy.Error as error:
        return found, f"{type(error).__name__}: {error}"
    return found, None


@pytest.fixture(autouse=True)
def no_worker_stays_busy(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(wishpy.isolated, "WARM_SECONDS", 1.0)   # some tests wait for the end of all
    yield
    eventually(lambda: "Z" not in children().values() and len(children()) <= 4)


# --- the same answers -----------------------------------------------------------------------------------------

OPTIONS: list[dict[str, Any]] = [
    {}, {"display_filter": "dns || tcp.flags.syn == 1"}, {"fields": ["ip.src", "tcp.*"]}, {"two_pass": True},
    {"two_pass": True, "read_filter": "tcp"}, {"skip": 3, "count": 4}, {"count": 0}, {"reset_after": 5},
    {"name_resolution": ("mac", "network", "transport")}, {"name_resolution": ()},
]  # fmt: skip


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_options_work_as_in_process(options: dict[str, Any], demo: str) -> None:
    here, there = answers(demo, isolated=False, **options), answers(demo, isolated=True, **options)
    assert here == there
    assert len(there[0]) > 0 or options.get("count") == 0


def sample() -> list[Path]:
    """Our own captures and every twentieth of the others, all of them with WISHPY_FULL=1."""
    others = captures_under(SHARED) if SHARED.is_dir() else []
    return [*captures_under(DATA), *(others if FULL else others[::20])]


@pytest.mark.parametrize("path", sample(), ids=lambda path: path.name)
def test_every_packet_is_equal(path: Path) -> None:
    if not FULL and path.stat().st_size > 3_000_000:
        pytest.skip("a long capture: WISHPY_FULL=1 reads it")
    here, there = answers(path, isolated=False), answers(path, isolated=True)
    if here != there:   # one dissector of 4.0 reads what its last user left in memory, see the oracle
        assert (len(here[0]), here[1]) == (len(there[0]), there[1])
        odd = {one[0] for one, other in zip(here[0], there[0], strict=True) if one != other}
        assert oracle.TSHARK is not None and oracle.unsteady_frames(path, odd) == odd


def test_a_packet_of_a_worker_is_a_packet(demo: str) -> None:
    with wishpy.Dissector(demo, isolated=True) as dissector:
        packets = list(dissector)
    assert isinstance(dissector, wishpy.Dissector)
    assert packets[0]["ip.src"] and "dns" in packets[0] and packets[0].find("dns.qry.name").text
    again = pickle.loads(pickle.dumps(packets))
    assert [(packet.to_dict(), packet.columns) for packet in again] == [(p.to_dict(), p.columns) for p in packets]


def test_standard_input(demo: str, python: Callable[..., Finished]) -> None:
    code = "import wishpy; print(len(list(wishpy.Dissector('-', isolated=True))))"
    with open(demo, "rb") as file:
        assert python(code=code, stdin=file).check() == "13\n"
    cat = subprocess.Popen(["cat", demo], stdout=subprocess.PIPE)
    assert python(code=code, stdin=cat.stdout).check() == "13\n"
    cat.communicate()


def test_a_path_that_names_a_descriptor(demo: str) -> None:
    with open(demo, "rb") as file:
        assert len(list(wishpy.Dissector(f"/dev/fd/{file.fileno()}", isolated=True))) == 13


def test_paths_are_relative_to_where_the_parent_is_now(demo: str, tmp_path: Path, monkeypatch: Any) -> None:
    list(wishpy.Dissector(demo, isolated=True))   # a worker is warm
    shutil.copy(demo, tmp_path / "here.pcapng")
    monkeypatch.chdir(tmp_path)
    assert len(list(wishpy.Dissector("here.pcapng", isolated=True))) == 13


# --- errors ---------------------------------------------------------------------------------------------------

BAD: list[dict[str, Any]] = [
    {"display_filter": "ip.src == =="}, {"fields": ["no.such.field"]}, {"skip": -1}, {"read_filter": "ip"},
    {"display_filter": 5}, {"name_resolution": ["all"]}, {"no_such_keyword": 1}, {"count": "many"},
]  # fmt: skip


@pytest.mark.parametrize("keywords", BAD, ids=str)
def test_a_mistake_is_the_same_mistake(keywords: dict[str, Any], demo: str) -> None:
    caught = []
    for isolated in (False, True):
        with pytest.raises((wishpy.Error, ValueError, TypeError)) as info:
            wishpy.Dissector(demo, isolated=isolated, **keywords)
        caught.append(info.value)
    here, there = caught
    assert type(here) is type(there)
    assert str(here) == str(there)
    facts = {name: value for name, value in vars(here).items() if name != "with_traceback"}
    assert facts == vars(there)


@pytest.mark.parametrize("isolated", [False, True])
def test_a_missing_and_a_cut_file(isolated: bool, tmp_path: Path) -> None:
    with pytest.raises(wishpy.FileError) as caught:
        wishpy.Dissector(tmp_path / "none.pcap", isolated=isolated)
    assert caught.value.errno == 2
    assert caught.value.path == tmp_path / "none.pcap"
    cut = tmp_path / "cut.pcap"
    cut.write_bytes((DATA / "dns.pcap").read_bytes()[:-5])
    found, ending = answers(cut, isolated=isolated)
    assert len(found) == 6
    assert ending is not None and ending.startswith("FileError") and "cut short" in ending


@pytest.mark.parametrize(
    ("keywords", "error"),
    [
        ({"isolated": 1}, TypeError), ({"on_crash": "ignore"}, ValueError), ({"frame_timeout": 0}, ValueError),
        ({"memory_limit": -1}, ValueError), ({"frame_timeout": "1"}, TypeError), ({"worker_user": 5}, TypeError),
        ({"isolated": False, "on_crash": "skip"}, ValueError), ({"isolated": False, "frame_timeout": 1}, ValueError),
        ({"on_crash": "skip", "two_pass": True, "read_filter": "ip"}, ValueError),
    ],
)  # fmt: skip
def test_bounds_that_make_no_sense(keywords: dict[str, Any], error: type[Exception], demo: str) -> None:
    with pytest.raises(error):
        wishpy.Dissector(demo, **keywords)


def raw_packets() -> list[Any]:
    return list(wishpy.Capturer(path=str(DATA / "dns.pcap")))


def filled_queue() -> Any:
    waiting: queue.Queue[Any] = queue.Queue()
    for raw in raw_packets():
        waiting.put(raw)
    waiting.put(None)
    return waiting


SOURCES: dict[str, Callable[[], Any]] = {
    "list": raw_packets, "queue": filled_queue, "capturer": lambda: wishpy.Capturer(path=str(DATA / "dns.pcap")),
    "generator": lambda: (raw for raw in raw_packets()),
}  # fmt: skip


@pytest.mark.parametrize("options", [{}, {"count": 3}, {"display_filter": "dns.flags.response == 1"}], ids=str)
@pytest.mark.parametrize("source", SOURCES)
def test_sources_that_the_parent_reads(source: str, options: dict[str, Any]) -> None:
    here, there = (answers(SOURCES[source](), isolated=isolated, **options) for isolated in (False, True))
    assert here == there
    assert len(here[0]) == (7 if not options else 3)


def test_what_an_iterable_raises_comes_out_and_no_frame_is_read_ahead() -> None:
    taken = []

    def frames() -> Iterator[bytes]:
        for raw in raw_packets()[:3]:
            taken.append(raw.data)
            yield raw.data
        raise LookupError("of the iterable's own")

    dissector = wishpy.Dissector(frames(), linktype="EN10MB", isolated=True)
    for number in (1, 2, 3):
        assert next(dissector).number == number
        assert len(taken) == number
    with pytest.raises(LookupError, match="own"):
        next(dissector)
    dissector.close()


def test_frames_that_are_handed_in() -> None:
    raw = raw_packets()
    found = []
    for isolated in (False, True):
        with wishpy.Dissector(isolated=isolated) as dissector:
            answer = [everything(dissector.dissect(raw[0].data)), everything(dissector.dissect(raw[1].data, time=5))]
            with pytest.raises(ValueError, match="no-such-dissector"):
                dissector.dissect(b"x", dissector="no-such-dissector")
            answer.append(everything(dissector.dissect(raw[2].data[42:], dissector="dns")))
            found.append(answer)
    assert found[0] == found[1]
    with wishpy.Dissector(DATA / "dns.pcap", isolated=True) as dissector, pytest.raises(ValueError, match="no other"):
        dissector.dissect(raw[0].data)


def test_frames_of_a_source_cannot_be_skipped() -> None:
    for source in (None, iter([b"frame"])):
        with pytest.raises(ValueError, match="skip"):
            wishpy.Dissector(source, on_crash="skip")


def test_a_memory_limit_below_what_a_worker_needs(demo: str) -> None:
    with pytest.raises(ValueError, match="before its first frame"):
        wishpy.Dissector(demo, memory_limit=1_000_000)


# --- where it lives -------------------------------------------------------------------------------------------


def test_the_second_one_takes_a_worker(demo: str) -> None:
    with wishpy.Dissector(demo) as first, wishpy.Dissector(demo) as second, wishpy.Dissector(demo) as third:
        with pytest.raises(wishpy.SessionError):
            wishpy.Dissector(demo, isolated=False)
        rows = list(zip(first, second, third, strict=True))
    assert len(rows) == 13
    for packets in rows:
        assert everything(packets[0]) == everything(packets[1]) == everything(packets[2])


def test_a_frame_that_its_dissector_cuts_down_keeps_its_bytes(tmp_path: Path) -> None:
    """Raw IP with bytes behind what its length field says: a kept Packet has them too."""
    raw = bytes.fromhex("4500001c000100004011000001020304050607080035003500080000") + b"behind"
    with wishpy.Dissector([raw, raw, raw], linktype="RAW", isolated=False) as dissector:
        kept = list(dissector)
    assert [packet.data for packet in kept] == [raw] * 3


def test_zip_over_eight(demo: str) -> None:
    dissectors = [wishpy.Dissector(demo) for _ in range(8)]
    rows = [[everything(packet) for packet in row] for row in zip(*dissectors, strict=True)]
    assert len(rows) == 13
    assert all(cell == row[0] for row in rows for cell in row)


def test_from_many_threads(demo: str) -> None:
    expected = [packet.to_dict() for packet in wishpy.Dissector(demo)]
    each = 13 if FULL else 3
    wrong: list[Any] = []

    def work() -> None:
        for _ in range(each):
            try:
                with wishpy.Dissector(demo) as dissector:
                    if [packet.to_dict() for packet in dissector] != expected:
                        wrong.append("packets")
            except BaseException as error:
                wrong.append(error)

    threads = [threading.Thread(target=work) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    eventually(lambda: not children(), 20)   # the warm ones go, too


@pytest.mark.parametrize("how", ["-c", "stdin", "thread", "spawn"])
def test_wherever_the_program_comes_from(how: str, demo: str) -> None:
    code = f"import wishpy\nprint(len(list(wishpy.Dissector({demo!r}, isolated=True))))\n"
    if how == "thread":
        code = f"import threading\nt = threading.Thread(target=exec, args=({code!r},))\nt.start(); t.join()"
    if how == "spawn":   # __main__ has no guard: a worker that imported it anew would start workers without end
        code = "import multiprocessing\nmultiprocessing.set_start_method('spawn')\n" + code
    command = [sys.executable] + (["-c", code] if how != "stdin" else ["-"])
    run = subprocess.run(command, input=code if how == "stdin" else None, capture_output=True, text=True, timeout=60)
    assert (run.stdout, run.stderr) == ("13\n", "")


def test_a_notebook_cell_run_again_and_again(demo: str) -> None:
    nbclient = pytest.importorskip("nbclient", reason="nbclient is not installed")
    import nbformat

    cell = f"import wishpy\npackets = wishpy.Dissector({demo!r})\nfirst = next(packets)\nfirst.number, first['ip.src']"
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell)])
    client = nbclient.NotebookClient(notebook, timeout=60)
    with client.setup_kernel():
        outputs = []
        for _ in range(50):
            client.execute_cell(notebook.cells[0], 0)
            outputs.append(notebook.cells[0].outputs[-1]["data"]["text/plain"])
    assert len(set(outputs)) == 1
    assert outputs[0].startswith("(1, ")


# --- the end --------------------------------------------------------------------------------------------------


def worker_of(dissector: Any) -> int:
    """The one worker of a Dissector that has just been opened."""
    busy = set(children())
    assert len(busy) == 1
    return busy.pop()


@pytest.fixture
def alone() -> None:
    """No worker is warm."""
    eventually(lambda: not children())


@pytest.mark.parametrize("how", ["close", "break", "collect", "end", "exception"])
def test_no_worker_outlives_its_use_for_long(how: str, demo: str, alone: None) -> None:
    dissector = wishpy.Dissector(demo, isolated=True)
    process = worker_of(dissector)
    if how == "close":
        next(dissector)
        dissector.close()
        dissector.close()
        with pytest.raises(ValueError, match="closed"):
            next(dissector)
    elif how == "break":
        for _ in dissector:
            break
    elif how == "end":
        assert len(list(dissector)) == 13
        assert next(dissector, None) is None
    elif how == "exception":
        with pytest.raises(ZeroDivisionError), dissector:
            next(dissector)
            raise ZeroDivisionError
    del dissector
    eventually(lambda: gone(process))


def test_a_warm_worker_is_used_again(demo: str, alone: None) -> None:
    with wishpy.Dissector(demo, isolated=True) as dissector:
        process = worker_of(dissector)
        list(dissector)
    with wishpy.Dissector(demo, isolated=True, fields=["ip.src"]) as dissector:
        assert worker_of(dissector) == process
        assert next(packet.keys() for packet in dissector) == ["ip.src"]


SETTINGS: list[dict[str, Any]] = [
    {}, {}, {"preferences": {"ip.defragment": False}}, {}, {"decode_as": {"udp.port==53": "rtp"}}, {"disable": ["dns"]},
    {"name_resolution": ()}, {"name_resolution": ()}, {"fields": ["ip.src"]}, {},
]  # fmt: skip


def test_a_worker_made_ready_for_other_settings(demo: str, alone: None) -> None:
    """A resting worker makes a session ready under the settings of its last job."""
    for options in SETTINGS:
        here = answers(demo, isolated=False, **options)
        time.sleep(0.15)
        there = answers(demo, isolated=True, **options)
        assert here == there, options


def test_a_mistake_after_which_a_ready_session_is_gone(demo: str, alone: None) -> None:
    list(wishpy.Dissector(demo, isolated=True))
    time.sleep(0.15)
    with pytest.raises(wishpy.FilterError):
        wishpy.Dissector(demo, isolated=True, display_filter="ip.src == ==")
    assert len(list(wishpy.Dissector(demo, isolated=True))) == 13
    time.sleep(0.15)
    with pytest.raises(wishpy.FileError):   # it stays laid by, and must not serve other settings
        wishpy.Dissector(demo + ".not", isolated=True)
    off = list(wishpy.Dissector(demo, isolated=True, disable=["dns"]))
    assert len(off) == 13
    assert not any("dns" in packet for packet in off)


@pytest.mark.skipif(SANITIZED, reason="a sanitizer takes its time")
def test_a_warm_start_is_quick(demo: str, alone: None) -> None:
    """CPU time, which other work on the machine does not change much: of both processes, until the capture is open."""
    list(wishpy.Dissector(demo, isolated=True))
    found = []
    for _ in range(5):
        time.sleep(0.4)   # it makes itself ready
        clock = ~next(iter(children())) << 3 | 2   # as clock_getcpuclockid() makes it
        start = time.process_time() + time.clock_gettime(clock)
        with wishpy.Dissector(demo, isolated=True):
            found.append(time.process_time() + time.clock_gettime(clock) - start)
    assert min(found) < 0.02


@pytest.mark.parametrize("cause", [signal.SIGKILL, signal.SIGTERM])
@pytest.mark.parametrize("forked", [False, True])
def test_the_parent_is_killed(cause: signal.Signals, forked: bool, demo: str) -> None:
    """Also while a forked child of the parent, which has copies of its descriptors, lives on."""
    code = (
        "import os, sys, time, wishpy\n"
        f"d = wishpy.Dissector({demo!r}, isolated=True); next(d)\n"
        f"if {forked} and os.fork() == 0:\n    time.sleep(20); os._exit(0)\n"
        "print('ready', flush=True); time.sleep(60)"
    )
    parent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, start_new_session=True)
    assert parent.stdout is not None
    assert parent.stdout.readline() == b"ready\n"
    workers = list(children(parent.pid))
    assert workers
    parent.send_signal(cause)
    parent.wait()
    try:
        eventually(lambda: all(gone(worker) for worker in workers))
    finally:
        os.killpg(parent.pid, signal.SIGKILL) if forked else None
        parent.stdout.close()


def test_a_forked_child_says_whose_it_is(demo: str) -> None:
    with wishpy.Dissector(demo, isolated=True) as dissector:
        next(dissector)
        child = os.fork()
        if child == 0:
            try:
                next(dissector)
            except wishpy.SessionError:
                dissector.close()
                os._exit(0 if len(list(wishpy.Dissector(demo, isolated=True))) == 13 else 1)
            os._exit(2)
        assert os.waitpid(child, 0)[1] == 0
        assert len(list(dissector)) == 12


def test_ctrl_c_ends_a_wait(tmp_path: Path) -> None:
    fifo = tmp_path / "pipe"
    os.mkfifo(fifo)
    code = (
        "import wishpy\n"
        f"d = wishpy.Dissector({str(fifo)!r}, isolated=True)\n"
        "print('ready', flush=True)\n"
        "try:\n    next(d)\nexcept KeyboardInterrupt:\n    print('interrupted')"
    )
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"
    time.sleep(0.3)
    process.send_signal(signal.SIGINT)
    assert process.communicate(timeout=10)[0] == b"interrupted\n"
    assert process.returncode == 0


# --- crashes and bounds ---------------------------------------------------------------------------------------


def test_packets_that_are_kept_while_the_loop_goes_on(demo: str) -> None:
    """A packet's block stays in the ring at first: who keeps it, or asks late, gets the same."""
    expected = answers(demo, isolated=False)[0]
    for distance in (1, 2, 3):
        kept: list[Any] = []
        found = []
        with wishpy.Dissector(demo, isolated=True) as dissector:
            for packet in dissector:
                kept.append(packet)
                if len(kept) > distance:
                    found.append(everything(kept.pop(0)))
        found += [everything(packet) for packet in kept]   # after close()
        assert found == expected


def test_a_fork_keeps_the_packets_of_before(demo: str) -> None:
    """The ring goes on in the parent: what the child has of it is its own."""
    expected = answers(demo, isolated=False)[0]
    with wishpy.Dissector(demo, isolated=True) as dissector:
        first, second = next(dissector), next(dissector)
        child = os.fork()
        if child == 0:
            time.sleep(0.3)
            os._exit(0 if [everything(first), everything(second)] == expected[:2] else 1)
        rest = [everything(packet) for packet in dissector]
        assert os.waitpid(child, 0)[1] == 0
        assert [everything(first), everything(second), *rest] == expected


def test_a_worker_killed_from_outside(demo: str, alone: None) -> None:
    dissector = wishpy.Dissector(demo, isolated=True)
    first = next(dissector)
    os.kill(worker_of(dissector), signal.SIGSEGV)
    with pytest.raises(wishpy.DissectorCrash) as caught:
        for packet in dissector:
            first = packet
        raise wishpy.DissectorCrash("it had sent all", frame=14, cause="SIGSEGV")   # the kill came late
    assert caught.value.frame == first.number + 1
    assert caught.value.cause == "SIGSEGV"


@pytest.mark.skipif(SANITIZED, reason="a sanitizer turns signals into exits of its own")
def test_crashes_at_random_frames(demo: str, tmp_path: Path) -> None:
    """Wireshark heeds no WIRESHARK_PLUGIN_DIR of root, so root runs this as somebody else."""
    shutil.copy(ISOLATED / "worker_crashes.lua", tmp_path)
    environment = {**os.environ, "WIRESHARK_PLUGIN_DIR": str(tmp_path), "PYTHONPATH": str(ROOT)}
    number = 1000 if FULL else 6
    command = [sys.executable, str(ISOLATED / "worker_crashes.py"), demo, str(number)]
    before = [] if os.geteuid() else SOMEBODY_ELSE
    run = subprocess.run([*before, *command], env=environment, capture_output=True, text=True, timeout=1800)
    assert run.stdout == f"{number} crashes\n", run.stderr


@pytest.mark.skipif(not SHARED.is_dir(), reason="../shared/captures is not there: nothing malformed to read")
def test_malformed_captures_with_skip() -> None:
    folder = SHARED / "malformed"
    for path in captures_under(folder)[:: 1 if FULL else 12]:
        here = answers(path, isolated=False)
        there = answers(path, isolated=True, on_crash="skip")
        assert here == there, path


def test_what_a_worker_may_do(demo: str, alone: None) -> None:
    with wishpy.Dissector(demo, isolated=True) as dissector:
        process = worker_of(dissector)
        lines = dict(line.split(":", 1) for line in Path(f"/proc/{process}/status").read_text().splitlines())
        limits = Path(f"/proc/{process}/limits").read_text()
        assert lines["NoNewPrivs"].strip() == "1"
        assert int(lines["CapEff"], 16) == int(lines["CapPrm"], 16) == 0 or os.geteuid() != 0
        core = next(line for line in limits.splitlines() if line.startswith("Max core file size"))
        assert core.split()[4:6] in (["0", "0"], ["1", "1"])
        assert lines["Seccomp"].strip() == "2"


@needs_root
def test_root_sends_nobody(tmp_path: Path, demo: str, alone: None) -> None:
    """What root alone may read is opened for the worker, a fresh or a warm one; then it is nobody."""
    import pwd

    hidden = tmp_path / "hidden"
    hidden.mkdir(mode=0o700)
    path = shutil.copy(demo, hidden / "capture.pcapng")
    os.chmod(path, 0o600)
    for options in ({}, {"two_pass": True}, {}):
        with wishpy.Dissector(path, isolated=True, **options) as dissector:
            busy = [process for process in children() if os.stat(f"/proc/{process}").st_uid]
            status = Path(f"/proc/{busy[0]}/status").read_text()
            owners = next(line for line in status.splitlines() if line.startswith("Uid:")).split()[1:]
            assert set(owners) == {str(pwd.getpwnam("nobody").pw_uid)}
            assert len(list(dissector)) == 13
    with pytest.raises(ValueError, match="no user"):
        wishpy.Dissector(path, isolated=True, worker_user="no-such-user")


@needs_root
@pytest.mark.skipif(SANITIZED, reason="a sanitizer turns signals into exits of its own")
def test_nobody_crashes_and_another_nobody_goes_on(tmp_path: Path, demo: str, alone: None) -> None:
    """Each of them needs root once more, for a capture that root alone may read; a warm worker has given that up."""
    hidden = tmp_path / "hidden"
    hidden.mkdir(mode=0o700)
    path = hidden / "long.pcapng"
    with wishpy.Dissector(demo) as packets, wishpy.Writer(path) as writer:
        few = list(packets)
        for packet in few * 1500:   # more than goes into the ring: the worker waits while it is killed
            writer.write(packet)
    path.chmod(0o600)
    wishpy.Dissector(demo, isolated=True).close()   # it is warm now
    found: list[Any] = []
    workers: list[int] = []
    with wishpy.Dissector(path, isolated=True, on_crash="skip") as dissector:
        for sign in (signal.SIGSEGV, signal.SIGKILL, signal.SIGABRT, None):
            while not (busy := [process for process in children() if process not in {*idle(), *workers}]):
                found.append(next(dissector))   # what is in the ring comes first, then another worker
            workers += busy
            assert os.stat(f"/proc/{busy[0]}").st_uid != 0
            if sign is not None:
                os.kill(busy[0], sign)
        found += dissector
    assert len(workers) == 4
    assert [packet.number for packet in found] == list(range(1, 1500 * len(few) + 1))
    assert sum(packet.crash is not None for packet in found) <= 3   # none, where a packet was finished when it came
    for packet in found:
        assert packet.data == few[(packet.number - 1) % len(few)].data
    eventually(lambda: not children(), 20)
