"""Places and networks of addresses: MaxMind databases, made here, that Wireshark's program mmdbresolve reads."""

from __future__ import annotations

import ipaddress
import os
import shutil
import signal
import struct
import time
from pathlib import Path
from typing import Any

import oracle
import pytest
from conftest import WIRESHARK, needs_root, needs_tshark, run_python
from settings_checks import assert_as_tshark, trees

import wishpy

HERE = {
    "192.0.2.0/26": {"country": {"iso_code": "DE", "names": {"en": "Germany"}}, "city": {"names": {"en": "Jena"}},
                     "location": {"latitude": 50.93, "longitude": 11.59, "accuracy_radius": 20}},
    "192.0.2.80/32": {"autonomous_system_number": 64500, "autonomous_system_organization": "Example & Söhne"},
    "2001:db8:1::/48": {"country": {"iso_code": "FR", "names": {"en": "France"}}},
}
THERE = {"192.0.2.0/24": {"country": {"iso_code": "CL", "names": {"en": "Chile"}}}}

# Are the databases asked? One switch for IPv4 and IPv6 from 4.4.
SWITCH = "ip.use_geoip" if WIRESHARK < (4, 4) else "nameres.maxmind_geoip"

pytestmark = pytest.mark.skipif(
    shutil.which("mmdbresolve") is None, reason="no mmdbresolve, a program of Wireshark's, on this machine"
)


# --- a writer of databases, https://maxmind.github.io/MaxMind-DB/ ------------------------------------------------


KINDS = {"node_count": 6, "build_epoch": 9, "autonomous_system_number": 6}  # 32 bits, 64 bits, 32 bits


def control(kind: int, size: int) -> bytes:
    more = bytes([size - 29]) if size >= 29 else b""
    return bytes([(kind << 5 if kind < 8 else 0) | min(size, 29), *([kind - 7] if kind >= 8 else [])]) + more


def encoded(value: Any, kind: int = 5) -> bytes:
    """`kind` is that of a whole number: of 16 bits, where nothing else is said."""
    if isinstance(value, dict):
        pairs = (encoded(name) + encoded(part, KINDS.get(name, 5)) for name, part in value.items())
        return control(7, len(value)) + b"".join(pairs)
    if isinstance(value, str):
        text = value.encode()
        return control(2, len(text)) + text
    if isinstance(value, float):
        return control(3, 8) + struct.pack(">d", value)
    if isinstance(value, list):
        return control(11, len(value)) + b"".join(map(encoded, value))
    number = value.to_bytes((value.bit_length() + 7) // 8, "big")
    return control(kind, len(number)) + number


def database(networks: dict[str, Any]) -> bytes:
    nodes: list[list[int | None]] = [[None, None]]  # the two ways on: a node, ~ a place in the data, or none
    data = b""
    for network, facts in networks.items():
        parsed = ipaddress.ip_network(network)
        bits = parsed.prefixlen + 128 - parsed.max_prefixlen  # IPv4 lies at ::/96
        node = 0
        for depth in range(bits):
            side = int(parsed.network_address) >> (127 - depth) & 1
            if depth == bits - 1:
                nodes[node][side] = ~len(data)
            elif nodes[node][side] is None:
                nodes.append([None, None])
                nodes[node][side] = len(nodes) - 1
            node = nodes[node][side] or 0
        data += encoded(facts)

    def record(way: int | None) -> bytes:
        number = len(nodes) if way is None else len(nodes) + 16 + ~way if way < 0 else way
        return number.to_bytes(3, "big")

    facts = {
        "node_count": len(nodes), "record_size": 24, "ip_version": 6, "database_type": "Test", "languages": ["en"],
        "binary_format_major_version": 2, "binary_format_minor_version": 0, "build_epoch": 1, "description": {},
    }
    tree = b"".join(record(way) for node in nodes for way in node)
    return tree + bytes(16) + data + b"\xab\xcd\xefMaxMind.com" + encoded(facts)


# --- what is looked up ----------------------------------------------------------------------------------------


def place(folder: Path, networks: dict[str, Any]) -> dict[str, Any]:
    folder.mkdir()
    (folder / "networks.mmdb").write_bytes(database(networks))
    return {"uat:maxmind_db_paths": [(folder,)]}


@pytest.fixture
def here(tmp_path: Path) -> dict[str, Any]:
    return place(tmp_path / "here", HERE)


def words(preferences: dict[str, Any]) -> list[str]:
    return ["-o", f'uat:maxmind_db_paths:"{preferences["uat:maxmind_db_paths"][0][0]}"']


@pytest.fixture
def both_versions(tmp_path: Path) -> str:
    """IPv4 and IPv6 datagrams, to and from addresses that the databases know and do not know."""
    heads = {4: struct.pack("!BxH4xBBxx", 0x45, 28, 64, 17), 6: struct.pack("!IHBB", 6 << 28, 8, 17, 64)}
    pairs = [
        ("192.0.2.1", "198.51.100.1"), ("192.0.2.80", "192.0.2.63"), ("198.51.100.1", "198.51.100.2"),
        ("2001:db8:1::1", "2001:db8:2::1"), ("2001:db8:2::1", "2001:db8:1::1"),
    ]  # fmt: skip
    frames = []
    for pair in pairs:
        source, destination = map(ipaddress.ip_address, pair)
        udp = struct.pack("!4H", 1, 2, 8, 0)
        frames.append(heads[source.version] + source.packed + destination.packed + udp)
    path = tmp_path / "both.pcap"
    header = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 101)
    path.write_bytes(header + b"".join(struct.pack("<4I", i, 0, len(f), len(f)) + f for i, f in enumerate(frames)))
    return str(path)


