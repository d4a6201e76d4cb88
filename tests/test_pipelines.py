"""Whole pipelines: capturer thread, queue, dissector, and a Redis list or an Elasticsearch bulk body at the end."""

from __future__ import annotations

import json
import multiprocessing
import os
import pickle
import queue
import shutil
import socket
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from conftest import DATA, ROOT, SHARED

import wishpy

redis = pytest.importorskip("redis", reason="the redis package is not installed (tests/requirements.txt)")

pytestmark = pytest.mark.filterwarnings("ignore:.*wishpy 0.1:DeprecationWarning")

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)
    from wishpy.libpcap.lib.capturer import WishpyCapturerFileToQueue
    from wishpy.wireshark.lib.dissector import WishpyDissectorQueuePython, cleanup_process, setup_process

EXAMPLES = ROOT / "docs" / "examples"
DEMO = DATA / "demo.pcapng"
# A capture that is long enough for the stages to work side by side; without ../shared the demo has to do.
LONG = SHARED / "ndpi" / "1kxun.pcap"
CAPTURE = LONG if LONG.exists() else DEMO


@pytest.fixture
def process() -> Iterator[None]:
    setup_process()
    yield
    cleanup_process()
    WishpyDissectorQueuePython.set_elasticky(False)


def frames_of(path: Path) -> int:
    with wishpy.Dissector(path) as packets:
        return sum(1 for _ in packets)


class Redis:
    """A server of our own on a free port of the loopback interface; it keeps nothing on disk."""

    def __init__(self, folder: Path) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        program = shutil.which("redis-server")
        assert program is not None
        self.process = subprocess.Popen(
            [program, "--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no",
             "--dir", str(folder)],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip

    def client(self, db: int = 7) -> Any:
        client = redis.Redis(port=self.port, db=db)
        for _ in range(100):
            try:
                client.ping()
                return client
            except redis.ConnectionError:
                assert self.process.poll() is None, "redis-server ended"
                time.sleep(0.05)
        raise AssertionError("redis-server does not answer")

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(10)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Redis]:
    if shutil.which("redis-server") is None:
        pytest.skip("there is no redis-server on this machine")
    server = Redis(tmp_path)
    yield server
    server.stop()


def capture_into(items: Any, path: Path) -> threading.Thread:
    """0.1's capturer in a thread."""
    capturer = WishpyCapturerFileToQueue(str(path), items)
    capturer.open()
    thread = threading.Thread(target=capturer.start)
    thread.start()
    return thread


def documents(items: Any, name: str) -> Iterator[str]:
    for header, _, text in WishpyDissectorQueuePython(items, name).run():
        if header != "stop":
            assert text is not None
            yield text


@pytest.mark.parametrize("make", [queue.Queue, lambda: queue.Queue(4), multiprocessing.Queue], ids=["queue", "4", "mp"])
def test_capturer_queue_dissector(process: None, make: Any) -> None:
    items = make()
    thread = capture_into(items, CAPTURE)
    numbers = [json.loads(text)["frame"]["frame.number"] for text in documents(items, "file")]
    thread.join(10)
    assert numbers == list(range(1, frames_of(CAPTURE) + 1))


def capture_elsewhere(items: Any, path: str) -> None:
    """In another process: the items are pickled on their way."""
    warnings.simplefilter("ignore", DeprecationWarning)
    capturer = WishpyCapturerFileToQueue(path, items)
    capturer.open()
    capturer.start()
    capturer.close()


def test_capturer_in_another_process(process: None) -> None:
    context = multiprocessing.get_context("spawn")
    items = context.Queue()
    other = context.Process(target=capture_elsewhere, args=(items, str(DEMO)))
    other.start()
    texts = list(documents(items, "file"))
    other.join(30)
    assert [json.loads(text)["frame"]["frame.number"] for text in texts] == list(range(1, 14))
    assert other.exitcode == 0


def test_published_to_redis(process: None, server: Redis) -> None:
    """The example that was published with 0.1: elasticky documents on the list packet_queue:NAME of database 7."""
    WishpyDissectorQueuePython.set_elasticky(True)
    client = server.client(db=7)
    items: queue.Queue[Any] = queue.Queue()
    thread = capture_into(items, CAPTURE)
    for text in documents(items, "lo"):
        client.rpush("packet_queue:lo", text)
    thread.join(10)
    frames = [json.loads(text) for text in client.lrange("packet_queue:lo", 0, -1)]
    assert len(frames) == frames_of(CAPTURE)
    assert [frame["frame"]["frame_number"] for frame in frames] == list(range(1, len(frames) + 1))


class RedisQueue:
    """A Redis list as a queue between two programs."""

    def __init__(self, client: Any, name: str) -> None:
        self.client, self.name = client, name

    def put(self, item: Any) -> None:
        self.client.rpush(self.name, pickle.dumps(item))

    def get(self) -> Any:
        return pickle.loads(self.client.blpop(self.name)[1])


def test_a_redis_list_as_the_queue(process: None, server: Redis) -> None:
    thread = capture_into(RedisQueue(server.client(), "frames"), DEMO)
    texts = list(documents(RedisQueue(server.client(), "frames"), "lo"))
    thread.join(10)
    assert len(texts) == 13


def run_example(name: str, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, str(EXAMPLES / name), *arguments], capture_output=True, text=True, timeout=60, cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_redis_example(server: Redis) -> None:
    client = server.client(db=3)
    said = run_example("packets_to_redis.py", "--redis", f"redis://127.0.0.1:{server.port}/3", "--list", "x", str(DEMO))
    assert said == "13 packets in x\n"
    with wishpy.Dissector(DEMO) as packets:
        expected = [json.loads(packet.to_json()) for packet in packets]
    assert [json.loads(text) for text in client.lrange("x", 0, -1)] == expected


def check_bulk(body: str) -> int:
    lines = [json.loads(line) for line in body.splitlines()]
    assert len(lines) % 2 == 0
    for action, document in zip(lines[::2], lines[1::2]):
        assert action == {"index": {"_index": "packets"}}
        assert document["layers"]["frame"]["frame_len"] > 0
        assert document["timestamp"].startswith("2023-11-14T22:13:2")
    return len(lines) // 2


def test_the_elasticsearch_example_prints() -> None:
    assert check_bulk(run_example("packets_to_elasticsearch.py", str(DEMO))) == 13


def test_the_elasticsearch_example_posts() -> None:
    bodies: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            assert self.path == "/_bulk"
            assert self.headers["Content-Type"] == "application/x-ndjson"
            bodies.append(self.rfile.read(int(self.headers["Content-Length"])).decode())
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b'{"errors": false}')

        def log_message(self, *arguments: Any) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        run_example("packets_to_elasticsearch.py", str(DEMO), "--url", f"http://127.0.0.1:{server.server_port}")
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
    assert sum(check_bulk(body) for body in bodies) == 13
