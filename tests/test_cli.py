"""The command line: `wishpy dissect`, `wishpy versions`, and how they end."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
import time
from pathlib import Path

import oracle
import pytest
from conftest import DATA, ROOT, SHARED, needs_tshark, read_terminal

import wishpy

COMMAND = [sys.executable, "-m", "wishpy"]


def run(*arguments: str | os.PathLike[str], **options: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*COMMAND, *arguments], capture_output=True, text=True, timeout=120, cwd=ROOT, **options)


def good(*arguments: str | os.PathLike[str], **options: object) -> str:
    done = run(*arguments, **options)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout


def same_words(lines: list[str], rows: list[str]) -> None:
    """tshark's summary lines, whatever the arrow and the width of a column."""
    assert len(lines) == len(rows)
    for line, row in zip(lines, rows):
        assert [w for w in line.split() if w not in ("\u2192", "->")] == [w for w in row.split() if w != "\u2192"]


@needs_tshark
def test_a_summary_line_for_each_packet(demo: str) -> None:
    lines = good("dissect", "-T", "text", demo).splitlines()
    assert len(lines) == 13
    same_words(lines, oracle.lines(demo))


@needs_tshark
def test_a_terminal_gets_summaries(demo: str) -> None:
    master, slave = pty.openpty()
    with subprocess.Popen([*COMMAND, "dissect", demo], stdout=slave, stderr=subprocess.PIPE, cwd=ROOT) as process:
        os.close(slave)
        shown = read_terminal(master)
        assert process.wait(60) == 0
    same_words(shown.decode().splitlines(), oracle.lines(demo))


def test_a_pipe_gets_json_lines(demo: str) -> None:
    assert good("dissect", demo) == good("dissect", "--json", demo)


def test_json_lines(demo: str) -> None:
    lines = good("dissect", "--json", demo).splitlines()
    assert len(lines) == 13
    with wishpy.Dissector(demo) as dissector:
        assert [json.loads(line) for line in lines] == [json.loads(packet.to_json()) for packet in dissector]


@needs_tshark
def test_the_tree(demo: str) -> None:
    assert good("dissect", "-V", demo).rstrip("\n").split("\n") == "\n".join(oracle.lines(demo, "-V")).rstrip(
        "\n"
    ).split("\n")


def test_filter_and_count(demo: str) -> None:
    assert len(good("dissect", "-Y", "tcp", demo).splitlines()) == 11
    assert len(good("dissect", "-Y", "tcp", "-c", "4", demo).splitlines()) == 4
    assert good("dissect", "-Y", "arp", demo) == ""


@needs_tshark
def test_fields(demo: str) -> None:
    wanted = ["-e", "frame.number", "-e", "ip.src", "-e", "dns.a", "-e", "tcp.port"]
    assert good("dissect", *wanted, demo).splitlines() == oracle.lines(demo, "-T", "fields", *wanted)


def test_fields_as_json(demo: str) -> None:
    lines = good("dissect", "--json", "-e", "frame.number", "-e", "dns.a", demo).splitlines()
    assert json.loads(lines[1]) == {"frame.number": 2, "dns.a": "192.0.2.80"}
    assert json.loads(lines[2]) == {"frame.number": 3}


def test_tsharks_letters(demo: str) -> None:
    plain = good("dissect", demo)
    assert good("dissect", "-r", demo) == plain
    assert good("dissect", "-2", demo)
    assert good("dissect", "-n", demo)


def test_standard_input(demo: str) -> None:
    with open(demo, "rb") as file:
        assert len(good("dissect", "-", stdin=file).splitlines()) == 13


def test_versions() -> None:
    text = good("versions")
    assert wishpy.__version__ in text
    assert wishpy.versions()["libwireshark"] in text


def test_help() -> None:
    for arguments in (["--help"], ["dissect", "--help"]):
        assert "dissect" in good(*arguments)
    assert wishpy.__version__ in good("--version")


