"""Lua and binary plugins: loaded as Wireshark loads them, and not with plugins=False; what versions() tells of them."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import oracle
import pytest
from conftest import SOMEBODY_ELSE, WIRESHARK, Finished, needs_tshark

import wishpy
from wishpy.about import _feature

SCRIPT = """
set_plugin_info({version = "7.8.9"})
local ours = Proto("wishpyours", "Our own protocol")
local first = ProtoField.uint8("wishpyours.first", "First byte")
ours.fields = {first}
function ours.dissector(buffer, pinfo, tree)
    local layer = tree:add(ours, buffer())
    layer:add(first, buffer(0, 1))
end
register_postdissector(ours)
"""


ROOT = os.geteuid() == 0
# From 4.4 Wireshark runs no scripts of root's own.
SCRIPTS_RUN = SOMEBODY_ELSE if ROOT and WIRESHARK >= (4, 4) else []


@pytest.fixture
def home(tmp_path: Path) -> dict[str, str]:
    """The environment of a user with a Lua script in the personal folder of plugins."""
    folder = tmp_path / ".local/lib/wireshark/plugins"
    folder.mkdir(parents=True)
    (folder / "ours.lua").write_text(SCRIPT)
    return {**os.environ, "HOME": str(tmp_path)}


LOOK = """
import sys, wishpy
plugins, isolated = eval(sys.argv[2]), eval(sys.argv[3])
with wishpy.Dissector(sys.argv[1], plugins=plugins, isolated=isolated) as packets:
    print([packet["wishpyours.first"] if "wishpyours" in packet else None for packet in packets])
found = wishpy.versions()["plugins"]
print(any(p.path.endswith("ours.lua") for p in found), any(p.path.endswith(".so") for p in found))
"""


@pytest.mark.parametrize("isolated", ["False", "True"])
@pytest.mark.parametrize("plugins", ["None", "True", "False"])
def test_a_script_dissects_or_is_not_loaded(
    python: Callable[..., Finished], demo: str, home: dict[str, str], plugins: str, isolated: str
) -> None:
    seen, loaded = python(demo, plugins, isolated, code=LOOK, env=home, before=SCRIPTS_RUN).check().splitlines()
    with wishpy.Dissector(demo) as packets:
        first = [packet.data[0] for packet in packets]
    if plugins == "False":
        assert (eval(seen), loaded) == ([None] * len(first), "False False")
    else:
        assert (eval(seen), loaded) == (first, "True True")


def test_a_worker_has_the_plugins_of_its_parent(python: Callable[..., Finished]) -> None:
    """Whoever it becomes: root's environment cannot name a folder of plugins, anybody else's can."""
    code = """
import wishpy
frame = bytes(12) + bytes.fromhex("88a4 0110 0c11 00000000 00000000") + bytes(46)
found = []
for isolated in (False, True):
    with wishpy.Dissector(isolated=isolated) as dissector:
        found.append(dissector.dissect(frame).protocols)
print(found[0] == found[1], "ecatf" in found[0], bool(wishpy.versions()["plugins"]))
"""
    plain = python(code=code).check().split()
    assert plain == ["True", "True", "True"]
    elsewhere = python(code=code, env={**os.environ, "WIRESHARK_PLUGIN_DIR": "/nowhere"}).check().split()
    as_root = str(os.geteuid() == 0)
    assert elsewhere == ["True", as_root, as_root]


@needs_tshark
@pytest.mark.parametrize("user", [[], SOMEBODY_ELSE] if ROOT else [[]], ids=lambda user: user[0] if user else "own")
def test_plugins_are_those_of_tshark(python: Callable[..., Finished], home: dict[str, str], user: list[str]) -> None:
    """But for the codecs: wishpy plays no sound."""
    code = "import json, wishpy; print(json.dumps(wishpy.versions()['plugins']))"
    mine = {tuple(plugin) for plugin in json.loads(python(code=code, env=home, before=user).check())}
    assert oracle.TSHARK is not None
    env = {name: value for name, value in home.items() if name != "LD_PRELOAD"}  # a sanitizer is for this Python alone
    command = [*user, oracle.TSHARK, "-G", "plugins"]
    done = subprocess.run(command, capture_output=True, text=True, env=env, check=True, timeout=120)
    theirs = {tuple(line.split("\t")) for line in done.stdout.splitlines()}
    theirs = {tuple(word.strip() for word in line) for line in theirs}
    assert mine == {line for line in theirs if line[2] != "codec" and "extcap" not in line[3]}
    script = ("ours.lua", "7.8.9", "lua script", f"{home['HOME']}/.local/lib/wireshark/plugins/ours.lua")
    assert (script in mine) == (user == SCRIPTS_RUN or not SCRIPTS_RUN)


def test_the_choice_is_made_once(python: Callable[..., Finished], demo: str) -> None:
    code = """
