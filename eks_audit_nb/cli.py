"""The `eks-audit` command: data goes to standard output, everything else to standard error.

Exit codes: 0 done, 1 an error (of usage too), 3 the answer is incomplete.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from eks_audit_nb.errors import EksAuditError, ParameterError, SourceError
from eks_audit_nb.terminal import cleaned

if TYPE_CHECKING:
    from eks_audit_nb.reporting.collected import Gathered

DONE, ERROR, INCOMPLETE = 0, 1, 3

_SOURCE_HELP = '"sample", a file, a folder, a glob in quotes, a case, or cloudwatch:CLUSTER'
_CLUSTER_HELP = "cloudwatch:CLUSTER, cloudwatch:CLUSTER@REGION, or cloudwatch: and a log group's name or ARN"
_TIME_HELP = "-24h, 2026-11-24, 2026-11-24T22:30:00Z or now; always UTC"
# What is said once, in its own place, and not as a parameter too.
_OWN_PLACES = {"source": "SOURCE", "start": "--start", "end": "--end"}
# Stands in front of a value that begins with a dash while argparse looks; no argument of a process can hold it.
_SHIELD = "\0"


class _Parser(argparse.ArgumentParser):
    """argparse exits with 2 on a wrong call; here 2 is kept for findings."""

    def error(self, message: str) -> NoReturn:
        self.print_usage(sys.stderr)
        _complain(f"{message}. Help: {self.prog} --help")
        sys.exit(ERROR)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; gives the exit code."""
    parser = build_parser()
    given = parser.parse_args(shield_dashes(sys.argv[1:] if arguments is None else arguments))
    command: Callable[[argparse.Namespace], int] = given.command
    try:
        code = command(given)
        sys.stdout.flush()  # a full device is an error of ours and not one of Python's way out
    except EksAuditError as error:
        _complain(str(error))
        return ERROR
    except KeyboardInterrupt:
        _complain("interrupted")
        return ERROR
    except BrokenPipeError:
        # The reader of the output has gone, as in `eks-audit query ... | head`.
        _drop_output()
        return DONE
    except OSError as error:
        reason = error.strerror or str(error)
        _complain(f"{error.filename}: {reason}" if error.filename else f"The output cannot be written: {reason}")
        _drop_output()
        return ERROR
    return code


def shield_dashes(arguments: Sequence[str]) -> list[str]:
    """The arguments, with values such as the -24h of `--start -24h` marked: argparse would take them for options."""
    shielded: list[str] = []
    for argument in arguments:
        is_value = shielded[-1:] in (["--start"], ["--end"]) or shielded[-2:-1] in (["-p"], ["--parameter"])
        is_dashed = argument.startswith("-") and not argument.startswith("--")
        shielded.append(_SHIELD + argument if is_value and is_dashed else argument)
    return shielded


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
    report.add_argument(
        "--no-collect",
        action="store_true",
        help="let each notebook ask the cluster, instead of collecting its events once; CloudWatch only",
    )
    report.add_argument("--workers", metavar="N", type=_from_one, help="notebooks at once (default: one a processor)")
    _add_question(report, "eks-audit notebooks NAME")
    _add_max_bytes(report)
    report.set_defaults(command=_report)

    query = commands.add_parser("query", help="answer one query and print the rows")
    query.add_argument("source", metavar="SOURCE", help=_SOURCE_HELP)
    query.add_argument("query", metavar="QUERY", help="a name from `eks-audit queries`, a file, or Insights text")
    query.add_argument("--format", choices=("table", "csv", "jsonl"), default="table", help="default: table")
    _add_question(query, "eks-audit queries NAME")
    query.add_argument(
        "--table",
        metavar=("NAME", "FILE"),
        nargs=2,
        action="append",
        default=[],
        help="a CSV file that lookup and cidrlookup know by this name; may be repeated; files only",
    )
    query.add_argument(
        "--strict", action="store_true", help="refuse what AWS's documentation calls invalid; files only"
    )
    query.add_argument(
        "--field-cap",
        metavar="N",
        type=_from_one,
        help="discover no more fields of an event than this, as CloudWatch stops at 200; files only",
    )
    _add_max_bytes(query)
    query.set_defaults(command=_query)

    estimate = commands.add_parser("estimate", help="what a query would scan on CloudWatch, and what that costs")
    estimate.add_argument("source", metavar="SOURCE", help=_CLUSTER_HELP)
    estimate.add_argument("query", metavar="QUERY", help="as for `eks-audit query`")
    estimate.add_argument(
        "--price",
        metavar="DOLLARS",
        type=_price,
        help="what your region asks for a gigabyte scanned (default: AWS's us-east-1 list price)",
    )
    _add_question(estimate, "eks-audit queries NAME")
    estimate.set_defaults(command=_estimate)

    queries = commands.add_parser("queries", help="the queries that ship, or the whole of one")
    queries.add_argument("name", metavar="NAME", nargs="?")
    queries.set_defaults(command=_queries)

    notebooks = commands.add_parser("notebooks", help="the notebooks that ship, or the whole of one")
    notebooks.add_argument("name", metavar="NAME", nargs="?")
    notebooks.set_defaults(command=_notebooks)

    collect = commands.add_parser("collect", help="make one lasting case of a log, to be asked and kept")
    collect.add_argument(
        "source", metavar="SOURCE", help="a file, a folder, a glob in quotes, s3://BUCKET/PREFIX, or cloudwatch:CLUSTER"
    )
    collect.add_argument("--out", metavar="CASE", required=True, help="folder for the case")
    _add_window(collect, "not for files; a cluster's last 24 hours by default")
    collect.add_argument(
        "--settle",
        metavar="MINUTES",
        type=_from_zero,
        default=0,
        help="wait so long and ask again for what came late; CloudWatch only",
    )
    _add_max_bytes(collect)
    collect.set_defaults(command=_collect)

    verify = commands.add_parser("verify", help="check that a case is what was collected")
    verify.add_argument("case", metavar="CASE")
    verify.set_defaults(command=_verify)

    lab = commands.add_parser("lab", help="open JupyterLab on a working copy of the notebooks")
    lab.add_argument("source", metavar="SOURCE", nargs="?", help=_SOURCE_HELP)
    lab.add_argument("--dir", metavar="DIR", default="eks-audit-notebooks", help="where the copy is kept")
    lab.set_defaults(command=_lab)
    return parser