def test_the_installed_command() -> None:
    program = Path(sys.executable).with_name("wishpy")
    if not program.exists():
        pytest.skip("the package is not installed in this environment, so there is no `wishpy` program")
    done = subprocess.run([program, "versions"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0
    assert wishpy.__version__ in done.stdout


# --- how it ends ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["nonsense"],
        ["dissect"],
        ["dissect", "--nonsense", "x"],
        ["dissect", "-c", "many", "x"],
        ["dissect", "-c", "-1", "x"],
    ],
    ids=str,
)
def test_wrong_usage_is_status_1(arguments: list[str]) -> None:
    done = run(*arguments)
    assert done.returncode == 1
    assert done.stdout == ""
    assert "usage" in done.stderr.lower()
    assert "Traceback" not in done.stderr


def test_a_bad_filter_is_status_2(demo: str) -> None:
    done = run("dissect", "-Y", "ip.srcc == 1", demo)
    assert done.returncode == 2
    assert done.stdout == ""
    assert "ip.srcc" in done.stderr
    assert "^" in done.stderr
    assert "Traceback" not in done.stderr


def test_an_unknown_field_is_status_2(demo: str) -> None:
    done = run("dissect", "-e", "ip.scr", demo)
    assert done.returncode in (1, 2)
    assert "ip.src" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_missing_file_is_status_2(tmp_path: Path) -> None:
    done = run("dissect", str(tmp_path / "none.pcap"))
    assert done.returncode == 2
    assert "none.pcap" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("form", [["-T", "text"], ["--json"], ["-V"], ["-e", "frame.number"]], ids=str)
def test_a_cut_file_is_status_2_after_what_could_be_read(form: list[str], tmp_path: Path) -> None:
    path = tmp_path / "cut.pcap"
    path.write_bytes((DATA / "dns.pcap").read_bytes()[:-10])
    done = run("dissect", *form, str(path))
    assert done.returncode == 2
    assert done.stdout
    if form != ["-V"]:
        assert len(done.stdout.splitlines()) == 6
    assert "cut.pcap" in done.stderr
    assert "Traceback" not in done.stderr


def test_ctrl_c_is_status_130(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    writer = os.open(path, os.O_RDWR)
    process = subprocess.Popen(
        [*COMMAND, "dissect", str(path)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=ROOT
    )
    time.sleep(1.5)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=10)
    os.close(writer)
    assert process.returncode == 130
    assert b"Traceback" not in err
    assert out == b""


@pytest.mark.parametrize("form", [["-T", "text"], ["--json"], ["-V"]], ids=str)
def test_a_closed_pipe_ends_it_silently(form: list[str], tmp_path: Path) -> None:
    data = (DATA / "dns.pcap").read_bytes()
    path = tmp_path / "long.pcap"
    path.write_bytes(data[:24] + data[24:] * 3000)
    command = [*COMMAND, "dissect", *form, str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=ROOT) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        err = process.stderr.read()
        process.wait(30)
    assert err == b""


def test_packets_of_a_pipe_come_at_once(tmp_path: Path) -> None:
    """`tcpdump -w - | wishpy dissect - | grep ...` is of use only if lines are not held back."""
    data = (DATA / "nano_little.pcap").read_bytes()
    command = [*COMMAND, "dissect", "-T", "text", "-"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(data[: 24 + 16 + 42])
        process.stdin.flush()
        line = process.stdout.readline()
        process.stdin.close()
        process.wait(30)
    assert b"ARP" in line


@pytest.mark.skipif(not (SHARED / "ndpi/ceph.pcap").exists(), reason="../shared/captures is not there")
def test_messages_go_to_standard_error() -> None:
    done = run("dissect", SHARED / "ndpi/ceph.pcap")
    assert done.returncode == 0
    assert len(done.stdout.splitlines()) == 39
    assert "Epan WARNING" not in done.stdout
