"""A heap for dissecting: glibc's malloc takes its tunables at a program's start alone, so only a program of our own can
have them: a worker, and the `wishpy` command."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Sequence

_MARK = "WISHPY_HEAP"   # set: this program was started with the tunables, whether the system heeded them or not
_WORTH_IT = 4 << 20     # bytes of capture from which on a second start of Python, 20 ms, is won back


_TUNABLES = {
    "hugetlb": 1,  # huge pages, where the system has some to give
    "tcache_count": 2000,  # freed pieces of a size at hand; seven otherwise
    # What is freed is soon wanted again. Given back to the system it would come as an empty page, to be cleared first.
    "mmap_threshold": 32 << 20,
    "trim_threshold": 64 << 20,
    "top_pad": 16 << 20,
}


def environment() -> dict[str, str]:
    """The environment with a heap for dissecting, which is allocating, and takes a tenth less time so."""
    ours = [f"glibc.malloc.{name}={value}" for name, value in _TUNABLES.items()]
    tunables = [os.environ.get("GLIBC_TUNABLES", ""), *ours]
    return {**os.environ, "GLIBC_TUNABLES": ":".join(filter(None, tunables)), _MARK: "1"}


def start_anew(words: Sequence[str]) -> None:
    """Become this very command again, with such a heap, where one of its words is a capture that is worth it."""
    if _MARK in os.environ or "glibc.malloc" in os.environ.get("GLIBC_TUNABLES", ""):
        return
    if sys.platform != "linux" or not sys.executable or not any(map(_is_large, words)):
        return
    try:
        os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], environment())
    except OSError:
        pass   # then with the heap that there is


def _is_large(word: str) -> bool:
    try:
        facts = os.stat(word)
    except (OSError, ValueError):
        return False
    return stat.S_ISREG(facts.st_mode) and facts.st_size >= _WORTH_IT
