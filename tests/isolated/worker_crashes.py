"""Workers that are killed, loop, eat memory or exit at a frame: the right exception, with what came before it.

usage: worker_crashes.py CAPTURE NUMBER. The plugin folder is the caller's, with worker_crashes.lua in it.
"""

from __future__ import annotations

import os
import random
import subprocess
import sys

import wishpy

CAPTURE, NUMBER = sys.argv[1], int(sys.argv[2])
SIGNALS = ["SEGV", "ABRT", "KILL"]


def trouble(kind: str | None, frame: int = 0) -> None:
    """For the workers that start from now on."""
    os.environ["WIRESHARK_TEST_TROUBLE"] = "" if kind is None else f"{kind} {frame}"


def crash_of(dissector: wishpy.Dissector) -> tuple[list[int], wishpy.DissectorCrash]:
    seen = []
    try:
        for packet in dissector:
            seen.append(packet.number)
            assert packet["frame.number"] == packet.number
    except wishpy.DissectorCrash as crash:
        assert next(dissector, None) is None, "it goes on after its crash"
        return seen, crash
    raise AssertionError(f"no crash: {os.environ['WIRESHARK_TEST_TROUBLE']}")


def check(kind: str, frame: int, cause: str, **keywords: object) -> None:
    trouble(kind, frame)
    seen, crash = crash_of(wishpy.Dissector(CAPTURE, isolated=True, **keywords))
    assert seen == list(range(1, frame)), (kind, frame, seen)
    assert (crash.frame, crash.cause, crash.path) == (frame, cause, CAPTURE), (kind, frame, crash)
    assert CAPTURE in str(crash) and f"frame {frame}:" in str(crash), str(crash)
    trouble(None)
    with wishpy.Dissector(CAPTURE, isolated=True) as after:
        assert len([packet.to_dict() for packet in after]) == FRAMES


def skip(frames: int) -> None:
    """The frame is left out, and what its successors know of those before it stays known."""
    frame = frames // 2
    trouble("SEGV", frame)
    packets = list(wishpy.Dissector(CAPTURE, isolated=True, on_crash="skip"))
    trouble(None)
    expected = list(wishpy.Dissector(CAPTURE, isolated=True))
    assert [packet.number for packet in packets] == [packet.number for packet in expected]
    for packet, other in zip(packets, expected):
        assert packet.data == other.data
        assert packet.time_ns == other.time_ns
        if packet.number < frame:
            assert packet.crash is None
            assert packet.to_dict() == other.to_dict()
    assert packets[frame].crash is None
    assert packets[frame]["tcp.stream"] == expected[frame]["tcp.stream"]
    bad = packets[frame - 1]
    assert "SIGSEGV" in bad.crash
    assert bad.to_dict() == {bad.crash: None}
    assert str(bad) and bad.to_json() and bad.protocols == [] and bad.columns == {}


def two_passes(frame: int) -> None:
    trouble("ABRT", frame)
    seen, crash = crash_of(wishpy.Dissector(CAPTURE, isolated=True, two_pass=True))
    assert (seen, crash.frame, crash.cause) == ([], frame, "SIGABRT")
    packets = list(wishpy.Dissector(CAPTURE, isolated=True, two_pass=True, on_crash="skip"))
    assert [packet.number for packet in packets if packet.crash] == [frame]
    assert len(packets) == FRAMES


trouble(None)
with wishpy.Dissector(CAPTURE, isolated=True) as dissector:
    FRAMES = len(list(dissector))
random.seed(6)
for turn in range(NUMBER):
    name = SIGNALS[turn % 3]
    check(name, random.randint(1, FRAMES), f"SIG{name}")
check("EXIT", 5, "exit 3")
check("LOOP", 4, "time", frame_timeout=0.3)
check("MEMORY", 6, "memory", memory_limit=600_000_000)
skip(FRAMES)
two_passes(3)
left = subprocess.run(["ps", "-o", "stat=", "--ppid", str(os.getpid())], capture_output=True, text=True).stdout.split()
assert not [state for state in left if "Z" in state], left
print(f"{NUMBER} crashes")
