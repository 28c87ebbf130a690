"""Notebooks to a folder of reports: they run in parallel through papermill, and one that fails stops no other."""

from __future__ import annotations

import errno
import json
import os
import signal
from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
from tqdm import tqdm

from eks_audit_nb.errors import NotebookError
from eks_audit_nb.reporting.html import index_html, notebook_html, outputs
from eks_audit_nb.reporting.notebooks import Notebook, papermill_path, refuse_unknown, typed_parameters
from eks_audit_nb.reporting.shown import HEADLINE_MIMETYPE
from eks_audit_nb.sources.base import CLOUDWATCH, RESULT_MIMETYPE
from eks_audit_nb.sources.by_name import absolute

if TYPE_CHECKING:
    from eks_audit_nb.reporting.collected import Gathered

DONE, ERROR, INCOMPLETE = 0, 1, 3

# Without the first every kernel warns on standard error; "ipc" would let parallel kernels meet on one socket. Without
# the second a kernel reports that it was interrupted when it is shut down. Without the third it would import modules
# from the current folder, and a report is often started in a folder of evidence, where a pandas.py may lie.
_QUIET_KERNELS = {
    "KernelManager": {"transport_encryption": "auto"},
    "NotebookClient": {"extra_arguments": ["--IPKernelApp.log_level=CRITICAL", "--IPKernelApp.ignore_cwd=True"]},
}


@dataclass(frozen=True)
class NotebookRun:
    """What came of one notebook; `error` is "" where it ran to its end."""

    notebook: Notebook
    headline: str = ""
    error: str = ""
    results: tuple[dict[str, Any], ...] = ()
    seconds: float = 0.0
    has_html: bool = True

    @property
    def complete(self) -> bool:
        """Whether it ran to its end and every result covers its window."""
        return not self.error and all(result["complete"] for result in self.results)

    @property
    def doubts(self) -> str:
        """Why rows may be missing."""
        return " ".join(dict.fromkeys(reason for result in self.results for reason in result["reasons"]))

    @property
    def window_text(self) -> str:
        """The window that was read, from the first result on."""
        starts = [result["start"] for result in self.results if result["start"]]
        ends = [result["end"] for result in self.results if result["end"]]
        if not starts:
            return "–"
        return f"{_short(min(starts))} to {_short(max(ends))}"


@dataclass(frozen=True)
class Report:
    """A run of several notebooks over one source."""

    source: str
    start: str
    end: str
    parameters: dict[str, str]
    made: datetime
    version: str
    runs: tuple[NotebookRun, ...] = field(default=())
    collected: str = ""  # what was collected once for all notebooks, in sentences

    @property
    def window_text(self) -> str:
        """The window as it was asked for."""
        if not self.start and not self.end:
            return "the last 24 hours" if self.source.startswith(CLOUDWATCH) else "everything it holds"
        return f"{self.start or 'the beginning'} to {self.end or 'the end'}"

    @property
    def verdict(self) -> str:
        """What the whole run came to, in a sentence."""
        failed = sum(bool(run.error) for run in self.runs)
        doubtful = sum(not run.error and not run.complete for run in self.runs)
        text = f"{len(self.runs)} notebook{'s' if len(self.runs) != 1 else ''} ran"
        text += f", {failed} failed" if failed else ", none failed"
        if failed == len(self.runs):
            return f"{text}; there is no answer."
        if doubtful:
            return f"{text}; {doubtful} may lack rows of the window, as the last column says."
        return f"{text}; every answer that was given covers its whole window."

    @property
    def exit_code(self) -> int:
        """1 where a notebook failed, 3 where an answer is incomplete, 0 otherwise."""
        if any(run.error for run in self.runs):
            return ERROR
        return DONE if all(run.complete for run in self.runs) else INCOMPLETE

    def record(self) -> dict[str, Any]:
        """The report for programs."""
        return {
            "source": self.source,
            "start": self.start,
            "end": self.end,
            "parameters": self.parameters,
            "made": self.made.isoformat(),
            "version": self.version,
            "collected": self.collected,
            "exit_code": self.exit_code,
            "notebooks": [
                {
                    "name": run.notebook.name,
                    "title": run.notebook.title,
                    "headline": run.headline,
                    "error": run.error,
                    "complete": run.complete,
                    "seconds": round(run.seconds, 2),
                    "results": list(run.results),
                }
                for run in self.runs
            ],
        }


