"""wishpy 0.1's dissectors: module paths, names, signatures, exceptions and behaviour, over today's Dissector."""

from __future__ import annotations

import inspect
import json
import logging
import os
import queue
import subprocess
import sys
import threading
import warnings
from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import oracle
import pytest
from conftest import DATA, ROOT, WIRESHARK, needs_tshark

pytestmark = pytest.mark.filterwarnings("ignore:.*wishpy 0.1:DeprecationWarning")

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)
    from wishpy.libpcap.lib.capturer import PCAPHeader, WishpyCapturerFileToQueue
    from wishpy.wireshark.lib import dissector as module

DEMO = str(DATA / "demo.pcapng")
FRAMES = 13


@pytest.fixture
def process() -> Iterator[None]:
    """A process that is set up, with the switches of the classes as they come."""
    module.setup_process()
    yield
    module.cleanup_process()
    for cls in (module.WishpyDissectorBase, *module.WishpyDissectorBase.__subclasses__(), QueueOfFrames):
        for name in ("_elasticky", "_pretty", "_proto_tree", "_json_test"):
            if name in vars(cls) and cls is not module.WishpyDissectorBase:
                delattr(cls, name)
    module.WishpyDissectorBase.set_elasticky(False)
    module.WishpyDissectorBase.set_pretty_print_details()
    module.WishpyDissectorBase._json_test = False


class QueueOfFrames(module.WishpyDissectorQueuePython):
    """A queue dissector that other tests leave alone."""


def filled() -> queue.Queue[Any]:
    """The demo's frames as 0.1's file capturer puts them."""
    items: queue.Queue[Any] = queue.Queue()
    capturer = WishpyCapturerFileToQueue(DEMO, items)
    capturer.open()
    capturer.start()
    capturer.close()
    return items


# --- the process ----------------------------------------------------------------------------------------------


def test_a_second_set_up_is_refused(process: None) -> None:
    with pytest.raises(module.WishpyEpanLibAlreadyInitialized):
        module.setup_process()


