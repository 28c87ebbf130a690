"""Notebooks run in parallel, one that fails stops no other, and what came of each is recorded."""

from __future__ import annotations

import gzip
import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from eks_audit_nb.errors import NotebookError, ParameterError
from eks_audit_nb.reporting.notebooks import Notebook, find_notebooks, list_notebooks, read_notebook
from eks_audit_nb.reporting.run import DONE, ERROR, INCOMPLETE, Report, run_report

from conftest import audit_event


def make_notebook(path: Path, code: str) -> Notebook:
    parameters = new_code_cell(
        'source: str = ""  # a source\nstart: str = ""  # a time\nend: str = ""  # a time',
        metadata={"tags": ["parameters"]},
    )
    cells = [new_markdown_cell("# Title\n\nQuestion?"), parameters, new_code_cell(code)]
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    nbformat.write(new_notebook(cells=cells, metadata=kernel), path)
    return read_notebook(path)


def test_what_is_written(sample_report: Path) -> None:
    """A run leaves the notebooks as they ran, their reports, an index, and the same facts for programs."""
    names = [notebook.name for notebook in list_notebooks()]
    expected = {f"{name}.{ending}" for name in names for ending in ("html", "ipynb")} | {"index.html", "report.json"}
    assert {path.name for path in sample_report.iterdir()} == expected
    record = json.loads((sample_report / "report.json").read_text())
    assert [each["name"] for each in record["notebooks"]] == names
    assert record["exit_code"] == 0
    first = record["notebooks"][1]["results"][0]
    assert first["rows"] == 5
    assert first["complete"] is True
    with gzip.open(str(files("eks_audit_nb.sample").joinpath("audit.jsonl.gz"))) as lines:
        assert first["bytes_scanned"] == sum(len(line.rstrip(b"\n")) for line in lines)
    assert "deletecollection" in first["query"]


def test_one_failure_stops_no_other(tmp_path: Path) -> None:
    """A notebook that raises, one whose kernel dies, and one that is right: two are failed and the third is done."""
    raises = make_notebook(tmp_path / "raises.ipynb", "raise ValueError('on purpose')")
    dies = make_notebook(tmp_path / "dies.ipynb", "import os; os._exit(1)")
    works = make_notebook(
        tmp_path / "works.ipynb", "from eks_audit_nb.reporting import headline\nheadline(f'Read {source}.')"
    )
    report = run_report("sample", (raises, dies, works), tmp_path / "out", progress=False)
    assert report.exit_code == ERROR
    assert [bool(run.error) for run in report.runs] == [True, True, False]
    assert report.runs[0].error == "ValueError: on purpose"
    assert "kernel" in report.runs[1].error.lower()
    assert report.runs[2].headline == "Read sample."
    index = (tmp_path / "out" / "index.html").read_text()
    assert "3 notebooks ran, 2 failed" in index
    assert "ValueError: on purpose" in index
    page = (tmp_path / "out" / "raises.html").read_text()
    assert "on purpose" in page
    assert "This notebook broke off before its end: " in page
    assert page.count("papermill") == page.count("papermill-error-cell") == 2  # the link to the error and its place
    alone = run_report("sample", (raises,), tmp_path / "alone", progress=False)
    assert alone.verdict == "1 notebook ran, 1 failed; there is no answer."


def test_incomplete_answers_are_told(tmp_path: Path, make_log: Callable[..., Path]) -> None:
    """A log with a line that cannot be read gives an incomplete report that says why."""
    log = make_log(audit_event(), '{"kind":"Event","auditID":"x","stage":')
    report = run_report(str(log), find_notebooks(["04"]), tmp_path / "out", progress=False)
    assert report.exit_code == INCOMPLETE
    assert "1 line of the window is no JSON" in report.runs[0].doubts
    assert "1 may lack rows of the window" in (tmp_path / "out" / "index.html").read_text()
    assert report.runs[0].headline.startswith("In what could be read: ")


HEADLINE = "from eks_audit_nb.reporting import headline\nheadline('Done.')"


def test_reports_that_cannot_be_written(tmp_path: Path) -> None:
    """A folder in the place of one notebook's files fails that notebook and no other."""
    names = ("a", "b", "c")
    notebooks = tuple(make_notebook(tmp_path / f"{name}.ipynb", HEADLINE) for name in names)
    out = tmp_path / "out"
    (out / "a.ipynb").mkdir(parents=True)
    (out / "b.html").mkdir()
    report = run_report("sample", notebooks, out, progress=False)
    assert ["Is a directory" in run.error for run in report.runs] == [True, True, False]
    assert [run.has_html for run in report.runs] == [False, False, True]
    assert report.runs[2].headline == "Done."
    assert 'href="b.html"' not in (out / "index.html").read_text()


def test_braces_in_names(tmp_path: Path) -> None:
    """Braces in the name of a notebook or of the folder for the reports are part of it."""
    notebook = make_notebook(tmp_path / "x{y}.ipynb", HEADLINE)
    report = run_report("sample", (notebook,), tmp_path / "{source}", progress=False)
    assert report.runs[0].headline == "Done."
    assert (tmp_path / "{source}" / "x{y}.html").is_file()
    assert 'href="x%7By%7D.html"' in (tmp_path / "{source}" / "index.html").read_text()


