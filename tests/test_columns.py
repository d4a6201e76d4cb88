"""Columns: Wireshark's own and any given, against tshark -o gui.column.format."""

from __future__ import annotations

import html
import pickle
import re
import subprocess
from pathlib import Path
from typing import Any

import oracle
import pytest
from conftest import DATA, SHARED, WIRESHARK, needs_tshark

import wishpy
from wishpy import Dissector

OWN = {
    "No.": "%m", "Time": "%t", "Source": "%s", "Destination": "%d", "Protocol": "%p", "Length": "%L", "Info": "%i",
}  # fmt: skip
SEPARATOR = "\x01"  # in no text
SECTION = re.compile(r"<section>(.*?)</section>", re.DOTALL)
FIELDS = {
    "Host": "http.host",
    "SNI": "%Cus:tls.handshake.extensions_server_name",
    "Name": "%Cus:dns.qry.name:1:R",
    "Port": "%Cus:tcp.port:2:U",
    "Either": "udp.port || tcp.port",
}
CAPTURES = [
    DATA / "demo.pcapng",
    DATA / "several.pcapng",
    DATA / "tls13_secrets.pcapng",
    SHARED / "arkime/tls13.pcap",
    SHARED / "ndpi/sip.pcap",
]


def formats() -> dict[str, str]:
    """Every format that tshark knows, by its description."""
    done = subprocess.run(
        [str(oracle.TSHARK), "-G", "column-formats"], capture_output=True, text=True, env=oracle.environment()
    )
    known = {}
    for line in done.stdout.splitlines():
        code, _, description = line.partition("\t")
        if code.startswith("%") and code != "%Cus":
            known["all_" + description.replace(" ", "_").replace("(", "").replace(")", "")] = code
    return known


def tshark_columns(path: Path, columns: dict[str, str], *options: str) -> list[list[str]]:
    """What tshark prints in these columns, a list a packet."""
    quoted = ",".join(f'"{title}","{code}"' for title, code in columns.items())
    chosen = ["-o", f"gui.column.format:{quoted}", *options]
    if WIRESHARK >= (4, 4):  # its -T fields knows the columns that there always are, and none of one's own
        text = "\n".join(oracle.lines(path, "-T", "psml", *chosen))
        return [list(map(html.unescape, SECTION.findall(packet))) for packet in text.split("<packet>")[1:]]
    wanted = [word for title in columns for word in ("-e", f"_ws.col.{title}")]
    lines = oracle.lines(path, "-T", "fields", "-E", f"separator={SEPARATOR}", *wanted, *chosen)
    return [line.split(SEPARATOR) for line in lines]


def mine(path: Path, columns: dict[str, str], **keywords: Any) -> list[list[str]]:
    with Dissector(path, columns=columns, **keywords) as packets:
        return [[packet.columns[title] for title in (*OWN, *columns)] for packet in packets]


def code_for_tshark(value: str) -> str:
    return value if value.startswith("%") else f"%Cus:{value}:0:R"


@needs_tshark
@pytest.mark.parametrize("path", CAPTURES, ids=lambda path: path.name)
def test_every_format_and_fields_are_as_tshark_shows_them(path: Path) -> None:
    if not path.exists():
        pytest.skip(f"{path.name} is one of the shared captures, which are not here")
    columns = {**formats(), **FIELDS}
    assert len(columns) > 40
    expected = tshark_columns(path, {**OWN, **{title: code_for_tshark(code) for title, code in columns.items()}})
    assert mine(path, columns) == expected
    filled = {title for line in expected for title, text in zip((*OWN, *columns), line, strict=True) if text}
    assert len(filled) > 25


@needs_tshark
@pytest.mark.parametrize("path", CAPTURES[:1] + CAPTURES[-1:], ids=lambda path: path.name)
def test_times_between_frames_do_not_depend_on_when_they_are_asked_for(path: Path) -> None:
    """The frame before is another one by then; with a display filter the one displayed before, too."""
    if not path.exists():
        pytest.skip(f"{path.name} is one of the shared captures, which are not here")
    columns = {"Delta": "%Tt", "Displayed": "%Gt", "Relative": "%Rt"}
    expected = tshark_columns(path, {**OWN, **columns}, "-Y", "udp && frame.number > 1")
    with Dissector(path, columns=columns, display_filter="udp && frame.number > 1") as packets:
        kept = list(packets)
    assert [list(packet.columns.values()) for packet in kept] == expected
    assert mine(path, columns, display_filter="udp && frame.number > 1") == expected


def test_a_worker_and_a_pickle_have_the_same() -> None:
    path = DATA / "tls13_secrets.pcapng"
    assert mine(path, FIELDS, isolated=True) == mine(path, FIELDS)
    with Dissector(path, columns=FIELDS) as packets:
        packet = next(packets)
    assert pickle.loads(pickle.dumps(packet)).columns == packet.columns


def test_they_are_gone_afterwards(demo: str) -> None:
    def titles(**keywords: Any) -> list[str]:
        with Dissector(demo, **keywords) as packets:
            return list(next(packets).columns)

    before = wishpy.preferences("gui.column.format")
    assert titles() == list(OWN)
    assert titles(columns={"One": "%m"}) == [*OWN, "One"]
    assert titles(columns={"Two": "ip.src", "Info": "%p"}) == [*OWN, "Two"]
    with pytest.raises(ValueError):
        Dissector(demo, columns={"Three": "ip.src", "Four": "no.such.field"})
    assert titles() == list(OWN)
    assert wishpy.preferences("gui.column.format") == before


@pytest.mark.parametrize(
    ("value", "nearest"),
    [
        ("htp.host", "'http.host'"),
        ("%Cus:tls.handshake.extension_server_name:0:R", "'tls.handshake.extensions_server_name'"),
        ("%mm", "'%m'"),
        ("%Cus", None),
        ("%Cus:", None),
        ("", None),
        ("ip.src || no.such", None),
        ('%m"', None),
    ],
)
def test_what_is_no_column_is_refused(demo: str, value: str, nearest: str | None) -> None:
    with pytest.raises(ValueError, match=r"columns: .* neither a column's format such as '%t' nor a field") as caught:
        Dissector(demo, columns={"A": value})
    assert repr(value) in str(caught.value) or f"'{value}'" in str(caught.value)
    if nearest is not None:
        assert f"did you mean {nearest}" in str(caught.value)


def test_a_title_may_be_anything(demo: str) -> None:
    for title in ('a "quoted" one', "comma, semicolon; %m", "back\\slash", "Zeit über alles"):
        with Dissector(demo, columns={title: "%m"}) as packets:
            assert next(packets).columns[title] == "1"
