"""The `eks-audit` command: data goes to standard output, everything else to standard error.

Exit codes: 0 done, 1 an error (of usage too), 3 the answer is incomplete.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn

from eks_audit_nb.errors import EksAuditError, ParameterError, SourceError

DONE, ERROR, INCOMPLETE = 0, 1, 3

_SOURCE_HELP = '"sample", a file, a folder, a glob in quotes, or cloudwatch:CLUSTER'
_TIME_HELP = "-24h, 2026-11-24, 2026-11-24T22:30:00Z or now; always UTC"


class _Parser(argparse.ArgumentParser):
    """argparse exits with 2 on a wrong call; here 2 means findings."""

    def error(self, message: str) -> NoReturn:
        self.print_usage(sys.stderr)
        print(f"eks-audit: {message}", file=sys.stderr)
        sys.exit(ERROR)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; gives the exit code."""
    parser = build_parser()
    given = parser.parse_args(join_times(sys.argv[1:] if arguments is None else arguments))
    command: Callable[[argparse.Namespace], int] = given.command
    try:
        return command(given)
    except EksAuditError as error:
        print(f"eks-audit: {error}", file=sys.stderr)
        return ERROR
    except KeyboardInterrupt:
        print("eks-audit: interrupted", file=sys.stderr)
        return ERROR
    except BrokenPipeError:
        # The reader of the output has gone, as in `eks-audit query ... | head`.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return DONE


def join_times(arguments: Sequence[str]) -> list[str]:
    """`--start -24h` as `--start=-24h`: argparse would take -24h for an option."""
    joined: list[str] = []
    for argument in arguments:
        if joined and joined[-1] in ("--start", "--end") and not argument.startswith("--"):
            joined[-1] += f"={argument}"
        else:
            joined.append(argument)
    return joined


def build_parser() -> argparse.ArgumentParser:
    """All commands and their arguments."""
    parser = _Parser(
        prog="eks-audit",
        description="Ask Amazon EKS audit logs who did what, from where, with which credential, and why.",
        epilog='Start with: eks-audit report sample; eks-audit query sample "fields @timestamp, verb | limit 5"',
    )
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND", parser_class=_Parser)

    report = commands.add_parser("report", help="run notebooks over a source and write HTML reports")
    report.add_argument("source", metavar="SOURCE", help=_SOURCE_HELP)
    report.add_argument("notebooks", metavar="NOTEBOOK", nargs="*", help="names or numbers, such as 02; all by default")
    report.add_argument("--out", metavar="DIR", default="report", help="folder for the reports (default: report)")
    report.add_argument("--workers", metavar="N", type=int, help="notebooks at once (default: one a processor)")
    _add_window(report)
    report.set_defaults(command=_report)

    query = commands.add_parser("query", help="answer one query and print the rows")
    query.add_argument("source", metavar="SOURCE", help=_SOURCE_HELP)
    query.add_argument("query", metavar="QUERY", help="a name from `eks-audit queries`, a file, or Insights text")
    query.add_argument("--format", choices=("table", "csv", "jsonl"), default="table", help="default: table")
    _add_window(query)
    query.set_defaults(command=_query)

    queries = commands.add_parser("queries", help="the queries that ship, or the whole of one")
    queries.add_argument("name", metavar="NAME", nargs="?")
    queries.set_defaults(command=_queries)

    notebooks = commands.add_parser("notebooks", help="the notebooks that ship, or the whole of one")
    notebooks.add_argument("name", metavar="NAME", nargs="?")
    notebooks.set_defaults(command=_notebooks)

    lab = commands.add_parser("lab", help="open JupyterLab on a working copy of the notebooks")
    lab.add_argument("source", metavar="SOURCE", nargs="?", default="sample", help=_SOURCE_HELP)
    lab.add_argument("--dir", metavar="DIR", default="eks-audit-notebooks", help="where the copy is kept")
    lab.set_defaults(command=_lab)
    return parser


