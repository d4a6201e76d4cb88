"""damaged_captures.py CAPTURE ROUNDS - cut CAPTURE and flip its bytes, ROUNDS times, and use all that can be read."""

from __future__ import annotations

import io
import os
import pickle
import random
import sys
import tempfile
import zlib

import wishpy


def damaged(data: bytes, chance: random.Random) -> bytes:
    twin = bytearray(data)
    kind = chance.randrange(4)
    if kind == 0:
        return bytes(twin[: chance.randrange(1, len(twin))])
    for _ in range(chance.choice([1, 4, 40])):
        at = chance.randrange(len(twin))
        if kind == 1:
            twin[at] ^= 1 << chance.randrange(8)
        else:
            twin[at] = chance.choice([0, 0xFF, 0x7F, 0x80, chance.randrange(256)])
    if kind == 3:
        at = chance.randrange(len(twin))
        del twin[at : at + chance.randrange(1, 16)]
    return bytes(twin)


def main() -> None:
    path, rounds = sys.argv[1], int(sys.argv[2])
    with open(path, "rb") as file:
        whole = file.read()
    chance = random.Random(zlib.crc32(os.path.basename(path).encode()))
    packets = failures = 0
    with tempfile.TemporaryDirectory() as folder:
        twin = os.path.join(folder, "damaged" + os.path.splitext(path)[1])
        for number in range(rounds):
            with open(twin, "wb") as file:
                file.write(damaged(whole, chance))
            options = [{}, {"two_pass": True}, {"fields": ["ip.*", "tcp.port"]}, {"display_filter": "tcp || udp"}][
                number % 4
            ]
            try:
                with wishpy.Dissector(twin, **options) as dissector:
                    for packet in dissector:
                        packets += 1
                        (
                            packet.to_dict(),
                            packet.info,
                            str(packet),
                            packet.to_json(),
                            packet.hexdump(io.StringIO()),
                            packet.expert,
                            packet.follow,
                            packet._repr_html_(),
                            pickle.dumps(packet),
                        )
            except wishpy.FileError as error:
                failures += 1
                assert str(error)
    # damage to a compressed file mostly takes all that follows with it
    assert packets or path.endswith((".gz", ".zst", ".lz4")), "no packet was read at all"
    assert failures, "no damage was seen at all"
    print(f"{packets} packets, {failures} errors in {rounds} rounds")


if __name__ == "__main__":
    main()
