"""Decryption with keys that the tests have: each against a tshark with the same keys, and nothing without them.

The captures in tests/encrypted are made by the scripts beside them.
"""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from conftest import DATA, TESTS, WIRESHARK, needs_root, needs_tshark
from settings_checks import HTTP3_ADDRESS, assert_as_tshark, capture, packet_trees, trees

from wishpy import Dissector, Field, FileError, Packet, SessionError

sys.path.insert(0, str(DATA))
from make_data import Blocks, padded, with_secrets

KEYS = TESTS / "encrypted"


def key(label: str, size: int) -> str:
    """As make_built.py makes them."""
    return "0x" + hashlib.sha256(label.encode()).hexdigest()[: 2 * size]


@dataclass
class Case:
    capture: str
    preferences: dict[str, Any]
    words: list[str]  # tshark's
    hidden: str  # a field that is there with the key alone
    text: bytes  # in the field's bytes
    source: str  # of whose bytes they are, the start of its name
    keylog: Path | None = None
    varies: str = ""  # what tshark says differently each time


def table(name: str, *columns: str) -> tuple[dict[str, Any], list[str]]:
    """A table's record for preferences, and for -o."""
    return {f"uat:{name}": [columns]}, ["-o", f"uat:{name}:" + ",".join(f'"{column}"' for column in columns)]


def file(preference: str, name: str) -> tuple[dict[str, Any], list[str]]:
    return {preference: KEYS / name}, ["-o", f"{preference}:{KEYS / name}"]


def tls(path: Path) -> tuple[dict[str, Any], list[str]]:
    return {}, ["-o", f"tls.keylog_file:{path}"]


def esp(*records: tuple[str, ...]) -> tuple[dict[str, Any], list[str]]:
    switches = ["esp.enable_encryption_decode", "esp.enable_authentication_check"]
    words = [word for name in switches for word in ("-o", f"{name}:TRUE")]
    words += [word for record in records for word in table("esp_sa", *record)[1]]
    return {**dict.fromkeys(switches, True), "uat:esp_sa": list(records)}, words


ESP_CBC = ("IPv4", "192.0.2.1", "*", "0x100", "AES-CBC [RFC3602]", key("esp cbc", 16), "HMAC-SHA-1-96 [RFC2404]",
           key("esp sha1", 20))  # fmt: skip
ESP_GCM = ("IPv4", "*", "*", "0x200", "AES-GCM with 16 octet ICV [RFC4106]", key("esp gcm", 20), "NULL", "")
SNMP_USER = ("", "reader", "SHA1", "authpassword", "AES", "privpassword")
ADDRESS, NAME = bytes([192, 0, 2, 7]), b"\x06secret\x07example\x03com"

# Wireshark does not know the strict key exchange, after which messages are numbered from 0 again. 4.4 and its tshark
# show only those whose checksum fits the number that they count, so nothing of the login; 4.0 shows all.
SSH_HIDDEN = ("ssh.userauth_user_name", b"root") if WIRESHARK < (4, 4) else ("ssh.channel_request_name", b"exec")

TLS12_KEYS, TLS13_KEYS, QUIC_KEYS = KEYS / "tls12.keys", DATA / "tls13.keys", KEYS / "quic.keys"

