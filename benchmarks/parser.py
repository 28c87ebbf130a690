"""How long reading a query takes: `python benchmarks/parser.py` prints a table.

The texts are as long as the service allows, and as hostile as their length permits.
"""

from __future__ import annotations

import platform
import runpy
import statistics
import time
from pathlib import Path

from eks_audit_nb.insights import parse
from eks_audit_nb.insights.parser import MAX_QUERY_LENGTH

RUNS = 9
TEXTS: dict[str, str] = runpy.run_path(str(Path(__file__).parents[1] / "tests" / "long_texts.py"))["TEXTS"]


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
