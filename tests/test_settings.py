"""What a Dissector sets: each kind against a tshark that was told the same, and all of it undone afterwards."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import DATA, SHARED, TESTS, WIRESHARK, needs_tshark, run_python
from settings_checks import assert_as_tshark, capture, defaults, trees

from wishpy import Dissector, FileError, FilterError, PreferenceError, preferences, protocols

KEYS = str(DATA / "tls13.keys")
USER_DLT = '"User 0 (DLT=147)","ip","0","","0",""'


def pref(**named: Any) -> dict[str, Any]:
    """preferences with one entry; `_` stands for the first dot."""
    return {"preferences": {name.replace("__", "."): value for name, value in named.items()}}


# (capture, Dissector's keywords, tshark's words): SHARED's captures begin with "+".
OPTION_SETS: list[tuple[str, dict[str, Any], list[str]]] = [
    # preferences: bool
    ("demo.pcapng", pref(tcp__desegment_tcp_streams=False), ["-o", "tcp.desegment_tcp_streams:FALSE"]),
    ("demo.pcapng", pref(tcp__relative_sequence_numbers="false"), ["-o", "tcp.relative_sequence_numbers:FALSE"]),
    ("http.pcapng", pref(tcp__check_checksum=True), ["-o", "tcp.check_checksum:TRUE"]),
    ("demo.pcapng", pref(ip__check_checksum=True), ["-o", "ip.check_checksum:TRUE"]),
    ("dns.pcap", pref(udp__check_checksum=True), ["-o", "udp.check_checksum:TRUE"]),
    ("demo.pcapng", pref(tcp__calculate_timestamps=False), ["-o", "tcp.calculate_timestamps:FALSE"]),
    ("demo.pcapng", pref(ip__decode_tos_as_diffserv=False), ["-o", "ip.decode_tos_as_diffserv:FALSE"]),
    ("demo.pcapng", pref(tcp__analyze_sequence_numbers=False), ["-o", "tcp.analyze_sequence_numbers:FALSE"]),
    ("demo.pcapng", pref(frame__generate_md5_hash=True), ["-o", "frame.generate_md5_hash:TRUE"]),
    ("+ndpi/dns_fragmented.pcap", pref(ip__defragment=False), ["-o", "ip.defragment:FALSE"]),
    ("demo.pcapng", {"preferences": {"frame.generate_md5_hash": 1, "ip.check_checksum": 1, "tcp.check_checksum": 1}},
     ["-o", "frame.generate_md5_hash:TRUE", "-o", "ip.check_checksum:TRUE", "-o", "tcp.check_checksum:TRUE"]),
    # integers, an enum by name and by number, a range, an old name of a module
    ("dns.pcap", {"preferences": {"ntp.udp.port": "53-54"}}, ["-o", "ntp.udp.port:53-54"]),
    ("+ndpi/tls-appdata.pcap", pref(tcp__default_window_scaling="14"), ["-o", "tcp.default_window_scaling:14"]),
    ("+ndpi/tls-appdata.pcap", pref(tcp__default_window_scaling=3), ["-o", "tcp.default_window_scaling:3"]),
    ("+ndpi/sctp.pcap", {"preferences": {"sctp.checksum": "crc-32c"}}, ["-o", "sctp.checksum:crc-32c"]),
    ("dns.pcap", {"preferences": {"udp.process_info": True, "udp.summary_in_tree": False, "frame.show_file_off": True}},
     ["-o", "frame.show_file_off:TRUE", "-o", "udp.summary_in_tree:FALSE"]),
    # tables
    ("+tcpdump/LINKTYPE_USER2_PKTAP.pcap",
     {"preferences": {"uat:user_dlts": [("User 2 (DLT=149)", "ip", 4, "", 0, "")]}},
     ["-o", 'uat:user_dlts:"User 2 (DLT=149)","ip","4","","0",""']),
    ("+ndpi/webdav.pcapng",
     {"preferences": {"uat:custom_http_header_fields": ['"X-Powered-By","who"', '"DAV","what"']}},
     ["-o", 'uat:custom_http_header_fields:"X-Powered-By","who"',
      "-o", 'uat:custom_http_header_fields:"DAV","what"']),
    # decode as: a number, a range, a count, a text, no selector
    ("demo.pcapng", {"decode_as": {"udp.port==53": "ntp"}}, ["-d", "udp.port==53,ntp"]),
    ("demo.pcapng", {"decode_as": {"tcp.port==80-81": "smtp"}}, ["-d", "tcp.port==80-81,smtp"]),
    ("demo.pcapng", {"decode_as": {"tcp.port==79:3": "imap"}}, ["-d", "tcp.port==79:3,imap"]),
    ("demo.pcapng", {"decode_as": {"ip.proto==17": "tcp"}}, ["-d", "ip.proto==17,tcp"]),
    ("demo.pcapng", {"decode_as": {"ethertype==0x0800": "arp"}}, ["-d", "ethertype==0x0800,arp"]),
    ("http.pcapng", {"decode_as": {"media_type==text/plain": "json"}}, ["-d", "media_type==text/plain,json"]),
    ("+scapy/canfd.pcap.gz", {"decode_as": {"can.subdissector": "canopen"}}, ["-d", "can.subdissector,canopen"]),
    # protocols and heuristics
    ("demo.pcapng", {"disable": ["dns"]}, ["--disable-protocol", "dns"]),
    ("demo.pcapng", {"disable": ["tcp", "udp"]}, ["--disable-protocol", "tcp", "--disable-protocol", "udp"]),
    ("+ndpi/stun.pcapng", {"disable": ["stun_udp", "stun"]},
     ["--disable-heuristic", "stun_udp", "--disable-protocol", "stun"]),
    ("+ndpi/rtp.pcapng", {"enable": ["rtp_udp"]}, ["--enable-heuristic", "rtp_udp"]),
    # key logs and embedded secrets
    ("tls13_recorded.pcapng", {"tls_keylog": KEYS}, ["-o", "tls.keylog_file:" + KEYS]),
    ("tls13_recorded.pcapng", {"preferences": {"ssl.keylog_file": KEYS}}, ["-o", "ssl.keylog_file:" + KEYS]),
    ("tls13_secrets.pcapng", {"disable": ["tls"]}, ["--disable-protocol", "tls"]),
    # name resolution
    ("demo.pcapng", {"name_resolution": ()}, ["-n"]),
    ("demo.pcapng", {"name_resolution": ("transport",)}, ["-N", "t"]),
    ("demo.pcapng", {"name_resolution": ("mac", "transport")}, ["-N", "mt"]),
    ("several.pcapng", {"name_resolution": ("network",)}, ["-N", "nd"]),
    ("demo.pcapng", {"name_resolution": ("mac", "network", "transport")}, ["-N", "mntd"]),
    ("demo.pcapng", {"preferences": {"nameres.network_name": True, "nameres.transport_name": True}},
     ["-o", "nameres.network_name:TRUE", "-o", "nameres.transport_name:TRUE"]),
    # filters and passes, alone and with others
    ("dns.pcap", {"two_pass": True}, ["-2"]),
    ("dns.pcap", {"two_pass": True, "read_filter": "dns.flags.response == 1"}, ["-2", "-R", "dns.flags.response == 1"]),
    ("dns.pcap", {"display_filter": "dns.qry.type == 1 && udp.stream < 2"},
     ["-Y", "dns.qry.type == 1 && udp.stream < 2"]),
    ("demo.pcapng", {"display_filter": "data", "disable": ["http"]}, ["-Y", "data", "--disable-protocol", "http"]),
    ("dns.pcap", {"two_pass": True, "decode_as": {"udp.port==53": "ntp"}, "name_resolution": ()},
     ["-2", "-d", "udp.port==53,ntp", "-n"]),
    ("+tcpdump/various_gre.pcap", {"disable": ["gre"]}, ["--disable-protocol", "gre"]),
    ("+ndpi/gtp_c.pcap", {"decode_as": {"udp.port==2123": "dns"}}, ["-d", "udp.port==2123,dns"]),
]

if WIRESHARK >= (4, 4):   # names that TLS's clients ask for
    OPTION_SETS.append((
        "+ndpi/tls_ech.pcapng",
        {"preferences": {"nameres.network_name": True, "nameres.handshake_sni_addr_resolution": True}},
        ["-o", "nameres.network_name:TRUE", "-o", "nameres.handshake_sni_addr_resolution:TRUE"],
    ))


def label(value: Any) -> str | None:
    return re.sub(r"[^\w.=-]+", "_", str(list(value.values())[0]))[:40] if isinstance(value, dict) else None


@needs_tshark
@pytest.mark.parametrize(("name", "keywords", "words"), OPTION_SETS, ids=label)
def test_an_option_set_gives_what_tshark_gives(name: str, keywords: dict[str, Any], words: list[str]) -> None:
    path = capture(name)
    before = defaults(path)
    mine = trees(path, **keywords)
    names = "name_resolution" in keywords or "nameres." in str(keywords)   # which JSON does not show
    assert_as_tshark(path, words, mine, names)
    assert mine != before, "the options changed nothing"


def test_there_are_enough_option_sets() -> None:
    assert len(OPTION_SETS) >= 40


def state() -> Any:
    """All that can be asked of libwireshark's settings."""
    return [(info.name, info.value) for info in preferences()], [(info.name, info.enabled) for info in protocols()]


