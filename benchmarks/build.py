"""What it costs to make an audit file fast to ask: `python benchmarks/build.py` prints a table.

DuckDB by hand copies the lines and their most asked fields into Parquet; the project builds its case.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import measure

FIELDS = (
    "verb",
    "stage",
    "level",
    "auditID",
    "requestURI",
    "user.username",
    "user.uid",
    "user.groups.0",
    "user.extra.arn.0",
    "user.extra.canonicalArn.0",
    "user.extra.accessKeyId.0",
    "user.extra.sessionName.0",
    "sourceIPs.0",
    "userAgent",
    "objectRef.resource",
    "objectRef.namespace",
    "objectRef.name",
    "objectRef.subresource",
    "objectRef.apiGroup",
    "responseStatus.code",
    "stageTimestamp",
    "requestReceivedTimestamp",
    'annotations."authorization.k8s.io/decision"',
    'annotations."authorization.k8s.io/reason"',
)


def copy_by_hand(path: Path, out: Path, *, in_order: bool = True) -> None:
    """One COPY of DuckDB: a column a field, and the line."""
    import duckdb

    columns = ", ".join(f"found[{place}] AS {_quoted(name)}" for place, name in enumerate(FIELDS, 1))
    config: dict[str, Any] = {"autoinstall_known_extensions": False, "autoload_known_extensions": False}
    config["preserve_insertion_order"] = in_order
    with duckdb.connect(":memory:", config=config) as connection:
        connection.execute(
            f"""COPY (
                SELECT {columns}, line
                FROM (
                    SELECT json AS line, TRY(json_extract_string(json, $paths)) AS found
                    FROM read_json_objects($path, format = 'newline_delimited', ignore_errors = true)
                )
            ) TO '{out / "events.parquet"}' (FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE 30720)""",  # noqa: S608  # our own text
            {"paths": [_path(name) for name in FIELDS], "path": str(path)},
        )


def copy_in_any_order(path: Path, out: Path) -> None:
    """The same without keeping the order of the lines, which needs less memory."""
    copy_by_hand(path, out, in_order=False)


def build_case(path: Path, out: Path) -> None:
    """The project's own way: `eks-audit collect`, without the hashes that a cached case has not either."""
    from eks_audit_nb.case.writer import write_case

    write_case([path], out, str(path), with_hashes=False)


# A further way to build is a line here.
BUILDS: dict[str, Callable[[Path, Path], None]] = {
    "eks-audit": build_case,
    "DuckDB by hand": copy_by_hand,
    "DuckDB by hand, in any order": copy_in_any_order,
}


def _quoted(name: str) -> str:
    return '"' + name.replace('"', "") + '"'


def _path(name: str) -> str:
    """The JSON path of a dotted name; a number is a place in a list."""
    return "$." + (name if '"' in name else name.replace(".0", "[0]"))


def main() -> None:
    """Measure and print, or build once where a build is named."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--events", type=int, default=1_000_000, metavar="N", help="how many to make")
    parser.add_argument("--file", type=Path, help="take this file of generate.py, and FILE.gz, instead of making one")
    parser.add_argument("--runs", type=int, default=3, metavar="N")
    parser.add_argument("--once", nargs=3, metavar=("BUILD", "FILE", "FOLDER"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.once:
        _build_once(*given.once)
        return
    with measure.log(given.file, given.events) as path:
        _measure(path, given.runs)


def _build_once(name: str, path: str, folder: str) -> None:
    BUILDS[name](Path(path), Path(folder))


def _measure(path: Path, runs: int) -> None:
    taken: dict[tuple[str, str], list[tuple[float, float, float, int]]] = defaultdict(list)
    machine = measure.machine()
    files = measure.files_of(path, ("plain", "gzipped"))
    for _ in range(runs):
        for form, file in files.items():
            for name in BUILDS:
                with tempfile.TemporaryDirectory() as out:
                    run = measure.run([sys.executable, "build.py", "--once", name, str(file), out])
                    size = sum(each.stat().st_size for each in Path(out).rglob("*") if each.is_file())
                taken[name, form].append((run.seconds, run.cpu_seconds, run.megabytes, size))
    versions = measure.versions("eks-audit-nb", "duckdb")
    print(f"{machine}; {versions}. Runs: {runs} of each, of which the medians. CPU: seconds of all cores.")
    print(f"Of {path.stat().st_size / 1e6:,.1f} MB; by hand {len(FIELDS)} fields and the line.\n")
    print("| build | from | seconds | CPU | memory MB | on disk MB | of the plain file |")
    print("|---|---|---:|---:|---:|---:|---:|")
    for (name, form), each in taken.items():
        seconds, cpu_seconds, megabytes, size = (statistics.median(values) for values in zip(*each, strict=True))
        cost = f"{seconds:.1f} | {cpu_seconds:.1f} | {megabytes:,.0f}"
        print(f"| {name} | {form} | {cost} | {size / 1e6:,.1f} | {size / path.stat().st_size:.0%} |")


if __name__ == "__main__":
    main()