def countries(path: str, **keywords: Any) -> list[Any]:
    with wishpy.Dissector(path, **keywords) as packets:
        return [packet.get("ip.geoip.src_country") for packet in packets]


def resolvers(folder: Path) -> list[str]:
    """All mmdbresolve processes that read databases below this folder; others may be of another run of the tests.

    One that has ended, but that this process has not waited for, says no more what it read.
    """
    found = []
    for process in (name for name in os.listdir("/proc") if name.isdigit()):
        try:
            name, state, parent = Path(f"/proc/{process}/stat").read_text().split()[1:4]
            if name != "(mmdbresolve)":
                continue
            words = Path(f"/proc/{process}/cmdline").read_text().split("\0")
            its_own = Path(f"/proc/{process}/root{folder}")   # what has that name for it
            reads_ours = any(word.startswith(f"{folder}/") for word in words) and its_own.samefile(folder)
        except OSError:
            continue
        if reads_ours or (state == "Z" and int(parent) == os.getpid()):
            found.append(process)
    return found


def none_left(folder: Path) -> bool:
    deadline = time.monotonic() + 10
    while resolvers(folder) and time.monotonic() < deadline:
        time.sleep(0.02)
    return not resolvers(folder)


@needs_tshark
@pytest.mark.parametrize("two_pass", [False, True])
def test_as_tshark(here: dict[str, Any], both_versions: str, two_pass: bool, tmp_path: Path) -> None:
    mine = trees(both_versions, preferences=here, two_pass=two_pass)
    assert_as_tshark(both_versions, [*words(here), *["-2"] * two_pass], mine, lines=True)
    for text in ("Germany", "Jena", "50.93", "64500", "Example & Söhne", "France"):
        assert text in repr(mine)
    assert none_left(tmp_path)


@needs_tshark
def test_filters_and_preferences_of_it(here: dict[str, Any], demo: str) -> None:
    filters = 'ip.geoip.src_country == "Germany" && ip.geoip.dst_asnum == 64500'
    options = {"preferences": here, "name_resolution": ("mac", "maxmind")}
    with wishpy.Dissector(demo, display_filter=filters, **options) as packets:
        numbers = [packet.number for packet in packets]
    theirs = oracle.lines(demo, "-Y", filters, "-T", "fields", "-e", "frame.number", *words(here))
    assert numbers == list(map(int, theirs)) != []
    assert not any(countries(demo, preferences={**here, SWITCH: False}))