def digests(backwards: bool) -> dict[int, str]:
    """Each option set's trees and the default ones after it, in this process; what was set is put back each time."""
    found = {}
    Dissector().close()   # Wireshark gives up two preferences at its first use: tls.keys_list, dtls.keys_list
    before = state()
    for number, (name, keywords, _) in sorted(enumerate(OPTION_SETS), reverse=backwards):
        if not name.startswith("+") or SHARED.is_dir():
            both = trees(capture(name), **keywords), trees(capture(name))
            found[number] = hashlib.sha256(repr(both).encode()).hexdigest()
            assert state() == before, OPTION_SETS[number]
    return found


def test_option_sets_in_turn_leave_nothing_behind() -> None:
    """In another order, in a process that saw nothing else, each is the same."""
    code = "import sys; sys.path.insert(0, sys.argv[1]); import test_settings; print(test_settings.digests(True))"
    backwards = eval(run_python(str(TESTS), code=code, timeout=600).check())
    assert digests(False) == backwards
    assert len(backwards) == len(OPTION_SETS) or not SHARED.is_dir()


WRONG: list[tuple[dict[str, Any], type[Exception], str]] = [
    ({"preferences": {"tcp.desegment": True}}, PreferenceError, "tcp.desegment_tcp_streams"),
    ({"preferences": {"nosuchmodule.nothing": 1}}, PreferenceError, "nosuchmodule.nothing"),
    ({"preferences": {"tcp": 1}}, PreferenceError, "tcp"),
    ({"preferences": {"tcp.desegment_tcp_streams": "maybe"}}, PreferenceError, "neither TRUE nor FALSE"),
    ({"preferences": {"tcp.desegment_tcp_streams": 2}}, PreferenceError, "neither TRUE nor FALSE"),
    ({"preferences": {"http.tcp.port": "80-x"}}, PreferenceError, "http.tcp.port"),
    ({"preferences": {"tcp.default_window_scaling": "big"}}, PreferenceError, "not-known"),
    ({"preferences": {"uat:user_dltz": USER_DLT}}, PreferenceError, "uat:user_dlts"),
    ({"preferences": {"uat:user_dlts": '"User 0 (DLT=147)"'}}, PreferenceError, "expecting field"),
    ({"preferences": {"uat:user_dlts": 5}}, TypeError, "record"),
    ({"preferences": {"user_dlt.encaps_table": "x"}}, PreferenceError, "uat:"),
    ({"preferences": {"tcp.check_checksum": 1.5}}, TypeError, "float"),
    ({"preferences": ["tcp.check_checksum"]}, TypeError, "dict"),
    ({"preferences": {"rtp.heuristic_rtp": True}}, PreferenceError, "given up this preference; enable or disable 'rtp"),
    ({"preferences": {"fp.udp_heur": False}}, PreferenceError, "enable or disable 'fp_udp' instead"),
    ({"preferences": {"prp.enable": True}}, PreferenceError, "enable or disable 'prp' instead"),
    ({"preferences": {"ssl.keys_list": ""}}, PreferenceError, "given up this preference; did you mean 'tls."),
    ({"preferences": {"ssl.ssl_association_info": ""}}, PreferenceError, "nor 'tls.ssl_association_info' as it"),
    ({"preferences": {"ssl.desegment_records": True}}, PreferenceError, "'tls.desegment_ssl_records'"),
    ({"preferences": {"h248.tcp_port": 1}}, PreferenceError, "'h248.tcp.port'"),
    ({"preferences": {"tcp.tcp_summary_in_tree": True}}, PreferenceError, "'tcp.summary_in_tree'"),
    ({"preferences": {"smb.smb.trans.reassembly": True}}, PreferenceError, "'smb.trans_reassembly'"),
    ({"decode_as": {"dcerpc.uuid==1": "epm"}}, ValueError, "GUID"),
    ({"decode_as": {"can.subdissector==5": "canopen"}}, ValueError, "no selector"),
    ({"decode_as": {"tcp.prt==80": "http"}}, ValueError, "tcp.port"),
    ({"decode_as": {"tcp.port==80": "htp"}}, ValueError, "http"),
    ({"decode_as": {"tcp.port==80": "eth"}}, ValueError, "cannot be chosen"),
    ({"decode_as": {"tcp.port==http": "http"}}, ValueError, "number"),
    ({"decode_as": {"tcp.port==9-5": "http"}}, ValueError, "number"),
    ({"decode_as": {"tcp.port": "http"}}, ValueError, "number"),
    ({"disable": ["htttp"]}, ValueError, "'http'"),
    ({"disable": "http"}, TypeError, "iterable"),
    ({"enable": ["rtp_upd"]}, ValueError, "rtp_udp"),
    ({"disable": ["frame"]}, ValueError, "always on"),
    ({"profile": "no such profile"}, ValueError, "no such profile"),
    ({"tls_keylog": "/no/such/file"}, FileError, "/no/such/file"),
    ({"columns": {"A": "no.such.field"}}, ValueError, "no.such.field"),
    ({"columns": {"A": "%zzz"}}, ValueError, "%zzz"),
    ({"preferences": {"tcp.check_checksum": True}, "display_filter": "ip ip"}, FilterError, "ip ip"),
]


