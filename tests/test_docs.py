"""What README.md and docs/ show is what happens: their examples are run, their links lead somewhere."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
# The names that the pages use for a capture of the reader's.
CAPTURES = {
    "capture.pcapng": "demo.pcapng",
    "capture.pcapng.gz": "demo.pcapng.gz",
    "dns.pcap": "dns.pcap",
    "several.pcapng": "several.pcapng",
    "tls.pcapng": "tls13_secrets.pcapng",
    "https.pcapng": "tls13_recorded.pcapng",
    "https.keys": "tls13.keys",
    "wifi.pcap": "../encrypted/wpa.pcap",
}


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


def has_examples(page: Path) -> bool:
    return re.search(r"^```(python|console)$", page.read_text(encoding="utf-8"), re.MULTILINE) is not None


@pytest.fixture
def reader(tmp_path: Path) -> Path:
    """A folder as the reader of a page has it."""
    for name, bundled in CAPTURES.items():
        shutil.copy(ROOT / "tests" / "data" / bundled, tmp_path / name)
    return tmp_path


def run_page(page: Path, folder: Path) -> subprocess.CompletedProcess[str]:
    # the `wishpy` command of this interpreter's own environment comes first
    path = os.pathsep.join([os.path.dirname(sys.executable), os.environ.get("PATH", "")])
    environment = {**os.environ, "PATH": path, "COLUMNS": "100", "TZ": "UTC"}
    script = ROOT / "tests" / "isolated" / "docs_page.py"
    return subprocess.run(
        [sys.executable, script, page], cwd=folder, env=environment, capture_output=True, text=True, timeout=300
    )


@pytest.mark.parametrize("page", [page for page in PAGES if has_examples(page)], ids=name_of)
def test_examples_of(page: Path, reader: Path) -> None:
    done = run_page(page, reader)
    assert done.returncode == 0, done.stdout + done.stderr
    assert int(done.stdout.splitlines()[-1]) > 0


def test_a_wrong_example_is_found(reader: Path) -> None:
    page = reader / "page.md"
    wrong = [("python", "1 + 1   # 3"), ("python", ">>> 1 + 1\n4"), ("python", "1 / 0"), ("console", "$ echo 5\n6")]
    page.write_text("".join(f"```{language}\n{text}\n```\n" for language, text in wrong))
    done = run_page(page, reader)
    assert done.returncode == 1
    for sign in ("says 3, is 2", "Got:\n    2", "ZeroDivisionError", "$ echo 5"):
        assert sign in done.stdout


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_of(page: Path) -> None:
    for link in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
        if "://" not in link:
            target = page.parent / link.partition("#")[0]
            assert target.exists(), f"{name_of(page)} links to {link}"