def test_clean_up_without_set_up_only_logs(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        module.cleanup_process()
    assert "setup_process" in caplog.text


def test_set_up_again_after_clean_up() -> None:
    for _ in range(2):
        module.setup_process()
        assert len(list(module.WishpyDissectorFile(DEMO).run())) == FRAMES
        module.cleanup_process()


def test_without_set_up_the_first_next_raises() -> None:
    for run in (module.WishpyDissectorFile(DEMO).run(), QueueOfFrames(filled()).run()):
        with pytest.raises(module.WishpyEpanLibUninitializedError):
            next(run)


def test_names_and_signatures() -> None:
    def parameters(function: Any) -> list[tuple[str, Any]]:
        return [(p.name, p.default) for p in inspect.signature(function).parameters.values() if p.name != "self"]

    none = inspect.Parameter.empty
    assert parameters(module.WishpyDissectorFile) == [("filename", none)]
    assert parameters(module.WishpyDissectorFile.run) == [("count", 0), ("skip", -1)]
    assert parameters(module.WishpyDissectorQueuePython) == [("queue", none), ("iface_name", None)]
    assert parameters(module.WishpyDissectorQueue.run) == [("count", 0)]
    assert parameters(module.WishpyDissectorBase.apply_filter) == [("text", none), ("overwrite", False)]
    assert parameters(module.WishpyDissectorBase.set_pretty_print_details) == [
        ("enabled", False),
        ("add_proto_tree", False),
    ]
    assert inspect.isabstract(module.WishpyDissectorQueue)
    assert issubclass(module.WishpyDissectorFile, module.WishpyDissectorBase)
    assert issubclass(module.WishpyDissectorQueuePython, module.WishpyDissectorQueue)
    assert issubclass(module.WishpyErrorInitDissector, Exception)


def test_each_says_what_takes_its_place() -> None:
    makers = [lambda: module.WishpyDissectorFile(DEMO), lambda: QueueOfFrames(filled()), module.setup_process]
    for make in makers:
        with pytest.warns(DeprecationWarning, match="wishpy.Dissector") as caught:
            make()
        assert {Path(warning.filename).name for warning in caught if "Dissector" in str(warning.message)} == {
            Path(__file__).name
        }
    module.cleanup_process()


# --- files ----------------------------------------------------------------------------------------------------


def test_a_json_text_for_each_packet(process: None) -> None:
    dissector = module.WishpyDissectorFile(DEMO)
    assert dissector.filename == DEMO
    run = dissector.run()
    assert inspect.isgenerator(run)
    texts = list(run)
    assert all(isinstance(text, str) for text in texts)
    frames = [json.loads(text) for text in texts]
    assert [frame["frame"]["frame.number"] for frame in frames] == list(range(1, FRAMES + 1))
    assert frames[1]["udp"]["udp.srcport"] == 53
    assert frames[1]["dns"]["dns.flags_tree"]["dns.flags.response"] is True
    assert isinstance(frames[1]["dns"]["dns.time"], float)
    assert list(frames[1])[:4] == ["frame", "eth", "ip", "udp"]


def test_count_and_skip(process: None) -> None:
    dissector = module.WishpyDissectorFile(DEMO)
    assert len(list(dissector.run(count=3))) == 3
    left = [json.loads(text) for text in dissector.run(skip=1)]
    # what was skipped was not dissected, so the numbers begin behind it
    assert [frame["frame"]["frame.number"] for frame in left] == list(range(1, FRAMES))
    assert len(list(dissector.run(count=2, skip=5))) == 2
    assert list(dissector.run(skip=FRAMES)) == []


@pytest.mark.parametrize("name", [None, "no-such-file.pcap", str(DATA / "README.md"), 7])
def test_what_is_no_capture(process: None, name: Any) -> None:
    run = module.WishpyDissectorFile(name).run()
    with pytest.raises(module.WishpyErrorWthOpen):
        next(run)


def test_a_run_can_be_left_and_begun_again(process: None) -> None:
    dissector = module.WishpyDissectorFile(DEMO)
    run = dissector.run()
    next(run)
    run.close()
    assert len(list(dissector.run())) == FRAMES


# --- filters --------------------------------------------------------------------------------------------------


def test_filters(process: None) -> None:
    dissector = module.WishpyDissectorFile(DEMO)
    assert dissector.apply_filter("tcp") == (0, None)
    assert len(list(dissector.run())) == 11
    status, message = dissector.apply_filter("dns")
    assert status == -1 and message
    assert dissector.apply_filter("dns", overwrite=True) == (0, None)
    assert len(list(dissector.run())) == 2
    status, message = dissector.apply_filter("ip.srcc == 1", overwrite=True)
    assert status == -2 and message is not None and "ip.srcc" in message
    assert len(list(dissector.run())) == 2  # the bad one changed nothing
    dissector.clear_filter()
    assert len(list(dissector.run())) == FRAMES
    status, _ = dissector.apply_filter("nonsense(")
    assert status == -2


def test_frame_numbers_count_what_the_filter_rejects_too(process: None) -> None:
    dissector = module.WishpyDissectorFile(DEMO)
    dissector.apply_filter("tcp")
    assert json.loads(next(dissector.run(count=1)))["frame"]["frame.number"] == 3


# --- how the JSON looks ---------------------------------------------------------------------------------------


def keys_of(value: Any) -> Iterator[str]:
    for item in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from keys_of(item)
    if isinstance(value, dict):
        yield from value


def test_elasticky(process: None) -> None:
    dissector = module.WishpyDissectorFile(DEMO)
    plain = json.loads(list(dissector.run())[1])
    module.WishpyDissectorFile.set_elasticky(True)
    changed = json.loads(list(dissector.run())[1])
    assert not any("." in key for key in keys_of(changed))
    assert [key.replace(".", "_") for key in keys_of(plain)] == list(keys_of(changed))
    assert changed["ip"]["ip_addr"] == ["192.0.2.53", "192.0.2.1"]
    module.WishpyDissectorFile.set_elasticky(False)
    assert json.loads(list(dissector.run())[1]) == plain


@needs_tshark
def test_pretty_and_the_tree_as_text(process: None) -> None:
    dissector = module.WishpyDissectorFile(DEMO)
    plain = [json.loads(text) for text in dissector.run()]
    module.WishpyDissectorBase.set_pretty_print_details(True)
    pretty = list(dissector.run())
    assert [json.loads(text) for text in pretty] == plain
    assert pretty == [json.dumps(frame, indent=4, ensure_ascii=False) for frame in plain] or all(
        text.startswith('{\n    "') for text in pretty
    )
    for enabled in (True, False):
        module.WishpyDissectorBase.set_pretty_print_details(enabled, add_proto_tree=True)
        trees = [json.loads(text) for text in dissector.run()]
        texts = [tree.pop("proto_tree") for tree in trees]
        assert trees == plain
        assert "\n\n".join(texts).split("\n") == "\n".join(oracle.lines(DEMO, "-V")).rstrip("\n").split("\n")


def test_json_test_reads_each_text_back(process: None, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []
    loads = json.loads
    monkeypatch.setattr(module.json, "loads", lambda text: read.append(text) or loads(text))
    module.WishpyDissectorFile.enable_json_test()
    assert list(module.WishpyDissectorFile(DEMO).run()) == read


# --- queues ---------------------------------------------------------------------------------------------------


def test_a_queue(process: None) -> None:
    dissector = QueueOfFrames(filled(), "eth0")
    assert dissector.iface_name == "eth0"
    *packets, last = dissector.run()
    assert last == ("stop", 0, None)
    assert len(packets) == FRAMES
    for number, (header, data, text) in enumerate(packets, 1):
        frame = json.loads(text)["frame"]
        assert isinstance(header, PCAPHeader)
        assert len(data) == header.caplen == frame["frame.cap_len"]
        assert frame["frame.number"] == number
        if WIRESHARK >= (4, 4):  # a point in time; in 4.0 a duration, seconds
            assert frame["frame.time_epoch"] == f"{utc(header.ts_sec)}.{header.ts_usec:06d}000Z"
        else:
            assert frame["frame.time_epoch"] == pytest.approx(header.ts_sec + header.ts_usec * 1e-6, abs=1e-9)


def utc(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, timezone.utc).strftime("%Y-%m-%dT%H:%M:%S")


def test_conversations_go_on_from_packet_to_packet(process: None) -> None:
    answer = [text for _, _, text in QueueOfFrames(filled()).run()][1]
    assert answer is not None
    assert json.loads(answer)["dns"]["dns.response_to"] == 1


def test_a_queue_with_a_filter(process: None) -> None:
    dissector = QueueOfFrames(filled())
    assert dissector.apply_filter("tcp") == (0, None)
    headers = [header for header, _, _ in dissector.run()]
    assert len(headers) == 12 and headers[-1] == "stop"


def test_one_packet(process: None) -> None:
    dissector = QueueOfFrames(filled())
    header, data, text = dissector.dissect_one_packet()
    assert len(data) == header.len
    assert json.loads(text or "")["frame"]["frame.number"] == 1
    dissector.apply_filter("tcp")
    assert dissector.dissect_one_packet()[2] is None
    dissector.clear_filter()
    for _ in range(11):
        assert dissector.dissect_one_packet()[2] is not None
    assert dissector.dissect_one_packet() == ("stop", 0, None)
    dissector.close()


def test_count_and_send_end_a_run(process: None) -> None:
    dissector = QueueOfFrames(filled())
    assert len(list(dissector.run(count=4))) == 4
    run = dissector.run()
    next(run)
    with pytest.raises(StopIteration):
        run.send("stop")
    assert len(list(dissector.run())) == FRAMES - 5 + 1


def test_iteration(process: None) -> None:
    dissector = QueueOfFrames(filled())
    assert iter(dissector) is dissector
    assert [header for header, _, _ in dissector][-1] == "stop"
    with pytest.raises(StopIteration):
        next(dissector)


def test_stop_from_another_thread(process: None) -> None:
    items: queue.Queue[Any] = queue.Queue()
    dissector = QueueOfFrames(items)
    timer = threading.Timer(0.3, dissector.stop)
    timer.start()
    assert [header for header, _, _ in dissector.run()] == ["stop"]
    timer.join()


def test_a_subclass_that_fetches(process: None) -> None:
    class FromList(module.WishpyDissectorQueue):
        def __init__(self, items: list[Any]) -> None:
            super().__init__()
            self.items = items

        def fetch(self) -> tuple[Any, Any]:
            return self.items.pop(0)

    frame = (DATA / "nano_little.pcap").read_bytes()[40:82]
    items = [(PCAPHeader(1, 1700000000, 5, 42, 42), frame), ("stop", "done")]
    (header, data, text), last = FromList(items).run()
    assert header.len == 42 and data == frame
    assert json.loads(text or "")["frame"]["frame.time"] == "2023-11-14T22:13:20.000005000Z"
    assert last == ("stop", "done", None)


# --- programs -------------------------------------------------------------------------------------------------


def run_script(*arguments: str) -> subprocess.CompletedProcess[str]:
    script = ROOT / "wishpy" / "scripts" / "tshark.py"
    return subprocess.run(
        [sys.executable, str(script), *arguments], capture_output=True, text=True, timeout=60, cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip


def test_the_tshark_program() -> None:
    done = run_script(DEMO, "-c", "2", "--elasticky", "--timed")
    assert done.returncode == 0
    assert [json.loads(line)["frame"]["frame_number"] for line in done.stdout.splitlines()] == [1, 2]
    assert "2 packets" in done.stderr
    assert run_script(DEMO, "--silent").stdout == ""
    assert len(run_script(DEMO, "--filter", "dns").stdout.splitlines()) == 2
    assert "proto_tree" in json.loads(run_script(DEMO, "-c", "1", "--pretty", "--add-proto-tree").stdout)
    wrong = run_script(DEMO, "--filter", "ip.srcc")
    assert wrong.returncode == 2 and "ip.srcc" in wrong.stderr
    missing = run_script("no-such-file.pcap")
    assert missing.returncode == 2 and "Traceback" not in missing.stderr


def test_the_tcpdump_program_says_what_is_wrong() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "wishpy.scripts.tcpdump", "no-such-interface"],
        capture_output=True, text=True, timeout=60, cwd=ROOT,
    )  # fmt: skip
    assert done.returncode == 2
    assert "no-such-interface" in done.stderr
    assert "Traceback" not in done.stderr