@pytest.mark.parametrize(("keywords", "kind", "text"), WRONG, ids=label)
def test_a_wrong_setting_is_refused_and_leaves_nothing(
    demo: str, keywords: dict[str, Any], kind: type[Exception], text: str
) -> None:
    before, settings = defaults(demo), state()
    mixed = {"preferences": {"ip.check_checksum": True}, **keywords}
    if "preferences" in keywords and isinstance(keywords["preferences"], dict):
        mixed["preferences"] = {"ip.check_checksum": True, **keywords["preferences"]}
    with pytest.raises(kind, match=re.escape(text)):
        Dissector(demo, **mixed)
    assert state() == settings
    assert trees(demo) == before


def test_a_preference_error_carries_its_name(demo: str) -> None:
    with pytest.raises(PreferenceError) as caught:
        Dissector(demo, preferences={"tcp.nonsense": 1})
    assert caught.value.preference == "tcp.nonsense"
    assert isinstance(caught.value, ValueError)


def test_an_enum_by_name_and_by_number() -> None:
    path = capture("+ndpi/tls-appdata.pcap")
    by_name = trees(path, preferences={"tcp.default_window_scaling": "14"})
    assert by_name == trees(path, preferences={"tcp.default_window_scaling": 14}) != defaults(path)


def test_an_integer_is_itself_whatever_the_preferences_base() -> None:
    """vlan.qinq_ethertype is shown in base 16: tshark takes "10" for 16, an int is what it is."""
    frame = bytes(12) + bytes.fromhex("9303 0005 0800") + bytes(46)
    for value in (0x9303, "0x9303", "9303"):
        with Dissector(preferences={"vlan.qinq_ethertype": value}) as dissector:
            assert "vlan" in dissector.dissect(frame).protocols
    with Dissector(preferences={"vlan.qinq_ethertype": 9303}) as dissector:
        assert "vlan" not in dissector.dissect(frame).protocols