def test_each_dissector_has_its_own_databases(here: dict[str, Any], demo: str, tmp_path: Path) -> None:
    there = place(tmp_path / "there", THERE)
    for _ in range(3):
        assert "Chile" not in countries(demo, preferences=here) and "Germany" in countries(demo, preferences=here)
        assert set(countries(demo, preferences=there)) == {"Chile"}
        for more in ({}, {"isolated": True}, {"preferences": {SWITCH: True}}):
            assert set(countries(demo, **more)) == {None}
    with wishpy.Dissector(demo, preferences=here) as one, wishpy.Dissector(demo, preferences=there) as other:
        pairs = [(a.get("ip.geoip.src_country"), b.get("ip.geoip.src_country")) for a, b in zip(one, other)]
    assert pairs[0] == ("Germany", "Chile")
    assert none_left(tmp_path)


def test_answers_stay_so_they_need_a_worker(here: dict[str, Any], demo: str) -> None:
    with pytest.raises(wishpy.SessionError, match=r"the answers of MaxMind's databases .* need a worker"):
        wishpy.Dissector(demo, preferences=here, isolated=False)
    with pytest.raises(wishpy.SessionError, match="MaxMind"):
        wishpy.scan(demo, ["ip.src"], preferences=here).to_arrow()
    assert set(countries(demo, isolated=False)) == {None}


# --- where it cannot be -----------------------------------------------------------------------------------------


def test_damaged_databases(here: dict[str, Any], demo: str) -> None:
    """With no other in the folder libwireshark would wait for an answer for ever."""
    folder = here["uat:maxmind_db_paths"][0][0]
    (folder / "damaged.mmdb").write_bytes(b"no database")
    assert "Germany" in countries(demo, preferences=here)
    (folder / "networks.mmdb").unlink()
    with pytest.raises(wishpy.PreferenceError, match=r"no MaxMind database could be read: .*damaged\.mmdb"):
        wishpy.Dissector(demo, preferences=here)
    (folder / "damaged.mmdb").unlink()
    assert set(countries(demo, preferences=here)) == {None}   # as tshark does


@needs_root
def test_databases_that_a_workers_user_may_not_read(here: dict[str, Any], demo: str) -> None:
    here["uat:maxmind_db_paths"][0][0].chmod(0o700)
    assert set(countries(demo, isolated=True)) == {None}  # its worker is warm now, and may look into the folder no more
    for _ in range(2):
        with pytest.raises(wishpy.PreferenceError, match=r"no MaxMind database could be read: .*Error opening"):
            wishpy.Dissector(demo, preferences=here, isolated=True)
    assert "Germany" in countries(demo, preferences=here, isolated=True, worker_user=None)


WITHOUT_PROGRAM = """
import sys, wishpy
try:
    wishpy.Dissector(sys.argv[1], preferences={"uat:maxmind_db_paths": [(sys.argv[2],)]})
except wishpy.PreferenceError as e:
    print(e)
"""


def test_no_program(here: dict[str, Any], demo: str) -> None:
    folder = str(here["uat:maxmind_db_paths"][0][0])
    done = run_python(demo, folder, code=WITHOUT_PROGRAM, env={**os.environ, "PATH": "/nonexistent"})
    assert "need mmdbresolve, a program of Wireshark's that is not in PATH" in done.check()


def test_a_program_that_dies(here: dict[str, Any], both_versions: str, tmp_path: Path) -> None:
    """It is a frame that takes too long; 4.4 notices, and goes on without answers."""
    frame = Path(both_versions).read_bytes()[40:68]
    options = {"preferences": here, "isolated": True, "worker_user": None, "frame_timeout": 1}
    with wishpy.Dissector(**options) as dissector:
        assert dissector.dissect(frame, linktype="RAW")["ip.geoip.src_city"] == "Jena"
        (process,) = resolvers(tmp_path)
        os.kill(int(process), signal.SIGKILL)
        assert dissector.dissect(frame, linktype="RAW")["ip.geoip.src_city"] == "Jena"  # known by now
        unknown = frame[:12] + bytes([192, 0, 2, 80]) + frame[16:]
        if WIRESHARK < (4, 4):
            with pytest.raises(wishpy.DissectorCrash) as caught:
                dissector.dissect(unknown, linktype="RAW")
            assert caught.value.cause == "time"
        else:
            assert "ip.geoip.src_asnum" not in dissector.dissect(unknown, linktype="RAW")
    assert none_left(tmp_path)
