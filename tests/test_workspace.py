"""The working copy is the analyst's: set to a source, and never overwritten."""

from __future__ import annotations

import json
from pathlib import Path

import nbformat
import pytest

from eks_audit_nb.errors import NotebookError
from eks_audit_nb.reporting.notebooks import list_notebooks
from eks_audit_nb.reporting.workspace import make_workspace


def parameters(path: Path) -> str:
    return str(nbformat.read(path, as_version=4).cells[1].source)


def test_copies_are_set_to_the_source(tmp_path: Path) -> None:
    """Every notebook is copied, and its source is the one that was named, whatever signs are in its path."""
    log = tmp_path / 'my "logs"\\1.jsonl'
    folder = make_workspace(tmp_path / "work", str(log))
    assert sorted(path.name for path in folder.iterdir()) == [notebook.path.name for notebook in list_notebooks()]
    first = parameters(folder / "02_aws_auth_changes.ipynb").splitlines()[0]
    assert first.startswith(f"source: str = {json.dumps(str(log))}  #")
    namespace: dict[str, object] = {}
    exec(first, namespace)  # noqa: S102  # the line is to be Python that gives the path back
    assert namespace["source"] == str(log)


def test_a_source_is_set_anew(tmp_path: Path) -> None:
    """A source whose name holds quotes and backslashes, or signs of any language, gives way to another whole."""
    for name in ('a "b" \\', "\\", '"', "\U0001f600"):
        path = make_workspace(tmp_path, f"cloudwatch:{name}") / "02_aws_auth_changes.ipynb"
        namespace: dict[str, object] = {}
        exec(parameters(path), namespace)  # noqa: S102  # the cell is to be Python that gives the name back
        assert namespace["source"] == f"cloudwatch:{name}"
        assert parameters(path).splitlines()[0].endswith("  # sample, a file, a folder, a glob, or cloudwatch:CLUSTER")


def test_without_a_source(tmp_path: Path) -> None:
    """Where no source is named, notebooks that are there keep theirs, and new copies read the sample."""
    folder = make_workspace(tmp_path, "cloudwatch:prod")
    (folder / "04_secret_activity.ipynb").unlink()
    make_workspace(tmp_path)
    assert 'source: str = "cloudwatch:prod"' in parameters(folder / "02_aws_auth_changes.ipynb")
    assert 'source: str = "sample"' in parameters(folder / "04_secret_activity.ipynb")


@pytest.mark.parametrize("content", ["not json", "[]", "{}", '{"cells": 1}', '{"cells": ["x"]}', b"\xff"])
def test_damaged_notebook(tmp_path: Path, content: str | bytes) -> None:
    """A file in a notebook's place that is none is refused by its path, and not touched."""
    path = tmp_path / "02_aws_auth_changes.ipynb"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    before = path.read_bytes()
    with pytest.raises(NotebookError, match=r"02_aws_auth_changes\.ipynb is not a Jupyter notebook"):
        make_workspace(tmp_path, "sample")
    assert path.read_bytes() == before


def test_changes_are_kept(tmp_path: Path) -> None:
    """A second call sets the source anew and leaves everything else that was changed."""
    folder = make_workspace(tmp_path, "sample")
    path = folder / "02_aws_auth_changes.ipynb"
    content = nbformat.read(path, as_version=4)
    content.cells.append(nbformat.v4.new_markdown_cell("my note"))
    nbformat.write(content, path)
    make_workspace(tmp_path, "cloudwatch:prod")
    assert 'source: str = "cloudwatch:prod"' in parameters(path)
    assert nbformat.read(path, as_version=4).cells[-1].source == "my note"
