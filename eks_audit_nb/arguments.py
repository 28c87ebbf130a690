"""What the `eks-audit` command takes: its commands and their arguments."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from typing import NoReturn

from eks_audit_nb.terminal import complain

ERROR = 1  # of usage too; argparse's own 2 is kept for findings

_SOURCE_HELP = '"sample", a file, a folder, a glob in quotes, a case, or cloudwatch:CLUSTER'
_CLUSTER_HELP = "cloudwatch:CLUSTER, cloudwatch:CLUSTER@REGION, or cloudwatch: and a log group's name or ARN"
_TIME_HELP = "-24h, 2026-11-24, 2026-11-24T22:30:00Z or now; always UTC"
# Stands in front of a value that begins with a dash while argparse looks; no argument of a process can hold it.
_SHIELD = "\0"


class _Parser(argparse.ArgumentParser):
    """argparse exits with 2 on a wrong call."""

    def error(self, message: str) -> NoReturn:
        self.print_usage(sys.stderr)
        complain(f"{message}. Help: {self.prog} --help")
        sys.exit(ERROR)


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
    report.set_defaults(command="report")

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
    query.set_defaults(command="query")

    estimate = commands.add_parser("estimate", help="what a query would scan on CloudWatch, and what that costs")
    estimate.add_argument("source", metavar="SOURCE", help=_CLUSTER_HELP)
    estimate.add_argument("query", metavar="QUERY", help="as for `eks-audit query`")
    estimate.add_argument(
        "--price",
        metavar="DOLLARS",
        type=_from_zero("dollars, such as 0.0063"),
        help="what your region asks for a gigabyte scanned (default: AWS's us-east-1 list price)",
    )
    _add_question(estimate, "eks-audit queries NAME")
    estimate.set_defaults(command="estimate")

    queries = commands.add_parser("queries", help="the queries that ship, or the whole of one")
    queries.add_argument("name", metavar="NAME", nargs="?")
    queries.set_defaults(command="queries")

    notebooks = commands.add_parser("notebooks", help="the notebooks that ship, or the whole of one")
    notebooks.add_argument("name", metavar="NAME", nargs="?")
    notebooks.set_defaults(command="notebooks")

    collect = commands.add_parser("collect", help="make one lasting case of a log, to be asked and kept")
    collect.add_argument(
        "source", metavar="SOURCE", help="a file, a folder, a glob in quotes, s3://BUCKET/PREFIX, or cloudwatch:CLUSTER"
    )
    collect.add_argument("--out", metavar="CASE", required=True, help="folder for the case")
    _add_window(collect, "not for files; a cluster's last 24 hours by default")
    collect.add_argument(
        "--settle",
        metavar="MINUTES",
        type=_from_zero("minutes, such as 15"),
        default=0,
        help="wait so long and ask again for what came late; CloudWatch only",
    )
    _add_max_bytes(collect)
    collect.set_defaults(command="collect")

    verify = commands.add_parser("verify", help="check that a case is what was collected")
    verify.add_argument("case", metavar="CASE")
    verify.set_defaults(command="verify")

    lab = commands.add_parser("lab", help="open JupyterLab on a working copy of the notebooks")
    lab.add_argument("source", metavar="SOURCE", nargs="?", help=_SOURCE_HELP)
    lab.add_argument("--dir", metavar="DIR", default="eks-audit-notebooks", help="where the copy is kept")
    lab.set_defaults(command="lab")
    return parser


def shield_dashes(arguments: Sequence[str]) -> list[str]:
    """The arguments, with values such as the -24h of `--start -24h` marked: argparse would take them for options."""
    shielded: list[str] = []
    for argument in arguments:
        is_value = shielded[-1:] in (["--start"], ["--end"]) or shielded[-2:-1] in (["-p"], ["--parameter"])
        is_dashed = argument.startswith("-") and not argument.startswith("--")
        shielded.append(_SHIELD + argument if is_value and is_dashed else argument)
    return shielded


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


def _from_zero(what: str) -> Callable[[str], float]:
    def read(text: str) -> float:
        try:
            number = float(text)
        except ValueError:
            number = -1.0
        if not 0 <= number < float("inf"):
            raise argparse.ArgumentTypeError(f"takes {what}, not {text!r}")
        return number

    return read


def _from_one(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"takes a whole number from 1 on, not {text!r}")
    return int(text)
