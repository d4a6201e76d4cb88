"""Write packets as bodies for Elasticsearch's bulk interface: an index line and a document for each.

    packets_to_elasticsearch.py FILE > bulk.ndjson
    packets_to_elasticsearch.py FILE --url http://localhost:9200

Without --url the lines go to standard output; with it they are posted to URL/_bulk, some megabytes at a time. The
documents have native numbers and times, and underscores for the dots in the names, so that a mapping stays flat.
`wishpy dissect FILE -T ek` prints what `tshark -T ek` does instead: every value a string, indices by day.
"""

import argparse
import json
import sys
import urllib.request
from collections.abc import Iterator

import wishpy


def underscored(value):
    """The same document with underscores for the dots in its names."""
    if isinstance(value, dict):
        return {name.replace(".", "_"): underscored(item) for name, item in value.items()}
    if isinstance(value, list):
        return [underscored(item) for item in value]
    return value


def bulk_lines(path: str, index: str, display_filter: str | None = None) -> Iterator[str]:
    """An index line and a document line for each packet."""
    action = json.dumps({"index": {"_index": index}})
    with wishpy.Dissector(path, display_filter=display_filter) as packets:
        for packet in packets:
            time = packet.time
            document = {
                "timestamp": None if time is None else time.isoformat(),
                "protocols": packet.protocols,
                "layers": underscored(json.loads(packet.to_json())),
            }
            yield f"{action}\n{json.dumps(document)}\n"


def post(url: str, body: str) -> None:
    """Send one bulk body; an answer that tells of errors ends the program."""
    request = urllib.request.Request(
        f"{url.rstrip('/')}/_bulk", body.encode(), {"Content-Type": "application/x-ndjson"}, method="POST"
    )
    with urllib.request.urlopen(request) as answer:
        if json.load(answer).get("errors"):
            sys.exit("Elasticsearch refused some of the documents")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file", metavar="FILE")
    parser.add_argument("--url", help="of an Elasticsearch server")
    parser.add_argument("--index", default="packets")
    parser.add_argument("-Y", dest="display_filter", metavar="FILTER", help="only packets that match")
    options = parser.parse_args()
    body = ""
    for lines in bulk_lines(options.file, options.index, options.display_filter):
        if options.url is None:
            sys.stdout.write(lines)
            continue
        body += lines
        if len(body) > 4_000_000:
            post(options.url, body)
            body = ""
    if body:
        post(options.url, body)


if __name__ == "__main__":
    main()
