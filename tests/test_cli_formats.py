"""`wishpy dissect -T`: what each format prints, against tshark where tshark has it."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
import time
from pathlib import Path

import oracle
import pytest
from conftest import DATA, ROOT, SHARED, WIRESHARK, needs_tshark

import wishpy

COMMAND = [sys.executable, "-m", "wishpy", "dissect"]
SOME = [
    path
    for path in (
        DATA / "demo.pcapng",
        DATA / "http.pcapng",
        DATA / "several.pcapng",
        SHARED / "ndpi/dns_fragmented.pcap",
        SHARED / "ndpi/1kxun.pcap",
    )
    if path.exists()
]
some_captures = pytest.mark.parametrize("path", SOME, ids=lambda path: path.name)


def run(*arguments: object, status: int = 0) -> bytes:
    done = subprocess.run(
        [*COMMAND, *map(str, arguments)], capture_output=True, timeout=120, cwd=ROOT, env={**os.environ, "TZ": "UTC"}
    )
    assert done.returncode == status, done.stderr
    return done.stdout


def complaint(*arguments: object) -> str:
    done = subprocess.run([*COMMAND, *map(str, arguments)], capture_output=True, text=True, timeout=60, cwd=ROOT)
    assert done.returncode == 1
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    return done.stderr


def tshark(path: Path, *options: str) -> bytes:
    assert oracle.TSHARK is not None
    command = [oracle.TSHARK, "-r", str(path), *options]
    return subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, env=oracle.environment(), timeout=120
    ).stdout


# --- JSON -----------------------------------------------------------------------------------------------------


def test_json_lines_where_nobody_watches(demo: str) -> None:
    with wishpy.Dissector(demo) as packets:
        expected = "".join(packet.to_json() + "\n" for packet in packets)
    for arguments in ([], ["--json"], ["-T", "wishpy"]):
        assert run(demo, *arguments).decode() == expected


def test_a_summary_where_somebody_watches(demo: str) -> None:
    parent, child = pty.openpty()
    process = subprocess.Popen([*COMMAND, demo], stdout=child, stderr=subprocess.PIPE, cwd=ROOT)
    os.close(child)
    seen = b""
    try:
        while chunk := os.read(parent, 65536):
            seen += chunk
    except OSError:  # the other side is closed
        pass
    os.close(parent)
    assert process.stderr is not None
    assert process.stderr.read() == b""
    process.stderr.close()
    assert process.wait(30) == 0
    assert seen.replace(b"\r\n", b"\n") == run("-T", "text", demo)
    assert len(seen.splitlines()) == 13


@needs_tshark
@some_captures
def test_summaries_are_tsharks(path: Path) -> None:
    mine, theirs = run("-T", "text", path), tshark(path)
    # 4.4 makes no tree for lines alone, and HTTP says this in one only. A display filter makes it make one.
    if WIRESHARK >= (4, 4) and b"[Last Chunk]" in mine:
        theirs = tshark(path, "-Y", "frame")
    assert mine == theirs


@needs_tshark
@some_captures
def test_elasticsearch_lines_are_tsharks(path: Path) -> None:
    mine, theirs = run("-T", "ek", path).split(b"\n"), tshark(path, "-T", "ek").split(b"\n")
    assert len(mine) == len(theirs)
    for one, other in zip(mine, theirs):
        assert one == other or json.loads(one) == json.loads(other.decode("utf-8", "replace"))


@needs_tshark
def test_tsharks_json_is_an_element_a_line(demo: str) -> None:
    mine = [json.loads(line) for line in run("-T", "tshark", demo).splitlines()]
    assert mine == json.loads(tshark(Path(demo), "-T", "json", "--no-duplicate-keys"))
    raw = [json.loads(line) for line in run("-T", "tshark", "-x", demo).splitlines()]
    assert raw == json.loads(tshark(Path(demo), "-T", "json", "--no-duplicate-keys", "-x"))


@needs_tshark
def test_trees_with_bytes(demo: str) -> None:
    assert run("-V", "-x", demo) == tshark(Path(demo), "-V", "-x")
    assert run("-T", "text", "-x", "-c", "2", demo) == tshark(Path(demo), "-P", "-x", "-c", "2")


# --- fields ---------------------------------------------------------------------------------------------------

FIELDS = [
    ["frame.number", "frame.time_epoch", "ip.src", "ip.dst", "tcp.port", "udp.port", "dns.qry.name", "dns.a"],
    ["frame.protocols", "eth.type", "ip.flags", "ip.flags.df", "ip.checksum", "tcp.flags", "tcp.options"],
    ["tcp.payload", "udp.payload", "ip.id", "eth.src", "frame.time_delta", "tcp.seq"],
    ["tcp", "udp", "data", "_ws.col.Info", "_ws.col.Protocol", "frame"],
    ["ip.src", "frame.number", "ip.src"],
    ["text", "http.request.line", "http.user_agent", "frame.time"],
    ["tcp.analysis.flags", "tcp.options.sack_perm", "_ws.expert", "_ws.expert.message", "data.data", "tcp.analysis"],
]


@needs_tshark
@some_captures
@pytest.mark.parametrize("names", FIELDS, ids=lambda names: names[0])
def test_fields_are_tsharks(path: Path, names: list[str]) -> None:
    wanted = [word for name in names for word in ("-e", name)]
    theirs = tshark(path, "-T", "fields", *wanted)
    if WIRESHARK >= (4, 4):
        # It makes nodes only for what is asked for, and then puts these two the other way round than with -V.
        theirs = theirs.replace(b"Timestamps,D-SACK Sequence\t", b"D-SACK Sequence,Timestamps\t")
    assert run("-T", "fields", *wanted, path).split(b"\n") == theirs.split(b"\n")


SETTINGS = [
    ["header=y"],
    ["bom=y", "header=y"],
    ["separator=,", "quote=d"],
    ["separator=/s", "aggregator=;"],
    ["separator=/t", "aggregator=/s", "quote=s"],
    ["separator=/x"],
    ["occurrence=f"],
    ["occurrence=l", "quote=d"],
    ["occurrence=a", "quote=n", "header=n", "bom=n"],
]


@needs_tshark
@pytest.mark.parametrize("given", SETTINGS, ids=" ".join)
def test_settings_of_fields_are_tsharks(given: list[str]) -> None:
    path = SOME[-1]
    wanted = ["-e", "frame.number", "-e", "ip.addr", "-e", "dns.a", "-e", "tcp.options", "-e", "udp.payload"]
    wanted += [word for setting in given for word in ("-E", setting)]
    assert run("-T", "fields", *wanted, path) == tshark(path, "-T", "fields", *wanted)


@pytest.mark.parametrize(
    "setting", ["", "header", "header=", "header=x", "occurrence=x", "quote=x", "colour=y", "separator=\u2192"]
)
def test_wrong_settings(setting: str, demo: str) -> None:
    assert "-E" in complaint("-T", "fields", "-e", "ip.src", "-E", setting, demo)


# --- what does not go together --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "arguments",
    [
        ["-T", "fields"],
        ["-T", "xml"],
        ["-T", "ek", "-e", "ip.src"],
        ["-T", "tshark", "-V"],
        ["-T", "fields", "-e", "ip.src", "-x"],
        ["--json", "-E", "header=y"],
        ["-R", "dns"],
        ["-N", "q"],
        ["-r", "another.pcap"],
    ],
    ids=" ".join,
)
def test_what_does_not_go_together(arguments: list[str], demo: str) -> None:
    assert "usage" in complaint(*arguments, demo)


# --- names and passes -----------------------------------------------------------------------------------------


@needs_tshark
@pytest.mark.parametrize(
    "options", [["-n"], ["-N", "m"], ["-N", "mt"], ["-N", "t"], ["-2"], ["-2", "-R", "dns"]], ids=" ".join
)
def test_names_and_passes_are_tsharks(options: list[str], demo: str) -> None:
    assert run("-T", "text", *options, demo) == tshark(Path(demo), *options)


@needs_tshark
@pytest.mark.parametrize(
    "options",
    [
        ["-o", "tcp.relative_sequence_numbers:FALSE"],
        ["-d", "udp.port==53,ntp"],
        ["--disable-protocol", "dns"],
        ["-o", "tcp.calculate_timestamps:FALSE", "-d", "tcp.port==80,data"],
    ],
    ids=" ".join,
)
def test_settings_are_tsharks(options: list[str], demo: str) -> None:
    assert run("-V", *options, demo) == tshark(Path(demo), "-V", *options)


def test_wrong_dissector_settings(demo: str) -> None:
    assert "'nothing' has no ':'" in complaint("-o", "nothing", demo)
    assert "has no ','" in complaint("-d", "udp.port==53", demo)
    for switch, text in (("-o", "no.such:1"), ("-d", "udp.port==53,nonsense"), ("--disable-protocol", "nonsense")):
        assert run(switch, text, demo, status=2) == b""


def test_each_packet_of_a_pipe_at_once() -> None:
    """JSON, too, is not held back when packets come as they come."""
    data = (DATA / "nano_little.pcap").read_bytes()
    process = subprocess.Popen([*COMMAND, "--json", "-"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT)
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(data[: 24 + 16 + 42])
    process.stdin.flush()
    started = time.monotonic()
    assert json.loads(process.stdout.readline())["frame"]["frame.number"] == 1
    assert time.monotonic() - started < 20
    process.stdin.close()
    process.stdout.close()
    assert process.wait(30) == 0
