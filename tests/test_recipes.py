"""The recipes of docs/guide/tables.md are run as they stand there, on a real capture, and counted again by tshark."""

from __future__ import annotations

import os
import re
import struct
import zlib
from collections import Counter, defaultdict
from pathlib import Path
from statistics import median
from typing import Any

import oracle
import pytest
from conftest import ROOT, SHARED, needs_tshark

import wishpy

CAPTURE = SHARED / "ndpi" / "iphone.pcap"
PAGE = ROOT / "docs" / "guide" / "tables.md"
RECIPES = dict(re.findall(r"^```python recipe=(\w+)\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL))

pytestmark = [
    needs_tshark,
    pytest.mark.skipif(not CAPTURE.exists(), reason="the shared captures are not here"),
]


def run(recipe: str, **more: Any) -> Any:
    """The value of a recipe, which is one expression."""
    return eval(RECIPES[recipe], {"wishpy": wishpy, "capture": str(CAPTURE), **more})


def tshark(names: list[str], display_filter: str = "") -> list[list[str]]:
    words = [word for name in names for word in ("-e", name)]
    lines = oracle.lines(CAPTURE, "-T", "fields", *words, "-E", "occurrence=f", "-Y", display_filter or "frame")
    return [line.split("\t") for line in lines]


def test_there_are_eight() -> None:
    expected = ["protocols", "dns", "tls", "http", "rtt", "talkers", "traffic", "retransmissions"]
    assert list(RECIPES) == expected


def test_packets_per_protocol() -> None:
    pytest.importorskip("pandas")
    expected = Counter(row[0] for row in tshark(["_ws.col.Protocol"]))
    assert run("protocols").to_dict() == expected and len(expected) > 5


def test_dns_queries() -> None:
    polars = pytest.importorskip("polars")
    expected = Counter(row[0] for row in tshark(["dns.qry.name"], "dns.flags.response == 0"))
    found = run("dns", polars=polars)
    assert dict(found.rows()) == expected and len(expected) > 5
    counts = found["len"].to_list()
    assert counts == sorted(counts, reverse=True)


def test_tls_server_names() -> None:
    pytest.importorskip("pandas")
    name = "tls.handshake.extensions_server_name"
    expected = {tuple(row) for row in tshark(["ip.src", name], name)}
    found = run("tls")
    assert set(found.itertuples(index=False, name=None)) == expected and len(found) == len(expected) > 2


def test_http_hosts() -> None:
    pytest.importorskip("pyarrow")
    rows = tshark(["http.host", "http.request.method", "http.request.uri"], "http.request")
    expected = Counter((host, method) for host, method, _ in rows)
    keys = ("http.host", "http.request.method", "http.request.uri_count")
    found = {(host, method): count for host, method, count in zip(*(run("http")[key].to_pylist() for key in keys))}
    assert found == expected and found


def test_round_trip_time() -> None:
    pytest.importorskip("pandas")
    times = defaultdict(list)
    for stream, rtt in tshark(["tcp.stream", "tcp.analysis.ack_rtt"], "tcp.analysis.ack_rtt"):
        times[int(stream)].append(float(rtt))
    found = run("rtt")
    assert found["count"].to_dict() == {stream: len(values) for stream, values in times.items()}
    assert len(times) > 5
    for stream, values in times.items():
        assert found["median"][stream].total_seconds() == pytest.approx(median(values), abs=1e-6)
        assert found["max"][stream].total_seconds() == pytest.approx(max(values), abs=1e-6)


def test_top_talkers() -> None:
    polars = pytest.importorskip("polars")
    expected: Counter[str] = Counter()
    for source, length in tshark(["ip.src", "frame.len"], "ip"):
        expected[source] += int(length)
    found = run("talkers", polars=polars)
    assert dict(found.rows()) == expected
    assert found["frame.len"][0] == max(expected.values())


def test_traffic_over_time_and_its_plot(tmp_path: Path) -> None:
    pandas = pytest.importorskip("pandas")
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("Agg")
    plot = Path(os.environ.get("WISHPY_KEEP_PLOT", tmp_path / "traffic.png"))
    run("traffic", plot=plot)
    expected: Counter[int] = Counter()
    for time, length in tshark(["frame.time_epoch", "frame.len"]):
        expected[int(time.partition(".")[0])] += int(length)
    table = wishpy.scan(CAPTURE, ["frame.time", "frame.len"]).to_pandas().set_index("frame.time")["frame.len"]
    found = {int(when.timestamp()): int(sum_) for when, sum_ in table.resample("1s").sum().items() if sum_}
    assert found == expected and isinstance(table.index, pandas.DatetimeIndex)
    check_png(plot.read_bytes())


def check_png(data: bytes) -> None:
    """A picture, and one with something in it: lines and letters, not a blank sheet."""
    assert data.startswith(b"\x89PNG\r\n\x1a\n")
    width, height = struct.unpack(">II", data[16:24])
    pixels, at = b"", 8
    while at < len(data):
        (size,), kind = struct.unpack(">I", data[at : at + 4]), data[at + 4 : at + 8]
        pixels += data[at + 8 : at + 8 + size] if kind == b"IDAT" else b""
        at += 12 + size
    raw = zlib.decompress(pixels)
    assert width >= 400 and height >= 300 and len(raw) > width * height
    assert len(set(raw)) > 50


def test_retransmissions() -> None:
    duckdb = pytest.importorskip("duckdb")
    rows = tshark(["tcp.stream", "tcp.analysis.retransmission"], "tcp.analysis.retransmission")
    expected = Counter(int(stream) for stream, _ in rows)
    tcp = wishpy.scan(CAPTURE, ["tcp.stream", "tcp.analysis.retransmission"], display_filter="tcp")
    connection = duckdb.connect()
    connection.register("tcp", tcp)
    found = run("retransmissions", duckdb=type("duckdb", (), {"sql": staticmethod(connection.sql)}))
    assert dict(found.fetchall()) == expected and sum(expected.values()) == 4