def _add_question(parser: argparse.ArgumentParser, shown_by: str) -> None:
    _add_window(parser)
    _add_parameters(parser, shown_by)


def _add_window(parser: argparse.ArgumentParser, remark: str = "") -> None:
    times = f"{_TIME_HELP}; {remark}" if remark else _TIME_HELP
    parser.add_argument("--start", metavar="TIME", type=_unshielded, default="", help=times)
    parser.add_argument("--end", metavar="TIME", type=_unshielded, default="", help="the same")


def _add_max_bytes(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--max-bytes",
        metavar="N",
        type=_from_one,
        help="refuse to start what would scan more bytes, as the service estimates them first; CloudWatch only",
    )


def _add_parameters(parser: argparse.ArgumentParser, shown_by: str) -> None:
    parser.add_argument(
        *("-p", "--parameter"),
        metavar=("NAME", "VALUE"),
        nargs=2,
        type=_unshielded,
        action="append",
        default=[],
        help=f"a parameter, as `{shown_by}` shows them; may be repeated",
    )


def _unshielded(text: str) -> str:
    return text.removeprefix(_SHIELD)


def _price(text: str) -> float:
    try:
        price = float(text)
    except ValueError:
        price = -1.0
    if not 0 <= price < float("inf"):
        raise argparse.ArgumentTypeError(f"takes dollars, such as 0.0063, not {text!r}")
    return price


def _from_zero(text: str) -> float:
    try:
        minutes = float(text)
    except ValueError:
        minutes = -1.0
    if not 0 <= minutes < float("inf"):
        raise argparse.ArgumentTypeError(f"takes minutes, such as 15, not {text!r}")
    return minutes


def _from_one(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"takes a whole number from 1 on, not {text!r}")
    return int(text)


# --- commands -------------------------------------------------------------------------------------------------------


def _report(given: argparse.Namespace) -> int:
    from eks_audit_nb.reporting.notebooks import find_notebooks
    from eks_audit_nb.reporting.run import run_report

    if "://" in given.out:
        raise SourceError(f"--out takes a folder, not {given.out!r}. Copy the folder there when it is written.")
    out, parameters = _folder("--out", given.out), _parameters(given)
    notebooks = find_notebooks(given.notebooks)
    _try_source(given.source, given.start, given.end)
    report = run_report(
        _gathered(given, len(notebooks)),
        notebooks,
        out,
        start=given.start,
        end=given.end,
        parameters=parameters,
        workers=given.workers,
        progress=sys.stderr.isatty(),
    )
    first: dict[str, str] = {}
    for run in report.runs:
        state = "failed" if run.error else ("done" if run.complete else "INCOMPLETE")
        said = cleaned(run.error, keeps_lines=True) if run.error else cleaned(run.headline)
        if run.error and (same := first.setdefault(run.error, run.notebook.name)) != run.notebook.name:
            said = f"as {cleaned(same)}"
        if state == "INCOMPLETE":
            said += f"\nIt may lack rows: {cleaned(run.doubts)}"
        # Further lines are set in, so that none looks like that of another notebook.
        said = said.replace("\n", "\n    ")
        print(f"{cleaned(run.notebook.name):32} {state:10} {said}", file=sys.stderr)
    print((out / "index.html").absolute())
    return report.exit_code