def run_report(
    source: str | Gathered,
    notebooks: tuple[Notebook, ...],
    out: Path,
    *,
    start: str = "",
    end: str = "",
    parameters: dict[str, str] | None = None,
    workers: int | None = None,
    progress: bool = True,
) -> Report:
    """Run notebooks over a source and write their reports.

    Args:
        source: What `connect` takes, or what was collected of a cluster for all of them.
        notebooks: Which ones.
        out: The folder for NAME.ipynb, NAME.html, index.html and report.json; made if it is not there.
        start: What every notebook gets as its start.
        end: The same for the end.
        parameters: Further ones, by name, as text; each notebook gets those that it has.
        workers: How many run at once; by default one a processor.
        progress: Whether to show a bar on standard error.

    Raises:
        ParameterError: A parameter that no notebook has, or a text that is no value of its type.
        NotebookError: Notebooks whose reports would overwrite each other, the index, or a notebook.
        OSError: The folder cannot be made or written.
    """
    from eks_audit_nb import __version__

    given = dict(parameters or {})
    _refuse_clashes(notebooks, out)
    refuse_unknown(notebooks, given)
    name, instead = (source, {}) if isinstance(source, str) else (source.source, source.parameters)
    shared = {"source": absolute(name), "start": start, "end": end, **instead}
    prepared = [(notebook, typed_parameters(notebook, {**shared, **given})) for notebook in notebooks]
    out.mkdir(parents=True, exist_ok=True)
    if not os.access(out, os.W_OK):  # told here, before every kernel has run for nothing
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(out))
    made = datetime.now(UTC)
    footer = f"Made {made:%Y-%m-%d %H:%M:%S} UTC by eks_audit_nb {__version__} from {name}."
    names = {notebook.name for notebook in notebooks}
    with ThreadPoolExecutor(min(len(notebooks), os.cpu_count() or 1) if workers is None else workers) as pool:
        waiting = {pool.submit(_run, notebook, values, out, footer, names): notebook for notebook, values in prepared}
        bar = tqdm(total=len(waiting), unit="notebook", disable=not progress)
        runs: dict[Notebook, NotebookRun] = {}
        try:
            with bar:
                for future in as_completed(waiting):
                    runs[waiting[future]] = future.result()
                    bar.set_postfix_str(waiting[future].name)
                    bar.update()
        except KeyboardInterrupt:
            pool.shutdown(wait=False, cancel_futures=True)
            _interrupt_kernels()
            raise
    ordered = tuple(runs[notebook] for notebook in notebooks)
    said = "" if isinstance(source, str) else source.said
    report = Report(name, start, end, given, made, __version__, ordered, said)
    (out / "index.html").write_text(index_html(report), encoding="utf-8")
    (out / "report.json").write_text(json.dumps(report.record(), indent=2) + "\n", encoding="utf-8")
    return report


def _interrupt_kernels() -> None:
    """Let Ctrl-C come to the kernels, which a terminal does not tell: they stop queries and take back what they did."""
    for child in psutil.Process().children():
        with suppress(psutil.Error):  # it has ended meanwhile
            if any("ipykernel" in part for part in child.cmdline()):
                child.send_signal(signal.SIGINT)


def _refuse_clashes(notebooks: tuple[Notebook, ...], out: Path) -> None:
    by_name: dict[str, Notebook] = {}
    for notebook in notebooks:
        other = by_name.setdefault(notebook.name, notebook)
        if other is not notebook:
            raise NotebookError(
                f"{other.path} and {notebook.path} have the same name, so that one report would overwrite the other. "
                "Run them one after the other, each with an --out of its own."
            )
        if notebook.name == "index":
            raise NotebookError(f"The report of {notebook.path} would overwrite the index. Give the file another name.")
        target = out / f"{notebook.name}.ipynb"
        if target.exists() and target.samefile(notebook.path):
            raise NotebookError(f"{notebook.path} would be overwritten by its own run. Give another folder with --out.")


def _run(notebook: Notebook, values: dict[str, object], out: Path, footer: str, names: Collection[str]) -> NotebookRun:
    from jupyter_core.utils import ensure_event_loop

    try:
        began = datetime.now(UTC)
        error = _execute(notebook, values, out)
        run = _written(notebook, out, footer, names, error)
        return replace(run, seconds=(datetime.now(UTC) - began).total_seconds())
    finally:
        ensure_event_loop().close()  # nbclient opens one in this thread and leaves it open


def _execute(notebook: Notebook, values: dict[str, object], out: Path) -> str:
    """Leave the executed notebook in the folder; gives what went wrong, or ""."""
    import papermill
    from papermill.exceptions import PapermillExecutionError
    from traitlets.config import Config

    target = out / f"{notebook.name}.ipynb"
    try:
        # What an earlier run left must not pass for what this one found.
        target.unlink(missing_ok=True)
        papermill.execute_notebook(
            papermill_path(notebook.path),
            papermill_path(target),
            parameters=values,
            kernel_name="python3",
            progress_bar=False,
            request_save_on_cell_execute=False,
            config=Config(_QUIET_KERNELS),
        )
    except PapermillExecutionError as failure:
        return f"{failure.ename}: {failure.evalue}"
    except Exception as failure:  # noqa: BLE001  # a kernel that died or will not start must not stop the others
        return f"{type(failure).__name__}: {failure}"
    return ""


def _written(notebook: Notebook, out: Path, footer: str, names: Collection[str], error: str) -> NotebookRun:
    """Write the report of an executed notebook; one that cannot be written stops no other."""
    executed = out / f"{notebook.name}.ipynb"
    if not executed.is_file():
        return NotebookRun(notebook, error=error or "it left no output", has_html=False)
    try:
        headlines = [each["headline"] for each in outputs(executed, HEADLINE_MIMETYPE)]
        results = tuple(outputs(executed, RESULT_MIMETYPE))
        html = notebook_html(executed, notebook.title, footer, names)
        (out / f"{notebook.name}.html").write_text(html, encoding="utf-8")
    except Exception as failure:  # noqa: BLE001  # a folder in the file's place, or outputs that nbconvert cannot take
        return NotebookRun(notebook, error=error or f"{type(failure).__name__}: {failure}", has_html=False)
    return NotebookRun(notebook, headline=headlines[0] if headlines else "", error=error, results=results)


def _short(instant: str) -> str:
    return datetime.fromisoformat(instant).strftime("%Y-%m-%d %H:%M:%S")
