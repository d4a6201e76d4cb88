#!/usr/bin/env python3
"""make_recorded.py [NAME...] - record the encrypted captures of this folder anew: real programs over the loopback
interface, as root. Each time other bytes, since keys are random; README.md says what each file is for.

Needs wishpy itself, and of Debian's packages openssl, snmpd, snmp, krb5-kdc, krb5-admin-server, krb5-user and
openssh-server; of PyPI's aioquic and paramiko.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parents[1]), str(HERE.parent / "data")]

from make_data import NANO, Blocks  # noqa: E402

from wishpy import Capturer  # noqa: E402

TEXT = b"the secret of wishpy\n"


# --- recording ------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def recorded(name: str, capture_filter: str) -> Iterator[None]:
    """What passes over the loopback interface meanwhile goes to NAME, which tells nothing of the machine."""
    capturer = Capturer("lo", capture_filter=capture_filter, timeout=0.05)
    frames = []
    thread = threading.Thread(target=lambda: frames.extend(capturer))
    thread.start()
    time.sleep(0.3)
    try:
        yield
        time.sleep(0.5)
    finally:
        capturer.stop()
        thread.join()
    file = Blocks()
    file.section()
    file.interface(frames[0].linktype, NANO)
    for frame in frames:
        file.packet(0, frame.time_ns, bytes(frame.data))
    (HERE / name).write_bytes(file.data)
    print(name, len(frames), "frames,", len(file.data), "bytes")


@contextlib.contextmanager
def running(*command: str | Path, wait: float = 1.0, **options: object) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(list(map(str, command)), stdout=subprocess.DEVNULL, **options)  # type: ignore[call-overload]
    try:
        time.sleep(wait)
        yield process
    finally:
        process.terminate()
        process.wait()


def run(*command: str | Path, **options: object) -> None:
    subprocess.run(list(map(str, command)), check=True, stdout=subprocess.DEVNULL, **options)  # type: ignore[call-overload]


# --- TLS 1.2, with a key log and with the server's RSA key -------------------------------------------------------


def certificate(folder: Path, kind: str) -> tuple[Path, Path]:
    key, certificate = folder / "key.pem", folder / "certificate.pem"
    new = ["rsa:2048"] if kind == "rsa" else ["ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
    run("openssl", "req", "-x509", "-newkey", *new, "-nodes", "-keyout", key, "-out", certificate,
        "-subj", "/CN=example.com", "-days", "3650", stderr=subprocess.DEVNULL)  # fmt: skip
    return key, certificate


def tls12_exchange(folder: Path, kind: str, port: int, cipher: str, *words: str | Path) -> None:
    key, cert = certificate(folder, kind)
    (folder / "index.txt").write_bytes(TEXT)
    with running("openssl", "s_server", "-accept", port, "-key", key, "-cert", cert, "-tls1_2", "-cipher", cipher,
                 "-WWW", "-quiet", cwd=folder):  # fmt: skip
        run("openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-tls1_2", "-quiet", "-ign_eof", *words,
            input=b"GET /index.txt HTTP/1.0\r\n\r\n", stderr=subprocess.DEVNULL)  # fmt: skip


def tls12(folder: Path) -> None:
    with recorded("tls12.pcapng", "tcp port 44312"):
        tls12_exchange(folder, "ec", 44312, "ECDHE-ECDSA-AES128-GCM-SHA256", "-keylogfile", folder / "keys")
    lines = (folder / "keys").read_text().splitlines(keepends=True)
    (HERE / "tls12.keys").write_text("".join(line for line in lines if not line.startswith("#")))


def tls12_rsa(folder: Path) -> None:
    """The server's key is enough where the client sends the secret to it."""
    with recorded("tls12_rsa.pcapng", "tcp port 44313"):
        tls12_exchange(folder, "rsa", 44313, "AES128-SHA256")
    shutil.copy(folder / "key.pem", HERE / "tls12_rsa.pem")


# --- QUIC ---------------------------------------------------------------------------------------------------------


def quic(folder: Path) -> None:
    from aioquic.asyncio import QuicConnectionProtocol, connect, serve
    from aioquic.h3.connection import H3Connection
    from aioquic.h3.events import HeadersReceived
    from aioquic.quic.configuration import QuicConfiguration
    from aioquic.quic.events import ProtocolNegotiated, QuicEvent

    key, cert = certificate(folder, "ec")

    class Server(QuicConnectionProtocol):
        http: H3Connection | None = None

        def quic_event_received(self, event: QuicEvent) -> None:
            if isinstance(event, ProtocolNegotiated):
                self.http = H3Connection(self._quic)
            for received in self.http.handle_event(event) if self.http else []:
                if isinstance(received, HeadersReceived):
                    self.http.send_headers(received.stream_id, [(b":status", b"200"), (b"server", b"wishpy")])
                    self.http.send_data(received.stream_id, TEXT, end_stream=True)
                    self.transmit()

    async def exchange() -> None:
        server = QuicConfiguration(is_client=False, alpn_protocols=["h3"])
        server.load_cert_chain(cert, key)
        listener = await serve("127.0.0.1", 44300, configuration=server, create_protocol=Server)
        with open(folder / "keys", "w") as keys:
            client = QuicConfiguration(alpn_protocols=["h3"], secrets_log_file=keys, verify_mode=0)
            client.max_datagram_size = 1200
            async with connect("127.0.0.1", 44300, configuration=client) as protocol:
                http = H3Connection(protocol._quic)
                request = [(b":method", b"GET"), (b":scheme", b"https"), (b":authority", b"example.com"),
                           (b":path", b"/index.txt")]  # fmt: skip
                http.send_headers(protocol._quic.get_next_available_stream_id(), request, end_stream=True)
                protocol.transmit()
                await asyncio.sleep(0.3)
        listener.close()

    with recorded("quic.pcapng", "udp port 44300"):
        asyncio.run(exchange())
    shutil.copy(folder / "keys", HERE / "quic.keys")