import sys, wishpy
wishpy.Dissector(sys.argv[1], plugins=False).close()
wishpy.Dissector(sys.argv[1]).close()
wishpy.Dissector(sys.argv[1], plugins=False).close()
wishpy.scan(sys.argv[1], ["ip.src"], plugins=False).head()
for make in (
    lambda: wishpy.Dissector(sys.argv[1], plugins=True),
    lambda: wishpy.Dissector(sys.argv[1], plugins=True, isolated=True),
    lambda: wishpy.scan(sys.argv[1], ["ip.src"], plugins=True),
):
    try:
        make()
    except wishpy.SessionError as error:
        assert "without plugins" in str(error), error
    else:
        raise AssertionError("not refused")
assert not wishpy.versions()["plugins"]
"""
    python(demo, code=code).check()


def test_too_late_is_refused(demo: str) -> None:
    with pytest.raises(wishpy.SessionError, match="with plugins in this process already"):
        wishpy.Dissector(demo, plugins=False)
    with wishpy.Dissector(demo, plugins=True) as packets:
        assert next(packets).number == 1
    with pytest.raises(TypeError, match="plugins must be"):
        wishpy.Dissector(demo, plugins="no")  # type: ignore[arg-type]


def test_the_first_table_decides(python: Callable[..., Finished], demo: str, home: dict[str, str]) -> None:
    code = """
import pickle, sys, wishpy
scan = wishpy.scan(sys.argv[1], ["ip.src"], plugins=False)
assert scan.head().num_rows == 5
assert not wishpy.versions()["plugins"]
open(sys.argv[2], "wb").write(pickle.dumps(scan))
"""
    path = str(Path(home["HOME"]) / "scan.pickle")
    python(demo, path, code=code, env=home).check()
    again = "import pickle, sys; scan = pickle.load(open(sys.argv[1], 'rb')); scan.head(); import wishpy; "
    python(path, code=again + "assert not wishpy.versions()['plugins']", env=home).check()


def test_on_the_command_line(demo: str, home: dict[str, str]) -> None:
    def run(*words: str) -> str:
        command = [*SCRIPTS_RUN, sys.executable, "-m", "wishpy", *words]
        done = subprocess.run(command, capture_output=True, text=True, env=home)
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert '"wishpyours.first"' in run("dissect", demo, "--json", "-c", "1")
    assert '"wishpyours.first"' not in run("dissect", demo, "--json", "-c", "1", "--no-plugins")
    assert run("fields", "wishpyours.*") == "wishpyours.first\tFT_UINT8\tFirst byte\twishpyours\n"
    assert "ours.lua" in run("versions")
    assert "ours.lua" not in run("versions", "--no-plugins")
    assert json.loads(run("versions", "--json"))["plugins"][-1]["name"] == "ours.lua"


# ---- versions


def test_versions() -> None:
    versions = wishpy.versions()
    assert versions["wishpy"] == wishpy.__version__
    assert versions["python"] == sys.version.split()[0]
    assert versions["libwireshark"].rpartition(".")[0] == versions["libwireshark_built"].rpartition(".")[0]
    assert versions["libpcap"][0].isdigit()
    assert versions["glib"].startswith("2.")


@needs_tshark
def test_versions_are_those_that_tshark_reports() -> None:
    versions = wishpy.versions()
    assert oracle.TSHARK is not None
    done = subprocess.run([oracle.TSHARK, "--version"], capture_output=True, text=True, env=oracle.environment())
    text = " ".join(done.stdout.split())
    compiled, _, running = text.partition("Running on")
    assert re.search(rf" {re.escape(versions['libwireshark'])}\.? ", text)
    assert f"with GLib {versions['glib']}" in running
    features: dict[str, Any] = versions["features"]
    assert {"Lua", "GnuTLS"} <= set(features)
    for name, value in features.items():
        if value is False:
            assert f"without {name}" in compiled
        else:
            assert f"with {name}" in compiled
            assert value is True or str(value) in compiled


def test_a_feature_is_taken_apart() -> None:
    assert _feature("+Lua 5.2.4") == ("Lua", "5.2.4")
    assert _feature("+libxml2 2.9.14") == ("libxml2", "2.9.14")
    assert _feature("+GnuTLS 3.7.9 and PKCS #11 support") == ("GnuTLS", "3.7.9 and PKCS #11 support")
    assert _feature("+Kerberos (MIT)") == ("Kerberos", "MIT")
    assert _feature("+brotli") == ("brotli", True)
    assert _feature("-SMI 1.0") == ("SMI 1.0", False)
