"""What `make demo` shows: the packets of a capture in a line each, one of them in full, and a display filter.

usage: demo.py CAPTURE NUMBER FILTER FIELD FIELD

Each step is printed as it would be typed, and the very text that is printed is run.
"""

from __future__ import annotations

import sys
from typing import Any

STEPS = """\
import wishpy
packets = list(wishpy.Dissector({capture!r}))
for p in packets: print(f"{{p.number:3}} {{p.source:>18}} → {{p.destination:18}} {{p.protocol:6}} {{p.info}}")

packets[{index}].show()

found = wishpy.Dissector({capture!r}, display_filter={filter!r})
for p in found: print(p.number, p.time, p[{fields[0]!r}], p.get_all({fields[1]!r}))
"""


def main() -> None:
    capture, number, display_filter, *fields = sys.argv[1:]
    namespace: dict[str, Any] = {}
    text = STEPS.format(capture=capture, index=int(number) - 1, filter=display_filter, fields=fields)
    for line in text.splitlines():
        print(f">>> {line}" if line else "")
        exec(line, namespace)


if __name__ == "__main__":
    main()
