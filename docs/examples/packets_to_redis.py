"""Dissect packets and push each as a JSON document onto a Redis list.

    packets_to_redis.py [--redis redis://localhost:6379/7] [--list packet_queue:eth0] INTERFACE-OR-FILE

Needs the redis package. Read the documents back with `redis-cli -n 7 lrange packet_queue:eth0 0 -1`.
"""

import argparse
import os

import redis

import wishpy


def publish(source: str, client: redis.Redis, name: str, display_filter: str | None = None) -> int:
    """Push every packet onto the list; returns how many there were."""
    is_file = os.path.exists(source)
    count = 0
    with wishpy.Dissector(source if is_file else wishpy.Capturer(source), display_filter=display_filter) as packets:
        for packet in packets:
            client.rpush(name, packet.to_json())
            count += 1
    return count


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("source", metavar="INTERFACE-OR-FILE")
    parser.add_argument("--redis", default="redis://localhost:6379/7", metavar="URL")
    parser.add_argument("--list", metavar="NAME", help="default: packet_queue:INTERFACE-OR-FILE")
    parser.add_argument("-Y", dest="display_filter", metavar="FILTER", help="only packets that match")
    options = parser.parse_args()
    name = options.list or f"packet_queue:{options.source}"
    count = publish(options.source, redis.Redis.from_url(options.redis), name, options.display_filter)
    print(f"{count} packets in {name}")


if __name__ == "__main__":
    main()