# --- SNMPv3 -------------------------------------------------------------------------------------------------------


def snmpv3(folder: Path) -> None:
    (folder / "snmpd.conf").write_text(
        "createUser reader SHA authpassword AES privpassword\nrouser reader priv\nsysLocation the secret of wishpy\n"
    )
    home = {**os.environ, "SNMP_PERSISTENT_DIR": str(folder), "SNMPCONFPATH": str(folder), "MIBS": ""}
    with running("snmpd", "-f", "-Lf", "/dev/null", "-C", "-c", folder / "snmpd.conf", "udp:127.0.0.1:161", env=home):
        with recorded("snmpv3.pcapng", "udp port 161"):
            run("snmpget", "-v3", "-u", "reader", "-l", "authPriv", "-a", "SHA", "-A", "authpassword", "-x", "AES",
                "-X", "privpassword", "127.0.0.1:161", "1.3.6.1.2.1.1.6.0", env=home)  # fmt: skip


# --- Kerberos -----------------------------------------------------------------------------------------------------


def kerberos(folder: Path) -> None:
    """A ticket for the service whose keys are in kerberos.keytab, together with those of the user."""
    (folder / "krb5.conf").write_text(
        "[libdefaults]\n default_realm = EXAMPLE.COM\n dns_lookup_kdc = false\n dns_lookup_realm = false\n"
        "[realms]\n EXAMPLE.COM = {\n  kdc = 127.0.0.1:88\n }\n"
    )
    (folder / "kdc.conf").write_text(
        "[kdcdefaults]\n kdc_listen = 127.0.0.1:88\n kdc_tcp_listen = \"\"\n"
        f"[realms]\n EXAMPLE.COM = {{\n  database_name = {folder}/principal\n  key_stash_file = {folder}/stash\n"
        "  supported_enctypes = aes128-cts-hmac-sha1-96:normal\n }\n"
    )
    env = {**os.environ, "KRB5_CONFIG": str(folder / "krb5.conf"), "KRB5_KDC_PROFILE": str(folder / "kdc.conf"),
           "KRB5CCNAME": f"FILE:{folder}/cache"}  # fmt: skip
    run("kdb5_util", "create", "-s", "-P", "master", "-r", "EXAMPLE.COM", env=env)
    for query in ("addprinc -pw userpassword +requires_preauth user", "addprinc -randkey host/example.com",
                  f"ktadd -norandkey -k {folder}/keytab host/example.com user krbtgt/EXAMPLE.COM"):  # fmt: skip
        run("kadmin.local", "-q", query, env=env)
    with running("krb5kdc", "-n", env=env), recorded("kerberos.pcapng", "udp port 88"):
        run("kinit", "user", input=b"userpassword\n", env=env)
        run("kvno", "host/example.com", env=env)
    shutil.copy(folder / "keytab", HERE / "kerberos.keytab")


# --- SSH ----------------------------------------------------------------------------------------------------------


def ssh(folder: Path) -> None:
    """OpenSSH's server, and a client whose private key of the exchange can be asked for."""
    import paramiko
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    keys = []

    class Transport(paramiko.Transport):
        def _set_K_H(self, k: int, h: bytes) -> None:  # the last moment at which both are there
            private = self.kex_engine.key.private_bytes(Encoding.Raw, PrivateFormat.Raw, NoEncryption())
            keys.append(f"{self.local_kex_init[1:17].hex()} {private.hex()}\n")
            super()._set_K_H(k, h)

    os.makedirs("/run/sshd", exist_ok=True)
    run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / "host")
    run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / "user")
    (folder / "config").write_text(
        f"HostKey {folder}/host\nAuthorizedKeysFile {folder}/user.pub\nStrictModes no\nPermitRootLogin yes\n"
        "UsePAM no\nPrintMotd no\nKexAlgorithms curve25519-sha256@libssh.org\n"
    )
    with running("/usr/sbin/sshd", "-D", "-f", folder / "config", "-p", "22", "-o", "ListenAddress=127.0.0.1"):
        with recorded("ssh.pcapng", "tcp port 22"):
            transport = Transport(("127.0.0.1", 22))
            options = transport.get_security_options()
            options.ciphers, options.kex = ("aes128-ctr",), ("curve25519-sha256@libssh.org",)
            options.digests = ("hmac-sha2-256",)
            transport.start_client()
            transport.auth_publickey("root", paramiko.Ed25519Key.from_private_key_file(str(folder / "user")))
            channel = transport.open_session()
            channel.exec_command("printf 'the secret of wishpy\\n'")
            channel.recv_exit_status()
            transport.close()
    (HERE / "ssh.keys").write_text("".join(keys))


ALL: list[Callable[[Path], None]] = [tls12, tls12_rsa, quic, snmpv3, kerberos, ssh]


def main() -> None:
    for record in ALL:
        if not sys.argv[1:] or record.__name__ in sys.argv[1:]:
            with tempfile.TemporaryDirectory() as folder:
                record(Path(folder))


if __name__ == "__main__":
    main()