def _gathered(given: argparse.Namespace, notebooks: int) -> str | Gathered:
    """What is collected once for several notebooks; the source itself where each one asks it."""
    from eks_audit_nb.sources.base import CLOUDWATCH

    is_collected = given.source.startswith(CLOUDWATCH) and not given.no_collect
    if given.max_bytes and not is_collected:
        raise SourceError("--max-bytes is for a cluster whose events are collected, and so not with --no-collect.")
    # One notebook asks for less than all events, but only a case has a price that is known before.
    if not is_collected or (notebooks < 2 and not given.max_bytes):
        return str(given.source)
    from eks_audit_nb.reporting.collected import collect_for_report

    gathered = collect_for_report(given.source, given.start, given.end, _say, max_bytes=given.max_bytes)
    _say(gathered.said)
    return gathered


def _query(given: argparse.Namespace) -> int:
    from eks_audit_nb.printing import write_rows
    from eks_audit_nb.sources import connect

    text, parameters = _query_text(given.query), _query_parameters(given)
    source = connect(
        given.source,
        tables=dict(given.table),
        field_cap=given.field_cap,
        is_strict=given.strict,
        is_asked_once=True,
        max_bytes=given.max_bytes,
    )
    try:
        result = source.run(text, given.start, given.end, **parameters)
    finally:
        source.close()
    write_rows(result.frame, given.format, sys.stdout)
    for name, value in result.summary().items():
        print(f"{name + ':':10} {cleaned(value)}", file=sys.stderr)
    return DONE if result.complete else INCOMPLETE


def _estimate(given: argparse.Namespace) -> int:
    from eks_audit_nb.sources.base import CLOUDWATCH, DOLLARS_PER_GIGABYTE

    if not given.source.startswith(CLOUDWATCH):
        raise SourceError("To read files costs nothing. An estimate is for a cluster, such as cloudwatch:CLUSTER.")
    from eks_audit_nb.sources.cloudwatch import CloudWatchSource

    text, parameters = _query_text(given.query), _query_parameters(given)
    price = DOLLARS_PER_GIGABYTE if given.price is None else given.price
    source = CloudWatchSource(given.source.removeprefix(CLOUDWATCH), dollars_per_gigabyte=price)
    try:
        estimate = source.estimate(text, given.start, given.end, **parameters)
    finally:
        source.close()
    for name, value in estimate.summary().items():
        print(f"{name + ':':12} {value}")
    return DONE


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
        facts = (notebook.title, notebook.question, str(notebook.path), "Parameters:")
        print("\n\n".join(map(cleaned, facts)))
        for parameter in parameters_of(notebook).values():
            print(cleaned(f"  {parameter.name}: {parameter.type} = {parameter.default}  {parameter.help}"))
    return DONE


def _collect(given: argparse.Namespace) -> int:
    from eks_audit_nb.case.manifest import described
    from eks_audit_nb.sources.base import CLOUDWATCH
    from eks_audit_nb.sources.by_name import collect

    if given.source.startswith(CLOUDWATCH):
        return _collect_cluster(given)
    if given.settle or given.max_bytes:
        raise SourceError("--settle and --max-bytes are for a cluster.")
    out = _folder("--out", given.out)
    manifest = collect(given.source, out, given.start, given.end, progress=sys.stderr.isatty())
    for name, value in described(manifest).items():
        print(f"{name + ':':12} {cleaned(value)}", file=sys.stderr)
    print(out.absolute())
    return INCOMPLETE if manifest.broken_files or manifest.doubts else DONE


