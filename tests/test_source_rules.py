"""The rules of the C sources, read from their text: what may include what, and what epan's exceptions forbid."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from conftest import ROOT

CSRC = ROOT / "csrc"
SOURCES = sorted(path for path in CSRC.rglob("*.[ch]"))
INCLUDE = re.compile(r'^\s*#\s*include\s+([<"])([^>"]+)[>"]', re.MULTILINE)

# Which folder may include which others' headers.
MAY_INCLUDE = {
    "engine": {"engine"},
    "common": {"common", "engine"},
    "epan": {"epan", "common", "engine"},
    "pcap": {"pcap", "common", "engine"},
}
# All that csrc/pcap may take of the engine: no word of libwireshark.
PCAP_ENGINE = {"pcap_handle.h", "source_live.h", "status.h", "record.h", "field.h", "source.h", "sink.h"}

pytestmark = pytest.mark.skipif(not CSRC.is_dir(), reason="the sources are not here")


def name_of(path: Path) -> str:
    return str(path.relative_to(CSRC))


def folder_of(path: Path) -> str:
    return path.relative_to(CSRC).parts[0]


def without_comments(text: str) -> str:
    """Comments, strings and character constants blanked; line numbers stay."""
    pattern = re.compile(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])+\'', re.DOTALL)
    return pattern.sub(lambda match: re.sub(r"[^\n]", " ", match[0]), text)


def code(path: Path) -> str:
    return without_comments(path.read_text())


def includes(path: Path) -> list[tuple[str, str]]:
    return INCLUDE.findall(path.read_text())


def test_there_are_sources() -> None:
    assert {"engine", "common", "epan"} <= {folder_of(path) for path in SOURCES}


@pytest.mark.parametrize("path", [path for path in SOURCES if folder_of(path) == "engine"], ids=name_of)
def test_the_engine_knows_no_python(path: Path) -> None:
    assert "Python.h" not in [name for _, name in includes(path)]
    assert not re.search(r"\bPy[A-Z_]\w+", code(path))


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_includes_point_one_way(path: Path) -> None:
    for kind, name in includes(path):
        if kind == "<":
            continue
        target = (path.parent / name).resolve()
        assert target.is_file(), f"{name} is not there"
        folder = folder_of(target)
        assert folder in MAY_INCLUDE[folder_of(path)], f"{name} is not for {folder_of(path)}/"
        if folder_of(path) == "pcap" and folder == "engine":
            assert target.name in PCAP_ENGINE, f"csrc/pcap must not know {name}"


WIRESHARK = re.compile(r"^(epan|wiretap|wsutil|wireshark|ws_version|config)\b|^(ws_|wtap|ftypes)")


@pytest.mark.parametrize("path", [path for path in SOURCES if folder_of(path) in ("common", "pcap")], ids=name_of)
def test_no_wireshark_outside_of_epan_and_engine(path: Path) -> None:
    assert not [name for kind, name in includes(path) if kind == "<" and WIRESHARK.match(name)]


@pytest.mark.parametrize("path", [path for path in SOURCES if path.name != "ws_compat.h"], ids=name_of)
def test_wireshark_versions_are_known_to_one_header(path: Path) -> None:
    found = re.findall(r"\b(?:WIRESHARK_VERSION_\w+|VERSION_M(?:AJOR|INOR)|WS_VERSION|WS_AT|WSC_WS_VER)\b", code(path))
    conditional = [
        line
        for line in code(path).splitlines()
        if re.match(r"\s*#\s*(?:if|elif)", line) and "VERSION" in line and "PY_VERSION" not in line
    ]
    assert not conditional
    assert set(found) <= (
        {"WS_VERSION", "WIRESHARK_VERSION_MAJOR", "WIRESHARK_VERSION_MINOR"} if path.name == "library.c" else set()
    ), found


TRY = re.compile(r"\b(?:WSC_)?TRY\b")
END = re.compile(r"\b(?:ENDTRY|WSC_END(?:TRY)?)\b")


def try_blocks(path: Path) -> list[str]:
    """The text of each TRY ... ENDTRY, macros' own definitions aside."""
    text = re.sub(r"^\s*#\s*define(?:[^\n]*\\\n)*[^\n]*", "", code(path), flags=re.MULTILINE)
    blocks, at = [], 0
    while match := TRY.search(text, at):
        end = END.search(text, match.end())
        assert end is not None, f"{path.name}: TRY without ENDTRY"
        blocks.append(text[match.end() : end.start()])
        at = end.end()
    return blocks


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_nothing_leaves_a_try_block(path: Path) -> None:
    """TRY is setjmp: a return or goto out of it leaves epan's stack of handlers pointing into a dead frame."""
    for block in try_blocks(path):
        assert not re.search(r"\b(?:return|goto|longjmp)\b", block), block
        assert not re.search(r"\bPy[A-Z_]\w+\s*\(", block), f"a Python call inside TRY: {block}"


# Where epan's exceptions may be caught: the way in, and what formats or reads a value, which can throw on its own.
TRY_USERS = """
    library.c session.c field_value.c packet_tree.c registry.c json_writer.c column_writer.c settings.c display_filter.c
    writer.c
""".split()


def test_try_is_where_it_may_be() -> None:
    users = {path.name for path in SOURCES if path.name != "ws_compat.h" and try_blocks(path)}
    assert users <= set(TRY_USERS), users


def test_the_rule_sees_a_return() -> None:
    text = "TRY { x(); /* return */ } CATCH_ALL { return 1; } ENDTRY;"
    clean = without_comments(text)
    assert "/* return */" not in clean
    assert len(re.findall(r"\breturn\b", clean)) == 1


FUNCTION = re.compile(r"^(?:[a-zA-Z_][\w \*]*\s)?\*?(\w+)\([^;{}]*\)\n\{\n(.*?)^\}", re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("path", [path for path in SOURCES if path.suffix == ".c"], ids=name_of)
def test_functions_are_short(path: Path) -> None:
    """Past about 60 lines there is a second idea in it."""
    long = {match[1]: match[2].count("\n") for match in FUNCTION.finditer(code(path)) if match[2].count("\n") > 65}
    assert not long


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_each_file_opens_with_its_contract(path: Path) -> None:
    first = path.read_text().lstrip()
    assert first.startswith(f"/* {path.name} - "), first[:80]


@pytest.mark.parametrize("path", [path for path in SOURCES if folder_of(path) != "engine"], ids=name_of)
def test_no_python_type_is_static(path: Path) -> None:
    assert not re.search(r"\bstatic\s+PyTypeObject\b", code(path))
    assert not re.search(r"^static\s+PyObject\s*\*\s*\w+\s*(?:=[^;(]*)?;", code(path), re.MULTILINE), (
        "a static PyObject"
    )
