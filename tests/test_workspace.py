"""The working copy is the analyst's: set to a source, and never overwritten."""

from __future__ import annotations

import json
from pathlib import Path

import nbformat

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
