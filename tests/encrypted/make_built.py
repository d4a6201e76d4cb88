#!/usr/bin/env python3
"""make_built.py [DIR] - put together the encrypted captures of this folder that nobody recorded, always the same bytes:
ESP, a WPA2 handshake and a frame under its key, a WireGuard handshake and packets. Needs cryptography, of PyPI.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import struct
import sys
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESCCM, AESGCM, ChaCha20Poly1305
from cryptography.hazmat.primitives.keywrap import aes_key_wrap

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "data"))

from make_data import CLIENT, SERVER, dns, ethernet, ipv4, pcap, udp  # noqa: E402

INNER = ("198.51.100.1", "198.51.100.2")  # the ends of what is hidden
ADDRESS = [(b"\xc0\x0c", 1, bytes([192, 0, 2, 7]))]
QUESTION = udp((INNER[0], 40000), (INNER[1], 53), dns(7, "secret.example.com"))
ANSWER = udp((INNER[1], 53), (INNER[0], 40000), dns(7, "secret.example.com", answers=ADDRESS))


def key(label: str, size: int = 16) -> bytes:
    return hashlib.sha256(label.encode()).digest()[:size]


# --- ESP ----------------------------------------------------------------------------------------------------------


def esp_tail(payload: bytes, next_header: int, block: int) -> bytes:
    padding = -(len(payload) + 2) % block
    return payload + bytes(range(1, padding + 1)) + bytes([padding, next_header])


def esp_cbc(spi: int, sequence: int, payload: bytes) -> bytes:
    """AES-CBC with HMAC-SHA-1-96, tunnel mode."""
    initial = key(f"iv {sequence}")
    encryptor = Cipher(algorithms.AES(key("esp cbc")), modes.CBC(initial)).encryptor()
    body = struct.pack("!II", spi, sequence) + initial + encryptor.update(esp_tail(payload, 4, 16))
    return body + hmac.digest(key("esp sha1", 20), body, "sha1")[:12]


def esp_gcm(spi: int, sequence: int, payload: bytes) -> bytes:
    """AES-GCM with a 16 byte check value: the last four bytes of the key are the salt."""
    head, initial = struct.pack("!II", spi, sequence), struct.pack("!Q", sequence)
    secret = key("esp gcm", 20)
    return head + initial + AESGCM(secret[:16]).encrypt(secret[16:] + initial, esp_tail(payload, 4, 4), head)


def esp() -> bytes:
    packets = [
        ipv4(CLIENT, SERVER, 50, esp_cbc(0x100, 1, QUESTION)),
        ipv4(SERVER, CLIENT, 50, esp_gcm(0x200, 1, ANSWER)),
    ]
    return pcap([ethernet(packet, back=bool(number)) for number, packet in enumerate(packets)])


# --- WPA2 ---------------------------------------------------------------------------------------------------------

PASSPHRASE, NETWORK = "wishpy secret", "wishpy"
STATION, POINT = bytes.fromhex("02005e000001"), bytes.fromhex("02005e0000aa")
RSN = bytes.fromhex("30140100000fac040100000fac040100000fac020000")


def expand(secret: bytes, label: bytes, data: bytes, size: int) -> bytes:
    blocks = (hmac.digest(secret, label + b"\0" + data + bytes([number]), "sha1") for number in range(size // 20 + 1))
    return b"".join(blocks)[:size]


def management(kind: int, body: bytes) -> bytes:
    return struct.pack("<HH", kind, 0) + b"\xff" * 6 + POINT + POINT + struct.pack("<H", 0) + body


def frame_head(from_point: bool, number: int, protected: bool = False) -> bytes:
    control = 0x08 | (0x0200 if from_point else 0x0100) | (0x4000 if protected else 0)
    ends = STATION + POINT + POINT if from_point else POINT + STATION + POINT
    return struct.pack("<HH", control, 0) + ends + struct.pack("<H", number << 4)


def eapol(info: int, replay: int, nonce: bytes, data: bytes, confirm: bytes | None) -> bytes:
    """A Key message, with its check value where there is a key for that."""
    fixed = struct.pack("!BHHQ", 2, info, 16, replay) + nonce + bytes(32)
    rest = struct.pack("!H", len(data)) + data
    head = struct.pack("!BBH", 2, 3, len(fixed) + 16 + len(rest))
    check = hmac.digest(confirm, head + fixed + bytes(16) + rest, "sha1")[:16] if confirm else bytes(16)
    return bytes.fromhex("aaaa03000000888e") + head + fixed + check + rest


def ccmp(from_point: bool, number: int, packet: int, secret: bytes, payload: bytes) -> bytes:
    head = frame_head(from_point, number, protected=True)
    counter = packet.to_bytes(6, "big")
    prefix = bytes([counter[5], counter[4], 0, 0x20, counter[3], counter[2], counter[1], counter[0]])
    authentic = head[:2] + head[4:22] + b"\0\0"
    return head + prefix + AESCCM(secret, tag_length=8).encrypt(b"\0" + head[10:16] + counter, payload, authentic)


def wpa() -> bytes:
    master = hashlib.pbkdf2_hmac("sha1", PASSPHRASE.encode(), NETWORK.encode(), 4096, 32)
    nonces = [key("ANonce", 32), key("SNonce", 32)]
    data = min(STATION, POINT) + max(STATION, POINT) + min(nonces) + max(nonces)
    pairwise = expand(master, b"Pairwise key expansion", data, 48)
    confirm, wrapping, temporal = pairwise[:16], pairwise[16:32], pairwise[32:]
    group = RSN + bytes.fromhex("dd16000fac010100") + key("GTK")
    hidden = aes_key_wrap(wrapping, group + b"\xdd" + bytes(-(len(group) + 1) % 8))
    beacon = bytes(8) + struct.pack("<HH", 100, 0x0411) + bytes([0, len(NETWORK)]) + NETWORK.encode()
    snap = bytes.fromhex("aaaa030000000800")
    return pcap(
        [
            management(0x80, beacon + bytes.fromhex("010482848b96") + RSN),
            frame_head(True, 1) + eapol(0x008A, 1, nonces[0], b"", None),
            frame_head(False, 1) + eapol(0x010A, 1, nonces[1], RSN, confirm),
            frame_head(True, 2) + eapol(0x13CA, 2, nonces[0], hidden, confirm),
            frame_head(False, 2) + eapol(0x030A, 2, bytes(32), b"", confirm),
            ccmp(False, 3, 1, temporal, snap + QUESTION),
            ccmp(True, 3, 1, temporal, snap + ANSWER),
        ],
        linktype=105,
    )


# --- WireGuard ------------------------------------------------------------------------------------------------------


def blake(data: bytes) -> bytes:
    return hashlib.blake2s(data).digest()


def derive(chain: bytes, data: bytes, count: int) -> list[bytes]:
    """HKDF with HMAC-BLAKE2s."""
    secret = hmac.digest(chain, data, "blake2s")
    derived = [b""]
    for number in range(1, count + 1):
        derived.append(hmac.digest(secret, derived[-1] + bytes([number]), "blake2s"))
    return derived[1:]


def public(private: bytes) -> bytes:
    return X25519PrivateKey.from_private_bytes(private).public_key().public_bytes_raw()


def shared(private: bytes, other: bytes) -> bytes:
    return X25519PrivateKey.from_private_bytes(private).exchange(X25519PublicKey.from_public_bytes(other))


def seal(secret: bytes, counter: int, text: bytes, authentic: bytes) -> bytes:
    return ChaCha20Poly1305(secret).encrypt(struct.pack("<IQ", 0, counter), text, authentic)


class Handshake:
    """The Noise protocol's IKpsk2, both sides at once."""

    def __init__(self, responder: bytes) -> None:
        self.chain = blake(b"Noise_IKpsk2_25519_ChaChaPoly_BLAKE2s")
        self.hash = blake(blake(self.chain + b"WireGuard v1 zx2c4 Jason@zx2c4.com") + responder)

    def mix(self, data: bytes) -> None:
        self.hash = blake(self.hash + data)

    def mix_key(self, data: bytes) -> bytes:
        self.chain, secret = derive(self.chain, data, 2)
        return secret

    def mix_chain(self, data: bytes) -> None:
        (self.chain,) = derive(self.chain, data, 1)

    def seal(self, secret: bytes, text: bytes) -> bytes:
        sealed = seal(secret, 0, text, self.hash)
        self.mix(sealed)
        return sealed