CASES: dict[str, Case] = {
    "tls12": Case("../encrypted/tls12.pcapng", *tls(TLS12_KEYS), "http.request.uri", b"/index.txt",
                  "Decrypted TLS", TLS12_KEYS),
    "tls12_rsa": Case("../encrypted/tls12_rsa.pcapng", *table("rsa_keys", str(KEYS / "tls12_rsa.pem"), ""),
                      "http.request.uri", b"/index.txt", "Decrypted TLS"),
    "tls13": Case("tls13_recorded.pcapng", *tls(TLS13_KEYS), "http.request.uri", b"/page?n=1",
                  "Decrypted TLS", TLS13_KEYS),
    "quic": Case("../encrypted/quic.pcapng", *tls(QUIC_KEYS), "http3.frame_payload", b"the secret of wishpy",
                 "Decrypted QUIC", QUIC_KEYS, varies=HTTP3_ADDRESS),
    "snmpv3": Case("../encrypted/snmpv3.pcapng", *table("snmp_users", *SNMP_USER), "snmp.value.octets",
                   b"the secret of wishpy", "Decrypted ScopedPDU"),
    "kerberos": Case("../encrypted/kerberos.pcapng",
                     {"kerberos.decrypt": True, "kerberos.file": KEYS / "kerberos.keytab"},
                     ["-o", "kerberos.decrypt:TRUE", "-o", f"kerberos.file:{KEYS / 'kerberos.keytab'}"],
                     "kerberos.patimestamp", b"Z", "Krb5", varies=r"num_tries=\d+"),
    "ssh": Case("../encrypted/ssh.pcapng", *file("ssh.keylog_file", "ssh.keys"), *SSH_HIDDEN, "Decrypted Packet"),
    "esp_cbc": Case("../encrypted/esp.pcap", *esp(ESP_CBC), "dns.qry.name", NAME, "Decrypted Data"),
    "esp_both": Case("../encrypted/esp.pcap", *esp(ESP_CBC, ESP_GCM), "dns.a", ADDRESS, "Decrypted Data"),
    "wpa": Case("../encrypted/wpa.pcap", *table("80211_keys", "wpa-pwd", "wishpy secret:wishpy"), "dns.a", ADDRESS,
                "Decrypted CCMP data"),
    "wireguard": Case("../encrypted/wireguard.pcap", *file("wg.keylog_file", "wireguard.keys"), "dns.a",
                      ADDRESS, "Decrypted"),
    "zigbee": Case("+whad/zigbee_philips_hue_association.pcap",
                   *table("zigbee_pc_keys", "81:42:86:86:5D:C1:C8:B2:C8:CB:C5:2E:5D:65:D1:B8", "Normal", "LL"),
                   "zbee_aps.cmd.key", bytes.fromhex("02398409245156e31d98a92157a8a66f"), "Decrypted ZigBee"),
}  # fmt: skip


def settings(case: Case) -> dict[str, Any]:
    return {"preferences": case.preferences, "tls_keylog": case.keylog}


def read(path: str, **keywords: Any) -> list[Packet]:
    with Dissector(path, **keywords) as packets:
        return list(packets)


def found(packets: list[Packet], name: str) -> Iterator[Field]:
    for packet in packets:
        yield from packet.find_all(name)


@needs_tshark
@pytest.mark.parametrize("case", CASES.values(), ids=list(CASES))
def test_what_is_encrypted_is_there_with_the_key_alone(case: Case) -> None:
    path = capture(case.capture)
    before = read(path)
    assert not list(found(before, case.hidden))
    packets = read(path, **settings(case))
    (revealed, *_) = [one for one in found(packets, case.hidden) if case.text in (one.raw or b"")]
    assert revealed.source is not None and revealed.source.startswith(case.source), revealed.source
    assert_as_tshark(path, case.words, packet_trees(packets), lines=True, varies=case.varies)
    assert packet_trees(read(path)) == packet_trees(before), "the keys are still there"


# --- keys do not stay ---------------------------------------------------------------------------------------------


def wrong_text(text: str) -> str:
    """Another key of the same form."""
    if text.startswith("0x") and len(text) > 10:
        return "0x" + text[:1:-1]
    if text.count(":") == 15:
        return text[::-1]
    return text.replace("secret", "guess").replace("privpassword", "otherpassword")


def wrong(value: Any, empty: Path) -> Any:
    if isinstance(value, Path):
        return empty
    return [tuple(map(wrong_text, record)) for record in value] if isinstance(value, list) else value


@pytest.mark.parametrize("case", [CASES[name] for name in CASES if name != "tls12_rsa"], ids=lambda case: case.hidden)
def test_another_key_after_the_right_one_decrypts_nothing(case: Case, tmp_path: Path) -> None:
    path, empty = capture(case.capture), tmp_path / "empty"
    empty.touch()
    other: dict[str, Any] = {"preferences": {name: wrong(value, empty) for name, value in case.preferences.items()}}
    other["tls_keylog"] = wrong(case.keylog, empty)
    assert other != settings(case)
    assert list(found(read(path, **settings(case)), case.hidden))
    assert not list(found(read(path, **other), case.hidden))


