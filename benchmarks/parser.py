"""How long reading a query takes: `python benchmarks/parser.py` prints a table.

The texts are as long as the service allows, and as hostile as their length permits.
"""

from __future__ import annotations

import platform
import statistics
import time

from eks_audit_nb.insights import parse
from eks_audit_nb.insights.parser import MAX_QUERY_LENGTH

RUNS = 9
TEXTS = {
    "or chain, terms of 4 characters": "filter " + " or ".join(f"{chr(97 + i % 26)}={i % 10}" for i in range(1400)),
    "and chain over dotted names": "filter " + " and ".join("user.extra.sessionName.0 = 'x'" for _ in range(280)),
    "list of texts": "filter verb in [" + ", ".join(f'"{i:04}"' for i in range(1240)) + "]",
    "one filter a command": " | ".join("filter a = 1" for _ in range(660)),
    "arithmetic in parentheses": "fields " + ", ".join("((a+1)*(b-2))/3 as c" for _ in range(430)),
    "one long text": 'filter @message like "' + "x" * 9970 + '"',
}


def main() -> None:
    """Print the median of some runs for each text."""
    parse("fields @message")  # the grammar is read once
    print(f"Python {platform.python_version()}, median of {RUNS} runs in one process\n")
    print("| text | characters | seconds |\n|---|---:|---:|")
    for name, text in TEXTS.items():
        seconds = []
        for _ in range(RUNS):
            begin = time.perf_counter()
            parse(text[:MAX_QUERY_LENGTH])
            seconds.append(time.perf_counter() - begin)
        print(f"| {name} | {len(text):,} | {statistics.median(seconds):.3f} |")


if __name__ == "__main__":
    main()
