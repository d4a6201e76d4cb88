"""What a notebook shows of a Packet: every line of it, and nothing that a packet says is taken for HTML."""

from __future__ import annotations

import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
import traffic
from conftest import DATA

import wishpy
from wishpy import html as wishpy_html

ALLOWED = {"div": {"class", "style"}, "details": set(), "summary": set(), "pre": {"style"}, "bdi": set(), "b": set()}
STYLES = {
    "font-family: monospace; white-space: pre-wrap; text-align: left",
    "margin-left: 1.5em",
}


class Strict(HTMLParser):
    """Takes what packet_html writes and nothing else; collects the text of each <bdi>."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.lines: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in ALLOWED, tag
        assert {name for name, _ in attrs} <= ALLOWED[tag]
        assert all(name == "class" or value in STYLES for name, value in attrs)
        self.open.append(tag)
        if tag == "bdi":
            self.lines.append("")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "bdi" in self.open:
            self.lines[-1] += data

    def handle_comment(self, data: str) -> None:
        raise AssertionError("a comment")

    def handle_decl(self, decl: str) -> None:
        raise AssertionError("a declaration")

    def unknown_decl(self, data: str) -> None:
        raise AssertionError("a declaration")

    def handle_pi(self, data: str) -> None:
        raise AssertionError("a processing instruction")


def parse(text: str) -> Strict:
    parser = Strict()
    parser.feed(text)
    parser.close()
    assert parser.open == []
    return parser


def lines_of(packet: wishpy.Packet) -> list[str]:
    def walk(fields: list[wishpy.Field]) -> Any:
        for field in fields:
            if not field.hidden:
                yield f"[{field.text}]" if field.generated else field.text
                yield from walk(field.children)

    return list(walk(packet.tree))


@pytest.mark.parametrize("name", ["demo.pcapng", "tls13_secrets.pcapng", "dns.pcap"])
def test_every_line_is_there_in_order(name: str) -> None:
    with wishpy.Dissector(DATA / name) as packets:
        for packet in packets:
            shown = parse(packet._repr_html_()).lines
            tree = lines_of(packet)
            assert shown[1 : 1 + len(tree)] == tree
            assert shown[1 + len(tree) :] == [source.name for source in packet.data_sources]


HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "</bdi></summary></details></div><iframe src=//evil.example>",
    "'><svg/onload=alert(1)>",
    "<!-- --><![CDATA[x]]><?php ?>",
    "&lt;b&gt; &#60;script&#62; &quot;",
    "\N{RIGHT-TO-LEFT OVERRIDE}reversed",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_stays_text(text: str, tmp_path: Path) -> None:
    request = f"GET /{text} HTTP/1.1\r\nHost: {text}\r\nX-{text}: {text}\r\n\r\n".encode()
    segment = traffic.tcp(4000, 80, 0x18, request)
    path = traffic.write_pcap(
        tmp_path / "hostile.pcap", [traffic.ethernet(traffic.ipv4(6, "192.0.2.1", "192.0.2.2", segment))]
    )
    with wishpy.Dissector(path) as packets:
        packet = next(packets)
    html = packet._repr_html_()
    parsed = parse(html)
    tree = lines_of(packet)
    assert parsed.lines[1 : 1 + len(tree)] == tree
    if "<" in text:
        assert text not in html
        assert any(text.split("=")[0] in line for line in parsed.lines)   # what was sent is shown


def test_a_hostile_name_of_a_source_or_column(demo: str) -> None:
    class Fake:
        number = 1
        tree: list[Any] = []
        columns = {"No.": "1", "<b onclick=x>": "<script>"}
        data_sources = [("<script>alert(1)</script> (3 bytes)", b"<s>")]

    parsed = parse(wishpy_html.packet_html(Fake()))  # type: ignore[arg-type]
    assert parsed.lines[1] == "<script>alert(1)</script> (3 bytes)"


def test_the_page_stays_small(demo: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wishpy_html, "MOST_LINES", 7)
    monkeypatch.setattr(wishpy_html, "MOST_BYTES", 16)
    with wishpy.Dissector(demo) as packets:
        packet = next(packets)
    parsed = parse(packet._repr_html_())
    assert parsed.lines[1:8] == lines_of(packet)[:7]
    assert "packet.show() prints all of it" in packet._repr_html_()
    assert f"{packet.captured_length - 16} bytes more" in packet._repr_html_()


def test_deep_nesting_needs_no_deep_stack(demo: str) -> None:
    class Line:
        hidden = generated = False
        text = "x"

        def __init__(self, children: list[Line]) -> None:
            self.children = children

    line = Line([])
    for _ in range(sys.getrecursionlimit() + 100):
        line = Line([line])

    text = "".join(wishpy_html._tree([line]))  # type: ignore[list-item]
    assert text.count("<details>") == text.count("</details>") == sys.getrecursionlimit() + 100


def test_a_kept_and_a_pickled_packet_show_the_same(demo: str) -> None:
    import pickle

    with wishpy.Dissector(demo) as packets:
        packet = next(packets)
        live = packet._repr_html_()
    assert packet._repr_html_() == live == pickle.loads(pickle.dumps(packet))._repr_html_()