def _add_window(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--start", metavar="TIME", default="", help=_TIME_HELP)
    parser.add_argument("--end", metavar="TIME", default="", help="the same")
    parser.add_argument(
        "-p", "--parameter", metavar=("NAME", "VALUE"), nargs=2, action="append", default=[], help="may be repeated"
    )


# --- commands -------------------------------------------------------------------------------------------------------


def _report(given: argparse.Namespace) -> int:
    from eks_audit_nb.reporting.notebooks import find_notebooks
    from eks_audit_nb.reporting.run import run_report
    from eks_audit_nb.sources.by_name import check_source

    if "://" in given.out:
        raise SourceError(f"--out takes a folder, not {given.out!r}. Copy the folder there when it is written.")
    notebooks = find_notebooks(given.notebooks)
    check_source(given.source)
    report = run_report(
        given.source,
        notebooks,
        Path(given.out),
        start=given.start,
        end=given.end,
        parameters=_parameters(given),
        workers=given.workers,
        progress=sys.stderr.isatty(),
    )
    for run in report.runs:
        state = "failed" if run.error else ("done" if run.complete else "INCOMPLETE")
        print(f"{run.notebook.name:32} {state:10} {run.error or run.headline}", file=sys.stderr)
    print(Path(given.out, "index.html").absolute())
    return report.exit_code


def _query(given: argparse.Namespace) -> int:
    from eks_audit_nb.printing import write_rows
    from eks_audit_nb.sources import connect

    text = given.query
    if text.endswith(".cwli"):
        text = _read(Path(text))
    source = connect(given.source)
    try:
        result = source.run(text, given.start, given.end, **_parameters(given))
    finally:
        source.close()
    write_rows(result.frame, given.format, sys.stdout)
    for name, value in result.summary().items():
        print(f"{name + ':':10} {value}", file=sys.stderr)
    return DONE if result.complete else INCOMPLETE


def _queries(given: argparse.Namespace) -> int:
    from eks_audit_nb.queries import list_queries, load

    if not given.name:
        for query in list_queries():
            print(f"{query.name:32} {query.title}")
        return DONE
    query = load(given.name)
    print(f"# {query.title}\n# {query.question}")
    if query.origin:
        print(f"# {query.origin}")
    for parameter in query.parameters:
        print(f"# {parameter.name}: {parameter.type} = {parameter.default!r}  {parameter.help}")
    print(f"\n{query.text}", end="")
    return DONE


def _notebooks(given: argparse.Namespace) -> int:
    from eks_audit_nb.reporting.notebooks import find_notebooks, list_notebooks, parameters_of

    if not given.name:
        for notebook in list_notebooks():
            print(f"{notebook.name:32} {notebook.title}")
        return DONE
    for notebook in find_notebooks([given.name]):
        print(f"{notebook.title}\n\n{notebook.question}\n\n{notebook.path}\n\nParameters:")
        for parameter in parameters_of(notebook).values():
            print(f"  {parameter.name}: {parameter.type} = {parameter.default}  {parameter.help}")
    return DONE


def _lab(given: argparse.Namespace) -> int:
    from eks_audit_nb.reporting.workspace import make_workspace
    from eks_audit_nb.sources.by_name import check_source

    check_source(given.source)
    folder = make_workspace(Path(given.dir), given.source)
    print(f"The notebooks are in {folder}; what you change there stays there.", file=sys.stderr)
    lab = [sys.executable, "-m", "jupyterlab", f"--ServerApp.root_dir={folder}"]
    os.execv(sys.executable, lab)  # noqa: S606  # nothing but this interpreter and a folder of ours


def _parameters(given: argparse.Namespace) -> dict[str, Any]:
    parameters: dict[str, Any] = {}
    for name, value in given.parameter:
        if name in parameters:
            raise ParameterError(f"The parameter {name!r} is given twice.")
        parameters[name] = value
    return parameters


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise SourceError(f"The query file {path} cannot be read: {error.strerror}.") from None


if __name__ == "__main__":
    sys.exit(main())
