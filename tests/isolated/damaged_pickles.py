"""damaged_pickles.py CAPTURE - change and cut the bytes inside pickled packets; each is refused, or answers something.

Nothing that a pickle holds may crash the process: a pickle can come from a file that was cut short.
"""

from __future__ import annotations

import io
import pickle
import random
import sys
from typing import Any

import wishpy

ROUNDS = 4000


def use(packet: Any) -> None:
    packet.to_dict(), packet.info, packet.data, packet.columns, packet.comment, packet.interface, list(packet.keys())
    str(packet), packet.hexdump(io.StringIO()), packet.to_json(), repr(packet), pickle.dumps(packet)
    packet.expert, packet.follow, packet.data_sources, packet._repr_html_()
    stack = list(packet.layers)
    while stack:
        field = stack.pop()
        field.value, field.text, field.display, field.raw, field.title, field.source, repr(field)
        stack += field.children


def blocks_of(reduced: Any) -> list[bytes]:
    """The bytes objects in what __reduce__ gave."""
    return [part for part in reduced[1] if isinstance(part, (bytes, bytearray))]


def damaged(data: bytes, chance: random.Random) -> bytes:
    twin = bytearray(data)
    kind = chance.randrange(4)
    if kind == 0:
        return bytes(twin[: chance.randrange(len(twin))])
    if kind == 1:
        return bytes(twin) + chance.randbytes(chance.randrange(1, 64))
    for _ in range(chance.choice([1, 1, 2, 8])):
        at = chance.randrange(len(twin)) if kind == 2 else chance.randrange(min(400, len(twin)))
        twin[at] = chance.choice([0, 1, 0x7F, 0x80, 0xFF, chance.randrange(256)])
    return bytes(twin)


def main() -> None:
    with wishpy.Dissector(sys.argv[1]) as dissector:
        packets = list(dissector)
    chance = random.Random(20231114)
    refused = 0
    for number in range(ROUNDS):
        reduced = packets[number % len(packets)].__reduce_ex__(4)
        (block,) = blocks_of(reduced)
        wrong = damaged(block, chance)
        arguments = tuple(wrong if part is block else part for part in reduced[1])
        try:
            use(reduced[0](*arguments))
        except (ValueError, wishpy.Error, MemoryError, TypeError, LookupError, OverflowError):
            refused += 1
    assert refused > ROUNDS // 10, refused
    print(f"{refused} of {ROUNDS} refused")


if __name__ == "__main__":
    main()