@pytest.mark.parametrize("name", ["kerberos", "ssh"])
def test_keys_that_wireshark_would_keep_need_a_worker(name: str) -> None:
    """Another Dissector of this process would have them, too; so this one has a process that ends with it."""
    case = CASES[name]
    with pytest.raises(SessionError, match="for as long as its process lives"):
        Dissector(capture(case.capture), isolated=False, **settings(case))
    with Dissector(capture(case.capture), **settings(case)) as first, Dissector(isolated=False) as second:
        assert next(first).number == 1
        assert second.dissect(bytes(60)) is not None


@needs_root
def test_keys_that_a_workers_user_may_not_read(tmp_path: Path) -> None:
    case, keys = CASES["ssh"], tmp_path / "keys"
    keys.write_bytes((KEYS / "ssh.keys").read_bytes())
    keys.chmod(0o600)
    preferences = {"SSH.keylog_file": keys}
    for mode in (0o755, 0o700):
        tmp_path.chmod(mode)
        Dissector(isolated=True).close()   # its worker is warm now, and may not look into the folder
        with pytest.raises(PermissionError, match="worker_user"):
            Dissector(capture(case.capture), preferences=preferences, isolated=True)
    for more in ({"worker_user": None}, {}):   # without a word the worker reads what this process may read
        assert list(found(read(capture(case.capture), preferences=preferences, **more), case.hidden))


def test_keys_in_a_worker() -> None:
    case = CASES["wpa"]
    here, there = (
        trees(capture(case.capture), isolated=isolated, **settings(case)) for isolated in (False, True)
    )
    assert here == there


# --- secrets in the capture itself ----------------------------------------------------------------------------------

WIREGUARD_KEYS = 0x57474B4C


def wireguard_with_keys() -> bytes:
    file = Blocks()
    file.section()
    file.interface(1)
    keys = (KEYS / "wireguard.keys").read_bytes()
    file.block(10, file.pack("II", WIREGUARD_KEYS, len(keys)) + padded(keys))
    for packet in read(capture(CASES["wireguard"].capture)):
        file.packet(0, packet.time_ns // 1000, packet.data)
    return file.data


def made_with_secrets(name: str) -> bytes:
    if name == "wireguard":
        return wireguard_with_keys()
    return with_secrets(capture(CASES[name].capture), str(CASES[name].keylog))


@needs_tshark
@pytest.mark.parametrize("name", ["tls12", "tls13", "quic", "wireguard"])
def test_secrets_in_the_capture_are_enough(name: str, tmp_path: Path) -> None:
    path, case = tmp_path / "with_secrets.pcapng", CASES[name]
    path.write_bytes(made_with_secrets(name))
    packets = read(str(path))
    assert any(case.text in (one.raw or b"") for one in found(packets, case.hidden))
    assert_as_tshark(str(path), [], packet_trees(packets), lines=True, varies=case.varies)
    plain = capture(case.capture)
    assert_as_tshark(plain, [], trees(plain), lines=False)  # no key is still there


@needs_tshark
@pytest.mark.parametrize("name", ["+ndpi/quic-v2.pcapng", "+ndpi/doq.pcapng"])
def test_secrets_in_shared_captures(name: str) -> None:
    path = capture(name)
    packets = read(path)
    assert any(packet.find("tls.handshake.certificate") or packet.find("dns.qry.name") for packet in packets)
    assert_as_tshark(path, [], packet_trees(packets), lines=True, varies=HTTP3_ADDRESS)


def test_a_key_log_that_is_not_there(demo: str) -> None:
    with pytest.raises(FileError, match="no such keys") as caught:
        Dissector(demo, tls_keylog="no such keys")
    assert caught.value.errno == 2
    with Dissector(demo, tls_keylog=os.devnull) as packets:
        assert next(packets).number == 1
