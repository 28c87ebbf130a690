"""How long a question about an audit file takes without preparation: `python benchmarks/scan.py` prints two tables.

Every engine answers the same questions about the same file, in a process of its own, one engine after the other in each
round. All answers have to be the same; one that differs ends everything.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import measure
from peers import jq_lines, project
from peers.common import QUESTIONS, Report


def _script(module: str, *arguments: str) -> Callable[[Path, str], list[str]]:
    """The command of a peer that is a Python module and prints its report."""
    return lambda path, name: [sys.executable, "-m", f"peers.{module}", str(path), name, *arguments]


def _printed(output: bytes, _: str) -> Report:
    report: Report = json.loads(output)
    return report


class Engine(NamedTuple):
    """Who answers.

    Attributes:
        name: For the table.
        command: What answers a question (by its letter) about a file.
        read: The report on what the command printed.
        needs: The module without which it is left out.
        questions: The letters of those that it is asked.
        forms: "plain", "gzipped" or both.
        is_whole: Whether the seconds of its whole process mean anything.
    """

    name: str
    command: Callable[[Path, str], list[str]]
    read: Callable[[bytes, str], Report] = _printed
    needs: str = ""
    questions: str = "".join(QUESTIONS)
    forms: tuple[str, ...] = ("plain", "gzipped")
    is_whole: bool = True

    def is_there(self) -> bool:
        """Whether what it needs is installed."""
        return (
            bool(jq_lines.jq_version()) if self.needs == "jq" else not self.needs or find_spec(self.needs) is not None
        )


# A further way to read, of the project too, is a line here.
ENGINES = (
    Engine("eks-audit query", project.command, project.read),
    Engine("connect(...).run(...)", _script("project"), is_whole=False),
    Engine("DuckDB by hand", _script("duckdb_by_hand"), needs="duckdb"),
    Engine("DuckDB by hand, contains first", _script("duckdb_by_hand", "prefilter"), needs="duckdb", questions="abc"),
    Engine("pysimdjson, lazy", _script("simdjson_lazy"), needs="simdjson"),
    Engine("orjson", _script("orjson_lines"), needs="orjson"),
    Engine("json, literal first", _script("json_prefilter")),
    Engine("json, literal first, isal", _script("json_prefilter", "isal"), needs="isal", forms=("gzipped",)),
    Engine("jq", jq_lines.command, jq_lines.read, needs="jq"),
)


class Taken(NamedTuple):
    """What one run took."""

    seconds: float
    scan_seconds: float | None
    cpu_seconds: float
    megabytes: float


Results = dict[tuple[str, str, str], list[Taken]]  # by form, engine and question


def main() -> None:
    """Measure and print."""
    given = _arguments()
    machine = measure.machine()  # before this script makes it busy itself
    with measure.log(given.file, given.events) as path:
        files = measure.files_of(path, given.forms)
        chosen = [
            engine for engine in ENGINES if any(part in engine.name for part in given.engines) and _is_there(engine)
        ]
        results = _measure(files, chosen, given.questions, given.runs)
        sizes = {form: file.stat().st_size for form, file in files.items()}
    print(f"{machine}; {_versions()}.")
    print("\n".join(_tables(results, chosen, sizes, given.questions, given.runs)))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--events", type=int, default=1_000_000, metavar="N", help="how many to make")
    parser.add_argument("--file", type=Path, help="take this file of generate.py, and FILE.gz, instead of making one")
    parser.add_argument("--runs", type=int, default=3, metavar="N")
    parser.add_argument("--engines", nargs="+", default=[""], metavar="NAME", help="parts of names; all by default")
    parser.add_argument("--questions", default="".join(QUESTIONS), help="letters; all by default")
    parser.add_argument("--forms", nargs="+", choices=("plain", "gzipped"), default=["plain", "gzipped"])
    return parser.parse_args()


def _is_there(engine: Engine) -> bool:
    if not engine.is_there():
        print(f"{engine.name} is left out: {engine.needs} is not installed.", file=sys.stderr)
        return False
    return True


def _measure(files: dict[str, Path], engines: list[Engine], questions: str, runs: int) -> Results:
    results: Results = defaultdict(list)
    answers: dict[str, tuple[str, Report]] = {}
    for number in range(runs):
        for form, name, engine in _turns(files, engines, questions):
            print(f"round {number + 1}, {form}, {name}, {engine.name}", file=sys.stderr)
            with tempfile.TemporaryDirectory() as cache:  # nothing is left from one run for the next
                os.environ["EKS_AUDIT_CACHE"] = cache
                run = measure.run(engine.command(files[form], name))
            report = engine.read(run.output, name)
            _compare(answers, name, f"{engine.name}, {form}", report)
            results[form, engine.name, name].append(
                Taken(run.seconds, report["scan_seconds"], run.cpu_seconds, run.megabytes)
            )
    return results


def _turns(files: dict[str, Path], engines: list[Engine], questions: str) -> Iterator[tuple[str, str, Engine]]:
    for form in files:
        for name in questions:
            for engine in engines:
                if form in engine.forms and name in engine.questions:
                    yield form, name, engine


def _compare(answers: dict[str, tuple[str, Report]], name: str, who: str, report: Report) -> None:
    first, expected = answers.setdefault(name, (who, report))
    if (report["answer_hash"], report["count"]) != (expected["answer_hash"], expected["count"]):
        sys.exit(f"Question {name}: {who} gives {report['count']:,} rows, not the {expected['count']:,} of {first}.")
    if not report["count"]:
        sys.exit(f"Question {name}: {who} gives no row, so that nothing is compared.")


# --- tables ---------------------------------------------------------------------------------------------------------


def _versions() -> str:
    packages = measure.versions("eks-audit-nb", "duckdb", "pysimdjson", "orjson", "isal")
    return ", ".join(filter(None, (packages, jq_lines.jq_version())))


def _tables(results: Results, engines: list[Engine], sizes: dict[str, int], questions: str, runs: int) -> Iterator[str]:
    yield f"Runs: {runs} of each, of which the medians; files in the page cache. Seconds of the whole process, in"
    yield "brackets those of the scan in it. CPU: seconds of all cores, for the first question. MB: the most memory of"
    yield f"one process at any of the questions (less than {measure.floor():.0f} cannot be seen)."
    yield ""
    yield from (f"- {name}: {QUESTIONS[name].title}" for name in questions)
    for form, size in sizes.items():
        yield f"\n{form}, {size / 1e6:,.1f} MB\n"
        yield f"| engine | {' | '.join(questions)} | CPU | MB |"
        yield f"|---|{'---:|' * (len(questions) + 2)}"
        for engine in engines:
            taken = {name: found for name in questions if (found := results.get((form, engine.name, name)))}
            if taken:
                yield f"| {engine.name} | {' | '.join(_cells(engine, taken, questions))} |"


def _cells(engine: Engine, taken: dict[str, list[Taken]], questions: str) -> Iterator[str]:
    for name in questions:
        yield _seconds(engine, taken.get(name, []))
    first = taken.get(questions[0], [])
    yield f"{statistics.median(each.cpu_seconds for each in first):.2f}" if first and engine.is_whole else ""
    yield f"{max(statistics.median(each.megabytes for each in runs) for runs in taken.values()):,.0f}"


def _seconds(engine: Engine, taken: list[Taken]) -> str:
    if not taken:
        return ""
    whole = f"{statistics.median(each.seconds for each in taken):.2f}" if engine.is_whole else ""
    scans = [each.scan_seconds for each in taken if each.scan_seconds is not None]
    return f"{whole} ({statistics.median(scans):.2f})".strip() if scans else whole


if __name__ == "__main__":
    main()
