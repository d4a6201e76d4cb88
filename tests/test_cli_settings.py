"""`wishpy dissect` with tshark's letters for settings: the same words give the same trees."""

from __future__ import annotations

import functools
import os
import re
import subprocess
import sys
from pathlib import Path

import oracle
import pytest
from conftest import DATA, ROOT, TESTS, needs_tshark
from settings_checks import HTTP3_ADDRESS, capture

KEYS = TESTS / "encrypted"
TABLE = "uat:snmp_users:"
USERS = [TABLE + '"","nobody","MD5","","DES",""', TABLE + '"","reader","SHA1","authpassword","AES","privpassword"']


def wishpy(*words: str, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "wishpy", "dissect", *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, cwd=ROOT, env=env)


def tree(*words: str, env: dict[str, str] | None = None) -> list[str]:
    done = wishpy("-V", *words, env=env)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.rstrip("\n").split("\n")


@functools.cache
def default_tree(path: str) -> list[str]:
    return tree(path)


def tshark_tree(path: str, *words: str, env: dict[str, str] | None = None) -> list[str]:
    return "\n".join(oracle.lines(path, "-V", *words, env=env)).rstrip("\n").split("\n")


WORDS: list[tuple[str, list[str]]] = [
    ("demo.pcapng", ["-o", "tcp.desegment_tcp_streams:FALSE", "-o", "ip.check_checksum: TRUE"]),
    ("demo.pcapng", ["-d", "tcp.port==80,smtp", "-d", "udp.port==53,ntp"]),
    ("demo.pcapng", ["--disable-protocol", "http"]),
    ("demo.pcapng", ["-n"]),
    ("demo.pcapng", ["-N", "t"]),
    ("several.pcapng", ["-N", "mnd"]),
    ("dns.pcap", ["-2", "-R", "dns.flags.response == 1", "-Y", "dns.a"]),
    ("../encrypted/snmpv3.pcapng", ["-o", USERS[0], "-o", USERS[1]]),
    ("../encrypted/tls12.pcapng", ["-o", f"tls.keylog_file:{KEYS / 'tls12.keys'}"]),
    ("+ndpi/stun.pcapng", ["--disable-heuristic", "stun_udp", "--disable-protocol", "stun"]),
    ("+ndpi/rtp.pcapng", ["--enable-heuristic", "rtp_udp", "-Y", "rtp"]),
]


@needs_tshark
@pytest.mark.parametrize(("name", "words"), WORDS, ids=[" ".join(words)[:40] for _, words in WORDS])
def test_the_words_of_tshark(name: str, words: list[str]) -> None:
    path = capture(name)
    mine = tree(*words, path)
    assert mine == tshark_tree(path, *words)
    assert mine != default_tree(path), "the words changed nothing"


def test_conversations_are_forgotten() -> None:
    fields = ["-T", "fields", "-e", "frame.number", "-e", "udp.stream", str(DATA / "dns.pcap")]
    rows = [line.split("\t") for line in wishpy("-M", "2", *fields).stdout.splitlines()]
    assert [number for number, _ in rows] == list("1234567")
    assert [stream for _, stream in rows] != [line.split("\t")[1] for line in wishpy(*fields).stdout.splitlines()]
    assert rows[0][1] == rows[2][1] == "0"


def test_a_key_log_has_a_switch_of_its_own() -> None:
    path, keys = str(KEYS / "quic.pcapng"), str(KEYS / "quic.keys")
    mine, theirs = (
        [re.sub(HTTP3_ADDRESS, "", line) for line in tree(*words, path)]
        for words in (["--keylog", keys], ["-o", "tls.keylog_file:" + keys])
    )
    assert mine == theirs != default_tree(path)


@needs_tshark
def test_a_profile(tmp_path: Path) -> None:
    folder = tmp_path / "wireshark" / "profiles" / "ours"
    folder.mkdir(parents=True)
    (folder / "preferences").write_text("tcp.relative_sequence_numbers: FALSE\n")
    env = {**os.environ, "XDG_CONFIG_HOME": str(tmp_path), "HOME": str(tmp_path)}
    theirs = {**oracle.environment(XDG_CONFIG_HOME=str(tmp_path), HOME=str(tmp_path))}
    del theirs["WIRESHARK_CONFIG_DIR"]
    path = str(DATA / "demo.pcapng")
    assert tree("-C", "ours", path, env=env) == tshark_tree(path, "-C", "ours", env=theirs) != tree(path, env=env)


WRONG: list[tuple[list[str], int, str]] = [
    (["-i", "lo"], 1, "wishpy capture INTERFACE"),
    (["-f", "tcp", "capture.pcapng"], 1, "wishpy capture INTERFACE"),
    (["-n", "-N", "m", "capture.pcapng"], 1, "-N"),
    (["-N", "mq", "capture.pcapng"], 1, "'q'"),
    (["-2", "-M", "5", "capture.pcapng"], 1, "-M"),
    (["-M", "0", "capture.pcapng"], 1, "above 0"),
    (["-o", "tcp.desegment_tcp_streams", "capture.pcapng"], 1, "':'"),
    (["-o", "uat:user_dlts", "capture.pcapng"], 1, "':'"),
    (["-d", "tcp.port==80", "capture.pcapng"], 1, "','"),
    (["-z", "io,stat,1", "capture.pcapng"], 1, "-z"),
    (["-o", "tcp.desegment:1", str(DATA / "demo.pcapng")], 2, "tcp.desegment_tcp_streams"),
    (["-d", "tcp.port==80,htp", str(DATA / "demo.pcapng")], 2, "'http'"),
    (["--enable-heuristic", "rtp_upd", str(DATA / "demo.pcapng")], 2, "rtp_udp"),
    (["--keylog", "no such keys", str(DATA / "demo.pcapng")], 2, "no such keys"),
    (["-C", "no such profile", str(DATA / "demo.pcapng")], 2, "no such profile"),
]


@pytest.mark.parametrize(("words", "status", "text"), WRONG, ids=[" ".join(words[:2]) for words, _, _ in WRONG])
def test_wrong_words_are_refused(words: list[str], status: int, text: str) -> None:
    done = wishpy(*words)
    assert (done.returncode, done.stdout) == (status, "")
    assert text in done.stderr
