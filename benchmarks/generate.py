"""Makes an audit log of any length: `python benchmarks/generate.py --events 1000000 --out audit.jsonl --gzip`.

The same number of events and seed give the same bytes. The events are laid out as the API server writes them: its order
of keys, `&`, `<` and `>` escaped; 1.8 KB on average, a few up to 200 KB. Of 1,000,000 of them 216 change aws-auth, 120
are failed anonymous requests, and about 5 in 100 are about Secrets.
"""

from __future__ import annotations

import argparse
import gzip
import random
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

from events import aws_auth_changes, everyday, refused_anonymous

START = datetime(2026, 11, 24, 6, tzinfo=UTC)
MICROSECONDS_APART = 16_700  # on average: 1,000,000 events are 278 minutes
CHUNK = 4_000  # events written at once
# How many of a million are changes of aws-auth and failed anonymous requests; of a shorter log at least five each.
A_MILLION, CHANGES, REFUSED, LEAST = 1_000_000, 216, 120, 5


def log(events: int, seed: int) -> Iterator[bytes]:
    """The log in chunks of lines."""
    draw = random.Random(seed)  # noqa: S311  # a log that comes out the same again, and no secret
    mix = everyday(draw)
    rare: dict[int, str] = {}
    for texts, number in ((aws_auth_changes(), CHANGES), (refused_anonymous(), REFUSED)):
        for place in draw.sample(range(events), min(events, max(LEAST, number * events // A_MILLION))):
            rare[place] = draw.choice(texts)
    clock, version = int(START.timestamp() * 1_000_000), 4_000_000
    for begin in range(0, events, CHUNK):
        places = range(begin, min(begin + CHUNK, events))
        lines = []
        for place, text in zip(places, draw.choices(mix.texts, mix.weights, k=len(places)), strict=True):
            clock += draw.randrange(2 * MICROSECONDS_APART)
            version += draw.randrange(9)
            bits = draw.getrandbits(256 + 25)
            identity, uid, short = bits & (1 << 128) - 1, (bits >> 128) & (1 << 128) - 1, bits >> 256
            gaps = {
                "id": uuid_text(identity),
                "uid": uuid_text(uid),
                "short": f"{short:07x}",
                "version": version,
                "second": second_text(clock // 1_000_000) + "Z",
                "received": instant(clock - 900 - (short & 0x3FFF)),
                "stage": instant(clock),
            }
            lines.append(rare.get(place, text) % gaps)
        yield "".join(lines).encode()


def uuid_text(bits: int) -> str:
    """A UUID of version 4."""
    text = f"{bits:032x}"
    return f"{text[:8]}-{text[8:12]}-4{text[13:16]}-a{text[17:20]}-{text[20:]}"


@cache
def second_text(second: int) -> str:
    """A second as RFC 3339 writes it, without the zone."""
    return datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%S")


def instant(microseconds: int) -> str:
    """A time as Go's MicroTime writes it."""
    second, rest = divmod(microseconds, 1_000_000)
    return f"{second_text(second)}.{rest:06}Z"


def write(path: Path, events: int, seed: int, *, zipped: bool) -> None:
    """Write a log, and a gzipped one beside it where that is asked for."""
    with ExitStack() as files:
        plain = files.enter_context(open(path, "wb"))
        if zipped:
            raw = files.enter_context(open(f"{path}.gz", "wb"))
            packed = files.enter_context(gzip.GzipFile("", "wb", 6, raw, mtime=0))  # no name, no time: the same bytes
        for chunk in log(events, seed):
            plain.write(chunk)
            if zipped:
                packed.write(chunk)


def main() -> None:
    """Write one log."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--events", type=int, default=1_000_000, metavar="N")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--gzip", action="store_true", help="write FILE.gz too")
    given = parser.parse_args()
    write(given.out, given.events, given.seed, zipped=given.gzip)


if __name__ == "__main__":
    main()
