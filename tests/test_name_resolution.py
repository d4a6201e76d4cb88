"""Where names of addresses come from: a DNS server of the test's own, and the files of a profile."""

from __future__ import annotations

import os
import socket
import struct
import threading
from collections.abc import Iterator
from pathlib import Path

import oracle
import pytest
from conftest import DATA, TESTS, needs_root, needs_tshark, run_python
from settings_checks import assert_as_tshark, trees

SERVER = "127.9.9.9"
NAME = b"\x04host\x07example\x00"


def answer(question: bytes) -> bytes:
    """Every address has the same name."""
    end = question.index(b"\0", 12) + 5
    record = b"\xc0\x0c" + struct.pack("!HHIH", 12, 1, 60, len(NAME)) + NAME
    return question[:2] + b"\x81\x80" + struct.pack("!HHHH", 1, 1, 0, 0) + question[12:end] + record


@pytest.fixture
def asked() -> Iterator[list[bytes]]:
    """What the server was asked."""
    questions: list[bytes] = []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind((SERVER, 53))

        def serve() -> None:
            while True:
                question, client = server.recvfrom(512)
                if not question:
                    return
                questions.append(question)
                server.sendto(answer(question), client)

        thread = threading.Thread(target=serve)
        thread.start()
        yield questions
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as last:
            last.sendto(b"", (SERVER, 53))
        thread.join()


@needs_root
@needs_tshark
@pytest.mark.parametrize("two_pass", [False, True])
def test_servers_are_asked_with_dns_alone(demo: str, asked: list[bytes], two_pass: bool) -> None:
    servers = {"nameres.use_custom_dns_servers": True, "uat:addr_resolve_dns_servers": [(SERVER,)]}
    words = ["-o", "nameres.use_custom_dns_servers:TRUE", "-o", f'uat:addr_resolve_dns_servers:"{SERVER}"']
    words += ["-2"] * two_pass
    before = trees(demo, two_pass=two_pass)
    assert trees(demo, preferences=servers, two_pass=two_pass) == before
    assert trees(demo, preferences=servers, name_resolution=("mac",), two_pass=two_pass) == before
    assert not asked
    named = trees(demo, preferences=servers, name_resolution=("dns",), two_pass=two_pass)
    assert asked and "host.example" in repr(named)
    assert_as_tshark(demo, [*words, "-N", "Nnd"], named, lines=True)
    asked.clear()
    assert trees(demo, two_pass=two_pass) == before
    assert not asked


PROFILE_CODE = """
import sys
sys.path.insert(0, sys.argv[1])
import settings_checks
for profile in ("ours", None, "ours"):
    names = ("network", "vlan", "transport")
    trees = settings_checks.trees(sys.argv[2], profile=profile, name_resolution=names)
    print([lines for _, lines in trees])
"""


@needs_tshark
def test_names_from_the_files_of_a_profile(tmp_path: Path) -> None:
    folder = tmp_path / "wireshark" / "profiles" / "ours"
    folder.mkdir(parents=True)
    (folder / "hosts").write_text("192.0.2.1 from-the-profile.example\n")
    path = str(DATA / "demo.pcapng")
    home = {"XDG_CONFIG_HOME": str(tmp_path), "HOME": str(tmp_path)}
    done = run_python(str(TESTS), path, code=PROFILE_CODE, env={**os.environ, **home}).check().splitlines()
    theirs = oracle.environment(**home)
    del theirs["WIRESHARK_CONFIG_DIR"]
    frames = oracle.pdml_frames(path, "-C", "ours", "-N", "ndvt", env=theirs)
    expected = repr([[node[:9] for node in frame.nodes] for frame in frames])
    assert done[0] == done[2] == expected
    assert "from-the-profile.example" in done[0] and "from-the-profile.example" not in done[1]
