"""The `eks-audit` command: data goes to standard output, everything else to standard error.

Exit codes: 0 done, 1 an error (of usage too), 3 the answer is incomplete.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from eks_audit_nb.arguments import ERROR, build_parser, shield_dashes
from eks_audit_nb.errors import EksAuditError, ParameterError, SourceError
from eks_audit_nb.terminal import cleaned, complain, say

if TYPE_CHECKING:
    from eks_audit_nb.reporting.collected import Gathered
    from eks_audit_nb.reporting.notebooks import Notebook

DONE, INCOMPLETE = 0, 3

# What is said once, in its own place, and not as a parameter too.
_OWN_PLACES = {"source": "SOURCE", "start": "--start", "end": "--end"}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; gives the exit code."""
    parser = build_parser()
    given = parser.parse_args(shield_dashes(sys.argv[1:] if arguments is None else arguments))
    try:
        code = _COMMANDS[given.command](given)
        sys.stdout.flush()  # a full device is an error of ours and not one of Python's way out
    except EksAuditError as error:
        complain(str(error))
        return ERROR
    except KeyboardInterrupt:
        complain("interrupted")
        return ERROR
    except BrokenPipeError:
        # The reader of the output has gone, as in `eks-audit query ... | head`.
        _drop_output()
        return DONE
    except OSError as error:
        reason = error.strerror or str(error)
        complain(f"{error.filename}: {reason}" if error.filename else f"The output cannot be written: {reason}")
        _drop_output()
        return ERROR
    return code


def _report(given: argparse.Namespace) -> int:
    from eks_audit_nb.reporting.notebooks import find_notebooks
    from eks_audit_nb.reporting.run import run_report

    if "://" in given.out:
        raise SourceError(f"--out takes a folder, not {given.out!r}. Copy the folder there when it is written.")
    out, parameters = _folder("--out", given.out), _parameters(given)
    notebooks = find_notebooks(given.notebooks)
    _try_source(given.source, given.start, given.end)
    report = run_report(
        _gathered(given, notebooks),
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


def _gathered(given: argparse.Namespace, notebooks: Sequence[Notebook]) -> str | Gathered:
    """What is collected once for several notebooks; the source itself where each one asks it."""
    from eks_audit_nb.sources.base import CLOUDWATCH

    is_collected = given.source.startswith(CLOUDWATCH) and not given.no_collect
    if given.max_bytes and not is_collected:
        raise SourceError("--max-bytes is for a cluster whose events are collected, and so not with --no-collect.")
    # One notebook asks for less than all events, but only a case has a price that is known before.
    if not is_collected or (len(notebooks) < 2 and not given.max_bytes):
        return str(given.source)
    from eks_audit_nb.reporting.collected import collect_for_report
    from eks_audit_nb.reporting.notebooks import SETUP

    has_setup = any(each.name == SETUP for each in notebooks)
    gathered = collect_for_report(
        given.source, given.start, given.end, say, has_setup=has_setup, max_bytes=given.max_bytes
    )
    say(gathered.said)
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
        manifest = collect_cluster(source, out, given.start, given.end, settle_minutes=given.settle, say=say)
    except KeyboardInterrupt:
        complain("interrupted. What was fetched is kept; the same command again goes on from there.")
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
        complain(problem)
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


def _drop_output() -> None:
    """Send what is still to be written nowhere, where it cannot be written; else Python tries again on its way out."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


_COMMANDS: dict[str, Callable[[argparse.Namespace], int]] = {
    "report": _report,
    "query": _query,
    "estimate": _estimate,
    "queries": _queries,
    "notebooks": _notebooks,
    "collect": _collect,
    "verify": _verify,
    "lab": _lab,
}


if __name__ == "__main__":
    sys.exit(main())