def test_columns_beside_wiresharks_own(demo: str) -> None:
    with Dissector(demo, columns={"Stream": "tcp.stream", "Info": "ip.ttl", "When": "%t"}) as packets:
        packet = next(packet for packet in packets if "tcp" in packet)
    own = ["No.", "Time", "Source", "Destination", "Protocol", "Length", "Info"]
    assert list(packet.columns) == [*own, "Stream", "When"]
    assert packet.columns["Stream"] == "0"
    assert packet.info == str(packet["ip.ttl"])
    with Dissector(demo) as packets:
        assert "Stream" not in next(packets).columns


def test_columns_where_only_some_fields_are_extracted(demo: str) -> None:
    with Dissector(demo, columns={"Stream": "tcp.stream"}, fields=["ip.src"]) as packets:
        texts = [packet.columns["Stream"] for packet in packets]
    assert "0" in texts


@pytest.fixture
def profile(tmp_path: Path) -> Iterator[str]:
    folder = tmp_path / "wireshark" / "profiles" / "ours"
    folder.mkdir(parents=True)
    (folder / "preferences").write_text("tcp.relative_sequence_numbers: FALSE\n")
    (folder / "disabled_protos").write_text("dns\n")
    (folder / "decode_as_entries").write_text("decode_as_entry: tcp.port,80,HTTP,SMTP\n")
    yield str(tmp_path)


