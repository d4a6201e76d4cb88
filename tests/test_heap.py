"""The `wishpy` command starts anew with a heap for dissecting, where the capture is large enough."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import traffic

from wishpy import _heap

FRAME = traffic.ethernet(traffic.ipv4(17, "192.0.2.1", "192.0.2.2", b"\0\7\0\7\5\x78\0\0" + bytes(1392)))


@pytest.fixture
def large(tmp_path: Path) -> str:
    path = traffic.write_pcap(tmp_path / "large.pcap", [FRAME] * 3100)
    assert os.path.getsize(path) > 4 << 20
    return str(path)


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    calls: list[Any] = []
    monkeypatch.setattr(os, "execve", lambda *arguments: calls.append(arguments))
    for name in ("WISHPY_HEAP", "GLIBC_TUNABLES"):
        monkeypatch.delenv(name, raising=False)
    return calls


def test_a_large_capture_is_worth_it(started: list[Any], large: str) -> None:
    _heap.start_anew(["dissect", large])
    [(program, words, environment)] = started
    assert program == sys.executable
    assert words == [sys.executable, *sys.orig_argv[1:]]
    assert environment["GLIBC_TUNABLES"].split(":") == [
        "glibc.malloc.hugetlb=1",
        "glibc.malloc.tcache_count=2000",
        "glibc.malloc.mmap_threshold=33554432",
        "glibc.malloc.trim_threshold=67108864",
        "glibc.malloc.top_pad=16777216",
    ]


def test_others_are_not(started: list[Any], large: str, demo: str, monkeypatch: pytest.MonkeyPatch) -> None:
    _heap.start_anew(["dissect", demo, "-Y", "dns", "no such file", "/", "\0"])
    monkeypatch.setenv("GLIBC_TUNABLES", "glibc.malloc.arena_max=1")   # somebody knows better
    _heap.start_anew(["dissect", large])
    monkeypatch.setenv("GLIBC_TUNABLES", "")
    monkeypatch.setenv("WISHPY_HEAP", "1")   # it has been tried
    _heap.start_anew(["dissect", large])
    assert started == []


def test_the_command_is_the_same_anew(large: str) -> None:
    words = ["-m", "wishpy", "dissect", large, "-T", "fields", "-e", "frame.number", "-e", "ip.src", "-c", "3"]
    plain = {name: value for name, value in os.environ.items() if name not in ("WISHPY_HEAP", "GLIBC_TUNABLES")}
    runs = [
        subprocess.run([sys.executable, *words], env=env, capture_output=True, text=True, timeout=120)
        for env in (plain, {**plain, "WISHPY_HEAP": "1"})
    ]
    assert [(run.returncode, run.stdout, run.stderr) for run in runs] == [
        (0, "1\t192.0.2.1\n2\t192.0.2.1\n3\t192.0.2.1\n", "")
    ] * 2
