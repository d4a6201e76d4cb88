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

from wishpy import Dissector

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
for profile in (None, "ours", None, None, "ours", "ours", None):
    names = ("mac", "network", "vlan", "transport")
    trees = settings_checks.trees(sys.argv[2], profile=profile, name_resolution=names)
    print([lines for _, lines in trees])
"""


# Packets whose names are written by another process than the one that dissected them, or by another session.
ELSEWHERE_CODE = """
import pickle, sys
sys.path.insert(0, sys.argv[1])
import settings_checks, wishpy

def lines(packets):
    print([lines for _, lines in settings_checks.packet_trees(packets)])

if sys.argv[3] == "load":
    for name in ("plain", "ours"):
        with open(name, "rb") as file:
            lines(pickle.load(file))
    sys.exit()
names = ("mac", "network", "vlan", "transport")
for options in ({}, {"profile": "ours"}):
    isolated = {"isolated": True, "worker_user": None, "name_resolution": names}
    with wishpy.Dissector(sys.argv[2], **isolated, **options) as packets:
        lines(packets)
for name, options in (("plain", {}), ("ours", {"profile": "ours"})):
    with wishpy.Dissector(sys.argv[2], name_resolution=names, **options) as packets:
        kept = list(packets)
    with open(name, "wb") as file:
        pickle.dump(kept, file)
    lines(kept)
"""


@needs_tshark
def test_names_from_the_files_of_a_profile(tmp_path: Path) -> None:
    folder = tmp_path / "wireshark" / "profiles" / "ours"
    folder.mkdir(parents=True)
    (folder / "hosts").write_text("192.0.2.1 from-the-profile.example\n")
    (folder / "services").write_text("name-service-of-ours 53/udp\nown-service 80/udp\n")
    (folder / "ethers").write_text("00:00:5e:00:53:01 station-of-ours\n")
    path = str(DATA / "demo.pcapng")
    home = {"XDG_CONFIG_HOME": str(tmp_path), "HOME": str(tmp_path)}
    done = run_python(str(TESTS), path, code=PROFILE_CODE, env={**os.environ, **home}).check().splitlines()
    theirs = oracle.environment(**home)
    del theirs["WIRESHARK_CONFIG_DIR"]

    def tsharks(*words: str, env: dict[str, str]) -> str:
        frames = oracle.pdml_frames(path, *words, "-N", "mndvt", env=env)
        return repr([[node[:9] for node in frame.nodes] for frame in frames])

    expected, without = tsharks("-C", "ours", env=theirs), tsharks(env=oracle.environment())
    assert done == [without, expected, without, without, expected, expected, without]
    for name in ("from-the-profile.example", "name-service-of-ours", "station-of-ours"):
        assert name in expected and name not in without
    assert "domain (53)" in without and "domain (53)" not in expected
    for what, wanted in (("save", [without, expected] * 2), ("load", [without, expected])):
        done = run_python(str(TESTS), path, what, code=ELSEWHERE_CODE, env={**os.environ, **home}, cwd=tmp_path).check()
        assert done.splitlines() == wanted


@needs_root
def test_a_worker_that_may_not_read_a_profiles_ethers_says_so(tmp_path: Path, demo: str) -> None:
    folder = tmp_path / "wireshark" / "profiles" / "ours"
    folder.mkdir(parents=True)
    folder.chmod(0o700)
    code = """
import sys, wishpy
with wishpy.Dissector(sys.argv[1], isolated=True, profile="ours") as packets:
    print(len(list(packets)))
"""
    env = {**os.environ, "XDG_CONFIG_HOME": str(tmp_path), "HOME": str(tmp_path)}
    assert run_python(demo, code=code, env=env).check() == "13\n"   # it need not read what is not there
    (folder / "ethers").write_text("00:00:5e:00:53:01 station-of-ours\n")
    assert "PermissionError" in run_python(demo, code=code, env=env).err


def clock(identity: bytes) -> bytes:
    """A frame of PTP, which shows the manufacturer of its sender's clock, or its number where there is no name."""
    head = b"\0\2\0\x2c" + bytes(16) + identity + bytes(6)
    return b"\x01\x1b\x19\0\0\0\x02\0\0\0\0\x01\x88\xf7" + head + bytes(10)


def test_a_session_knows_nobody_whom_another_one_met() -> None:
    """Wireshark takes a group's number for that of a manufacturer whom it has heard of, be it without a name."""
    manufacturer, group = bytes.fromhex("02f1c9fffe010203"), bytes.fromhex("03f1c9fffe010203")

    def named(*identities: bytes) -> list[str]:
        with Dissector(map(clock, identities), linktype="EN10MB") as packets:
            fields = [packet.find("ptp.v2.clockidentity_manuf") for packet in packets]
            return [field.text.split(": ")[1] for field in fields if field is not None]

    assert named(manufacturer, group) == ["02:f1:c9", "02:f1:c9"]   # so within one
    assert named(group) == ["03:f1:c9"]
    assert named(manufacturer) == ["02:f1:c9"]
    assert named(group) == ["03:f1:c9"]


LOADED_BEFORE = """
import ctypes, sys
wireshark = ctypes.CDLL(sys.argv[3])
sys.path.insert(0, sys.argv[1])
import settings_checks
for _ in range(3):
    print(settings_checks.trees(sys.argv[2], name_resolution=("mac", "transport")))
"""


def test_names_where_somebody_else_has_loaded_libwireshark(demo: str) -> None:
    """Then it asks libwsutil for its files and not wishpy, which has to let it read them each time."""
    expected = repr(trees(demo, name_resolution=("mac", "transport")))
    with open("/proc/self/maps") as file:
        libwireshark = next(words[5] for words in map(str.split, file) if "/libwireshark." in words[-1])
    done = run_python(str(TESTS), demo, libwireshark, code=LOADED_BEFORE).check().splitlines()
    assert done == [expected] * 3
