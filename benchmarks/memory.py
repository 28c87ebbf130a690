"""How much memory a question about raw files needs, as they grow: `python benchmarks/memory.py` prints a table.

A folder of hard links to one file stands for more files of the same kind; some lines of 1 MB are among them. Of rows
the newest 100 are asked, so that the answer stays as it is.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path

import measure
from peers.common import QUESTIONS

_LONG_LINES, _LONG_BYTES = 5, 1_000_000


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--events", type=int, default=1_000_000, metavar="N", help="how many to make")
    parser.add_argument("--file", type=Path, help="take this file of generate.py, and FILE.gz, instead of making one")
    parser.add_argument("--copies", type=int, nargs="+", default=[1, 11, 28], help="1,780 MB each: 2, 20 and 50 GB")
    parser.add_argument("--questions", default="ac", help="letters")
    parser.add_argument("--forms", nargs="+", choices=("plain", "gzipped"), default=["plain", "gzipped"])
    given = parser.parse_args()
    with measure.log(given.file, given.events) as path, tempfile.TemporaryDirectory(dir=path.parent) as folder:
        os.environ["EKS_AUDIT_CACHE"] = str(Path(folder, "cache"))
        print(f"{measure.machine()}; {measure.versions('eks-audit-nb', 'duckdb')}. The whole process.\n")
        print("| question | form | files | GB of text | seconds | memory MB |\n|---|---|---:|---:|---:|---:|")
        for form, file in measure.files_of(path, given.forms).items():
            for copies in given.copies:
                logs = _links(file, Path(folder, f"{form}-{copies}"), copies)
                for name in given.questions:
                    program = str(Path(sys.executable).with_name("eks-audit"))
                    text = QUESTIONS[name].text.replace("limit 10000", "limit 100")
                    run = measure.run([program, "query", str(logs), text, "--format", "jsonl"])
                    size = (path.stat().st_size * copies + _LONG_LINES * _LONG_BYTES) / 1e9
                    cells = f"{copies + 1} | {size:.1f} | {run.seconds:.1f} | {run.megabytes:,.0f}"
                    print(f"| {QUESTIONS[name].title} | {form} | {cells} |", flush=True)


def _links(file: Path, folder: Path, copies: int) -> Path:
    folder.mkdir()
    suffix = "".join(file.suffixes)
    for number in range(copies):
        os.link(file, folder / f"{number:03}{suffix}")
    _write_long_lines(folder / "long.jsonl")
    return folder


def _write_long_lines(path: Path) -> None:
    event = (
        '{{"kind":"Event","apiVersion":"audit.k8s.io/v1","level":"Request","auditID":"long-{number}",'
        '"stage":"ResponseComplete","requestURI":"/api/v1/namespaces/default/configmaps","verb":"create",'
        '"user":{{"username":"system:admin"}},"sourceIPs":["198.51.100.7"],'
        '"objectRef":{{"resource":"secrets","namespace":"default"}},"responseStatus":{{"code":201}},'
        '"requestObject":{{"kind":"Secret","note":"{filling}"}},'
        '"requestReceivedTimestamp":"2026-11-24T06:00:00.000000Z","stageTimestamp":"2026-11-24T06:00:00.100000Z"}}\n'
    )
    with path.open("w", encoding="utf-8") as out:
        for number in range(_LONG_LINES):
            out.write(event.format(number=number, filling="x" * _LONG_BYTES))


if __name__ == "__main__":
    main()