def _collect_cluster(given: argparse.Namespace) -> int:
    from eks_audit_nb.case.manifest import described
    from eks_audit_nb.collecting import collect_cluster
    from eks_audit_nb.sources.base import CLOUDWATCH
    from eks_audit_nb.sources.cloudwatch import CloudWatchSource

    out = _folder("--out", given.out)
    source = CloudWatchSource(given.source.removeprefix(CLOUDWATCH), max_bytes=given.max_bytes)
    try:
        manifest = collect_cluster(source, out, given.start, given.end, settle_minutes=given.settle, say=_say)
    except KeyboardInterrupt:
        _complain("interrupted. What was fetched is kept; the same command again goes on from there.")
        return ERROR
    finally:
        source.close()
    for name, value in described(manifest).items():
        print(f"{name + ':':12} {cleaned(value)}", file=sys.stderr)
    print(out.absolute())
    return INCOMPLETE if manifest.doubts else DONE


def _verify(given: argparse.Namespace) -> int:
    from eks_audit_nb.case.manifest import described
    from eks_audit_nb.case.verifying import verify

    found = verify(Path(given.case))
    facts = {**described(found.manifest), "Manifest": f"SHA-256 {found.manifest_sha256}"}
    for name, value in facts.items():
        print(f"{name + ':':12} {cleaned(value)}")
    for change in found.changes:
        print(cleaned(f"Input:       {change}"))
    for problem in found.problems:
        _complain(problem)
    print("The case is not what was collected." if found.problems else "The case is whole, as it was collected.")
    return ERROR if found.problems else DONE


def _lab(given: argparse.Namespace) -> int:
    from eks_audit_nb.reporting.workspace import make_workspace
    from eks_audit_nb.sources.by_name import check_source

    if given.source is not None:
        check_source(given.source)
    folder = make_workspace(_folder("--dir", given.dir), given.source or "")
    if given.source:
        source = f"All of them read {given.source}."
    else:
        source = "New copies read the sample, and those that were there keep their source."
    print(cleaned(f"The notebooks are in {folder}; what you change there stays there. {source}"), file=sys.stderr)
    # Not from the current folder, which may be one of evidence, with a json.py in it.
    lab = [sys.executable, "-P", "-m", "jupyterlab", f"--ServerApp.root_dir={folder}"]
    os.execv(sys.executable, lab)  # noqa: S606  # nothing but this interpreter and a folder of ours


def _query_parameters(given: argparse.Namespace) -> dict[str, Any]:
    parameters = _parameters(given)
    for name in ("self", "query"):  # Python's own names for what `run` is given
        if name in parameters:
            raise ParameterError(f"A placeholder of a query cannot be called {name!r}. Give it another name there.")
    return parameters


def _parameters(given: argparse.Namespace) -> dict[str, Any]:
    parameters: dict[str, Any] = {}
    for name, value in given.parameter:
        if name in _OWN_PLACES:
            raise ParameterError(f"{name!r} is no parameter for -p: say {_OWN_PLACES[name]}.")
        if name in parameters:
            raise ParameterError(f"The parameter {name!r} is given twice.")
        parameters[name] = value
    return parameters


def _folder(option: str, text: str) -> Path:
    path = Path(text)
    for each in (path, *path.parents):
        if each.exists() and not each.is_dir():
            raise SourceError(f"{option} takes a folder, and {str(each)!r} is a file.")
    return path


def _try_source(source: str, start: str, end: str) -> None:
    """Open a source and let it go: what cannot be read, or is no window, is one error here, and not every notebook's.

    Files are made a case on the way, which the notebooks then find.
    """
    from eks_audit_nb.sources import connect
    from eks_audit_nb.sources.by_name import check_source

    check_source(source)
    opened = connect(source)
    try:
        opened.window(start, end)
    finally:
        opened.close()


def _query_text(argument: str) -> str:
    """The argument itself, or what the file of that name holds."""
    from eks_audit_nb.queries import list_queries

    is_text = "|" in argument or argument in (query.name for query in list_queries())
    if is_text or not (argument.endswith(".cwli") or os.path.isfile(argument)):
        return argument
    try:
        return Path(argument).read_text(encoding="utf-8-sig")
    except OSError as error:
        raise SourceError(f"The query file {argument} cannot be read: {error.strerror}.") from None
    except UnicodeDecodeError:
        raise SourceError(f"The query file {argument} is no text in UTF-8.") from None


def _say(text: str) -> None:
    print(cleaned(text), file=sys.stderr)


def _complain(message: str) -> None:
    # A message may quote the log. Its lines stay: under a query a mark shows the place.
    print(f"eks-audit: {cleaned(message, keeps_lines=True)}", file=sys.stderr)


def _drop_output() -> None:
    """Send what is still to be written nowhere, where it cannot be written; else Python tries again on its way out."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


if __name__ == "__main__":
    sys.exit(main())