def test_an_earlier_run_is_not_taken_for_this_one(tmp_path: Path) -> None:
    """Where a kernel dies, what an earlier run of the notebook found is not told again."""
    path, out = tmp_path / "n.ipynb", tmp_path / "out"
    run_report("sample", (make_notebook(path, HEADLINE),), out, progress=False)
    report = run_report("sample", (make_notebook(path, "import os; os._exit(1)"),), out, progress=False)
    assert "kernel" in report.runs[0].error.lower()
    assert report.runs[0].headline == ""


def test_two_notebooks_of_one_name(tmp_path: Path) -> None:
    """Two notebooks whose reports would overwrite each other are refused, both named, before anything is written."""
    other = tmp_path / "other"
    other.mkdir()
    same = make_notebook(other / "02_aws_auth_changes.ipynb", HEADLINE)
    shipped = find_notebooks(["02"])
    with pytest.raises(NotebookError) as caught:
        run_report("sample", (*shipped, same), tmp_path / "out", progress=False)
    assert str(shipped[0].path) in str(caught.value)
    assert str(same.path) in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_a_notebook_is_not_overwritten(tmp_path: Path) -> None:
    """A notebook that lies where its own result would go is refused and not touched, and so is one called index."""
    notebook = make_notebook(tmp_path / "n.ipynb", HEADLINE)
    before = notebook.path.read_bytes()
    with pytest.raises(NotebookError, match="would be overwritten by its own run"):
        run_report("sample", (notebook,), tmp_path, progress=False)
    assert notebook.path.read_bytes() == before
    with pytest.raises(NotebookError, match="would overwrite the index"):
        run_report("sample", (make_notebook(tmp_path / "index.ipynb", HEADLINE),), tmp_path / "out", progress=False)


def test_window_and_parameters_reach_the_notebooks(tmp_path: Path) -> None:
    """Start, end and further parameters are those that the queries ran with."""
    report = run_report(
        "sample",
        find_notebooks(["04"]),
        tmp_path,
        start="2026-11-24T22:30:00Z",
        end="2026-11-24T22:31:00Z",
        parameters={"namespace": "kube-system"},
        progress=False,
    )
    assert report.exit_code == DONE
    (result,) = report.runs[0].results
    assert (result["start"], result["end"]) == ("2026-11-24T22:30:00+00:00", "2026-11-24T22:31:00+00:00")
    assert report.record()["parameters"] == {"namespace": "kube-system"}


def test_an_interrupt_comes_to_the_kernels(tmp_path: Path) -> None:
    """Ctrl-C ends a report at once, and what a notebook is about to take back is taken back before."""
    begun, ended = tmp_path / "begun", tmp_path / "ended"
    code = f"""
import pathlib, time
pathlib.Path({str(begun)!r}).touch()
try:
    time.sleep(60)
finally:
    time.sleep(0.5)
    pathlib.Path({str(ended)!r}).touch()
"""
    notebook = make_notebook(tmp_path / "waits.ipynb", code)
    command = [sys.executable, "-m", "eks_audit_nb.cli", "report", "sample", str(notebook.path)]
    process = subprocess.Popen([*command, "--out", str(tmp_path / "out")], stderr=subprocess.PIPE, text=True)
    while not begun.exists() and process.poll() is None:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    assert "eks-audit: interrupted" in process.communicate(timeout=30)[1]
    assert (process.returncode, ended.exists()) == (ERROR, True)


def test_unknown_parameters_are_refused(tmp_path: Path) -> None:
    """A parameter that no notebook has is refused by name, before anything is written."""
    with pytest.raises(ParameterError, match="'nmespace'. Did you mean 'namespace'"):
        run_report("sample", find_notebooks(["04"]), tmp_path / "out", parameters={"nmespace": "x"}, progress=False)
    assert not (tmp_path / "out").exists()


def test_relative_paths(tmp_path: Path, make_log: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """A relative path is taken from where the command runs, wherever the kernels start."""
    log = make_log(audit_event())
    monkeypatch.chdir(log.parent)
    echo = make_notebook(
        tmp_path / "echo.ipynb", "import os\nfrom eks_audit_nb.reporting import headline\nheadline(source)"
    )
    report = run_report("audit.jsonl", (echo,), tmp_path / "out", progress=False)
    assert report.runs[0].headline == str(log)


def test_modules_of_the_current_folder_are_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A module that lies in the folder where a report is started, as among evidence, is not imported."""
    (tmp_path / "colorsys.py").write_text("raise SystemExit('planted')")
    notebook = make_notebook(tmp_path / "a.ipynb", "import colorsys\nprint(colorsys.hls_to_rgb(0, 0, 0))")
    monkeypatch.chdir(tmp_path)
    report = run_report("sample", [notebook], tmp_path / "out")
    assert [run.error for run in report.runs] == [""]


@pytest.mark.parametrize(
    ("source", "start", "asked"),
    [
        ("audit.jsonl", "", "everything it holds"),
        ("cloudwatch:prod", "", "the last 24 hours"),
        ("cloudwatch:prod", "-6h", "-6h to the end"),
    ],
)
def test_the_window_that_was_asked_for(source: str, start: str, asked: str) -> None:
    """A report says in words what is read where no times are given: a whole log, or a cluster's last 24 hours."""
    assert Report(source, start, "", {}, datetime.now(UTC), "1").window_text == asked
