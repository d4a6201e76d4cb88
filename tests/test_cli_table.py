"""`wishpy table`: its formats, its switches, and how it ends."""

from __future__ import annotations

import csv
import fcntl
import os
import pty
import signal
import struct
import subprocess
import sys
import termios
import time
from pathlib import Path

import oracle
import pytest
from conftest import DATA, needs_tshark, read_terminal
from test_cli import COMMAND, good, run

import wishpy

WORDS = ["-e", "frame.number", "-e", "ip.addr", "-e", "tcp.dstport"]
NAMES = ["frame.number", "ip.addr", "tcp.dstport"]


@needs_tshark
@pytest.mark.parametrize("occurrence", ["f", "l", "a", "first", "last", "all"])
def test_csv_is_what_tshark_prints(demo: str, occurrence: str) -> None:
    expected = oracle.lines(demo, "-T", "fields", *WORDS, "-E", f"occurrence={occurrence[0]}", "-Y", "tcp")
    head, *rows = csv.reader(good("table", demo, *WORDS, "-E", f"occurrence={occurrence}", "-Y", "tcp").splitlines())
    assert head == NAMES
    assert rows == [line.split("\t") for line in expected] and len(rows) > 5


@pytest.mark.parametrize("suffix", ["parquet", "arrow", "feather", "csv"])
def test_each_format_has_the_same_table(demo: str, tmp_path: Path, suffix: str) -> None:
    output = tmp_path / f"out.{suffix}"
    assert good("table", demo, *WORDS, "-o", output) == ""
    if suffix == "csv":
        assert output.read_text() == good("table", demo, *WORDS)
        return
    feather, parquet = pytest.importorskip("pyarrow.feather"), pytest.importorskip("pyarrow.parquet")
    found = parquet.read_table(output) if suffix == "parquet" else feather.read_table(output)
    assert found.equals(wishpy.scan(demo, NAMES).to_arrow())


def test_several_files_text_encoding_and_count(demo: str) -> None:
    more = ["--file-column", "--text", "tcp.flags", "--encode", "ip.src=int", "-c", "14"]
    rows = list(csv.reader(good("table", "-r", demo, demo, "-e", "ip.src", "-e", "tcp.flags", *more).splitlines()))
    assert rows[0] == ["file", "ip.src", "tcp.flags"] and len(rows) == 15
    assert rows[1] == rows[14] == [demo, str(0xC0000201), ""] and rows[3][2] == "Flags: 0x002 (SYN)"


@needs_tshark
@pytest.mark.parametrize(
    "mine, tsharks",
    [
        (["-2", "-R", "udp"], ["-2", "-R", "udp"]),
        (["-d", "tcp.port==8080,echo"], ["-d", "tcp.port==8080,echo"]),
        (["--preference", "tcp.relative_sequence_numbers:FALSE"], ["-o", "tcp.relative_sequence_numbers:FALSE"]),
        (["--disable-protocol", "http"], ["--disable-protocol", "http"]),
        (["-n"], ["-n"]),
        (["-N", "mn"], ["-N", "mn"]),
    ],
)
def test_settings_are_tsharks(mine: list[str], tsharks: list[str]) -> None:
    path = DATA / ("dns.pcap" if "-2" in mine else "http.pcapng")
    names = ["tcp.seq", "http.host", "dns.response_in", "frame.protocols", "_ws.col.Source", "eth.src_resolved"]
    words = [word for name in names for word in ("-e", name)]
    expected = [line.split("\t") for line in oracle.lines(path, "-T", "fields", *words, *tsharks, "-E", "occurrence=f")]
    assert list(csv.reader(good("table", path, *words, *mine).splitlines()))[1:] == expected and expected


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["-e", "ip.src"],
        ["FILE"],
        ["FILE", "-e", "ip.src", "-o", "out.xls"],
        ["FILE", "-e", "ip.src", "-E", "header=y"],
        ["FILE", "-e", "ip.src", "-E", "occurrence=x"],
        ["FILE", "-e", "ip.src", "--encode", "ip.src"],
        ["FILE", "-e", "ip.src", "--encode", "ip.src=hex"],
        ["FILE", "-e", "ip.src", "--text", "ip.dst"],
        ["FILE", "-e", "ip.src", "-c", "0"],
        ["FILE", "-e", "ip.src", "-N", "x"],
        ["FILE", "-e", "ip.src", "-R", "ip"],
    ],
)
def test_wrong_usage_is_status_1(demo: str, words: list[str]) -> None:
    done = run("table", *(demo if word == "FILE" else word for word in words))
    assert done.returncode == 1 and done.stdout == ""
    assert done.stderr.startswith("usage: wishpy table") and "Traceback" not in done.stderr