PROFILE_CODE = """
import sys
from wishpy import Dissector
path = sys.argv[1]
def look(**keywords):
    with Dissector(path, **keywords) as packets:
        packets = list(packets)
    sequence = max(p.get("tcp.seq", 0) for p in packets)
    return sequence > 1000, "dns" in packets[0], any("smtp" in p for p in packets)
print(look())
print(look(profile="ours"))
print(look())
"""


def test_a_profile_is_read_and_left_again(demo: str, profile: str) -> None:
    env = {**os.environ, "XDG_CONFIG_HOME": profile, "HOME": profile}
    lines = run_python(demo, code=PROFILE_CODE, env=env).check().splitlines()
    assert lines == ["(False, True, False)", "(True, False, True)", "(False, True, False)"]


def test_the_users_own_settings_do_not_count(demo: str, tmp_path: Path) -> None:
    folder = tmp_path / "wireshark"
    folder.mkdir()
    (folder / "preferences").write_text("tcp.relative_sequence_numbers: FALSE\n")
    env = {**os.environ, "XDG_CONFIG_HOME": str(tmp_path), "HOME": str(tmp_path)}
    code = PROFILE_CODE.split("print")[0]
    assert run_python(demo, code=code + "print(look())", env=env).check().strip() == "(False, True, False)"
    own = run_python(demo, code=code + "print(look(profile='Default'))", env=env).check()
    assert own.strip() == "(True, True, False)"


def test_fields_of_a_table_come_and_go() -> None:
    """custom_http_header_fields registers a field; its name is known while it is set, each time anew."""
    frame = b"GET / HTTP/1.0\r\nX-Ours: 5\r\n\r\n"
    for _ in range(3):
        with Dissector(preferences={"uat:custom_http_header_fields": [("X-Ours", "a header")]}) as dissector:
            assert dissector.dissect(frame, dissector="http")["http.header.X-Ours"] == "5"
        with Dissector() as dissector:
            assert "http.header.X-Ours" not in dissector.dissect(frame, dissector="http")


def test_what_a_heuristic_found_does_not_change_the_next_capture(demo: str) -> None:
    """libwireshark asks the heuristic that matched last first; without undoing that, order would matter."""
    path = capture("+ndpi/rtp.pcapng")
    first = defaults(demo)
    before = trees(path)
    for name in ("+ndpi/stun.pcapng", "+ndpi/webdav.pcapng", "+ndpi/sip.pcap"):
        trees(capture(name))
    assert trees(path) == before
    assert trees(demo) == first