def with_checks(message: bytes, receiver: bytes) -> bytes:
    return message + hashlib.blake2s(message, digest_size=16, key=blake(b"mac1----" + receiver)).digest() + bytes(16)


def wireguard() -> tuple[bytes, str]:
    """The capture, and the initiator's keys."""
    mine, theirs, shared_key = key("static i", 32), key("static r", 32), key("psk", 32)
    my_once, their_once = key("ephemeral i", 32), key("ephemeral r", 32)
    state = Handshake(public(theirs))
    state.mix_chain(public(my_once))
    state.mix(public(my_once))
    static = state.seal(state.mix_key(shared(my_once, public(theirs))), public(mine))
    stamp = state.seal(state.mix_key(shared(mine, public(theirs))), struct.pack("!QI", 0x400000006553F100, 0))
    first = with_checks(struct.pack("<II", 1, 11) + public(my_once) + static + stamp, public(theirs))
    state.mix_chain(public(their_once))
    state.mix(public(their_once))
    state.mix_chain(shared(their_once, public(my_once)))
    state.mix_chain(shared(their_once, public(mine)))
    state.chain, mixed, secret = derive(state.chain, shared_key, 3)
    state.mix(mixed)
    empty = state.seal(secret, b"")
    second = with_checks(struct.pack("<III", 2, 22, 11) + public(their_once) + empty, public(mine))
    sending, receiving = derive(state.chain, b"", 2)

    def transport(secret: bytes, receiver: int, packet: bytes) -> bytes:
        return struct.pack("<IIQ", 4, receiver, 0) + seal(secret, 0, packet + bytes(-len(packet) % 16), b"")

    messages = [first, second, transport(sending, 22, QUESTION), transport(receiving, 11, ANSWER)]
    ends = [(CLIENT, 51820), (SERVER, 51820)]
    frames = [
        ethernet(udp(ends[number % 2], ends[1 - number % 2], message), back=bool(number % 2))
        for number, message in enumerate(messages)
    ]
    keys = {
        "LOCAL_STATIC_PRIVATE_KEY": mine,
        "REMOTE_STATIC_PUBLIC_KEY": public(theirs),
        "LOCAL_EPHEMERAL_PRIVATE_KEY": my_once,
        "PRESHARED_KEY": shared_key,
    }
    return pcap(frames), "".join(f"{name} = {base64.b64encode(value).decode()}\n" for name, value in keys.items())


def main() -> None:
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else HERE
    (folder / "esp.pcap").write_bytes(esp())
    (folder / "wpa.pcap").write_bytes(wpa())
    capture, keys = wireguard()
    (folder / "wireguard.pcap").write_bytes(capture)
    (folder / "wireguard.keys").write_text(keys)


if __name__ == "__main__":
    main()