@pytest.mark.parametrize(
    "words, message",
    [
        (["FILE", "-e", "ip.scr"], "did you mean 'ip.src'"),
        (["FILE", "-e", "ip.src", "-Y", "ip.src =="], "end of filter"),
        (["FILE", "-e", "ip.src", "-d", "tcp.port==80,nothing"], "nothing"),
        (["FILE", "-e", "ip.src", "--preference", "tcp.nothing:1"], "tcp.nothing"),
        (["/nowhere/at/all.pcap", "-e", "ip.src"], "/nowhere/at/all.pcap: No such file"),
        (["FILE", "-e", "ip.src", "-o", "/nowhere/out.csv"], "/nowhere/out.csv"),
    ],
)
def test_what_cannot_be_done_is_status_2(demo: str, words: list[str], message: str) -> None:
    done = run("table", *(demo if word == "FILE" else word for word in words))
    assert done.returncode == 2 and message in done.stderr
    assert done.stderr.startswith("wishpy: ") and "Traceback" not in done.stderr


@pytest.mark.parametrize("suffix", ["", "csv", "parquet", "arrow"])
def test_a_cut_file_is_status_2_after_what_could_be_read(demo: str, tmp_path: Path, suffix: str) -> None:
    cut, output = tmp_path / "cut.pcapng", tmp_path / f"out.{suffix}"
    cut.write_bytes(Path(demo).read_bytes()[:600])
    done = run("table", cut, "-e", "frame.number", *(["-o", output] if suffix else []))
    assert done.returncode == 2 and "cut short" in done.stderr and str(cut) in done.stderr
    if suffix in ("", "csv"):
        assert (output.read_text() if suffix else done.stdout).split() == ["frame.number", "1", "2", "3", "4"]
        return
    feather, parquet = pytest.importorskip("pyarrow.feather"), pytest.importorskip("pyarrow.parquet")
    found = parquet.read_table(output) if suffix == "parquet" else feather.read_table(output)
    assert found["frame.number"].to_pylist() == [1, 2, 3, 4]


def test_ctrl_c_is_status_130(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    process = subprocess.Popen([*COMMAND, "table", pipe, "-e", "ip.src"], stderr=subprocess.PIPE)
    with open(pipe, "wb"):   # opens when the other end is there
        time.sleep(0.3)
        start = time.monotonic()
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=30)
    assert process.returncode == 130 and errors == b"" and time.monotonic() - start < 5


def test_a_closed_pipe_ends_it_silently(demo: str) -> None:
    words = [*COMMAND, "table", *[demo] * 200, "-e", "frame.protocols", "-e", "frame.time"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None and process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(60) == 0


def test_a_bar_where_a_person_watches(demo: str, tmp_path: Path) -> None:
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("4H", 24, 80, 0, 0))   # without a width tqdm shows nothing
    words = [*COMMAND, "table", demo, "-e", "ip.src", "-o", str(tmp_path / "out.csv")]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=slave) as process:
        os.close(slave)
        shown = read_terminal(master)
        assert process.wait(60) == 0
    assert b"100" in shown


def test_a_library_that_is_not_there_is_named(demo: str, tmp_path: Path) -> None:
    code = f"""
import sys
sys.modules["pyarrow"] = None
from wishpy.cli import main
sys.exit(main(["table", {demo!r}, "-e", "ip.src", "-o", {str(tmp_path / "out.parquet")!r}]))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2 and "pip install pyarrow" in done.stderr and "Traceback" not in done.stderr
