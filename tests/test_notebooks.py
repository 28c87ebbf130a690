"""The notebooks that ship are thin, stripped, parameterized, and found by name."""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path
from typing import Any

import nbformat
import pytest
from papermill import inspect_notebook

from eks_audit_nb.errors import NotebookError, ParameterError
from eks_audit_nb.reporting.notebooks import (
    SETUP,
    Notebook,
    find_notebooks,
    list_notebooks,
    notebooks_folder,
    parameters_of,
    read_notebook,
    refuse_unknown,
    typed_parameters,
)

PYTHON = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
SHIPPED = list_notebooks()
each_notebook = pytest.mark.parametrize("notebook", SHIPPED, ids=lambda notebook: notebook.name)


def cells_of(notebook: Notebook, kind: str) -> list[Any]:
    return [cell for cell in nbformat.read(notebook.path, as_version=4).cells if cell.cell_type == kind]


def code_lines(source: str) -> list[str]:
    return [line for line in source.splitlines() if line.strip() and not line.strip().startswith("#")]


def test_numbers() -> None:
    """The notebooks that there are, by number; those between are kept free."""
    assert [notebook.name[:2] for notebook in SHIPPED] == [
        "00",
        "02",
        "03",
        "04",
        "05",
        "06",
        "07",
        "08",
        "09",
        "10",
        "11",
    ]


@each_notebook
def test_stripped(notebook: Notebook) -> None:
    """A notebook in git holds no output, no execution count and no trace of a run: audit data there would be a leak."""
    content = nbformat.read(notebook.path, as_version=4)
    nbformat.validate(content)
    assert set(content.metadata) == {"kernelspec", "language_info"}
    assert content.metadata.kernelspec.name == "python3"
    for cell in cells_of(notebook, "code"):
        assert not cell.outputs
        assert cell.execution_count is None
        assert set(cell.metadata) <= {"tags"}


@each_notebook
def test_thin(notebook: Notebook) -> None:
    """A notebook has 12 to 30 lines of code, at most 12 a cell, and defines nothing: that belongs in the package."""
    sources = [cell.source for cell in cells_of(notebook, "code")]
    assert 12 <= sum(len(code_lines(source)) for source in sources) <= 30
    for source in sources:
        assert len(code_lines(source)) <= 12
        assert not re.search(r"^\s*(def|class|for|while|try)\b", source, re.MULTILINE)
        ast.parse(source)


@each_notebook
def test_reads_as_a_report(notebook: Notebook) -> None:
    """One title, the question first, and at the end how far to trust the answer and where it came from."""
    markdown = [cell.source for cell in cells_of(notebook, "markdown")]
    text = "\n".join(markdown)
    assert re.findall(r"^# .+", text, re.MULTILINE) == [f"# {notebook.title}"]
    assert notebook.question.endswith("?")
    for heading in ("## Blind spots", "## Provenance"):
        assert heading in text
    if notebook.name != "00_setup":
        for heading in ("## The answer", "## How to read it", "## False positives"):
            assert heading in text
    assert "**Where to go next:**" in text
    assert len(markdown) >= len(cells_of(notebook, "code")) - 2


@each_notebook
def test_links_lead_somewhere(notebook: Notebook) -> None:
    """Links between notebooks name files that are there, and no link leads out of the report."""
    text = "\n".join(cell.source for cell in cells_of(notebook, "markdown"))
    for target in re.findall(r"\]\(([^)]+)\)", text):
        assert (notebook.path.parent / target).is_file()
    assert "://" not in text


@each_notebook
def test_parameters_are_understood(notebook: Notebook) -> None:
    """papermill, which reads line by line, finds every parameter with its type and help."""
    (cell,) = [cell for cell in cells_of(notebook, "code") if "parameters" in cell.metadata.get("tags", [])]
    assigned = [node.target.id for node in ast.parse(cell.source).body if isinstance(node, ast.AnnAssign)]  # type: ignore[union-attr]
    inspected = inspect_notebook(notebook.path)
    assert list(inspected) == assigned
    assert assigned[:3] == ["source", "start", "end"]
    assert all(parameter["help"] and parameter["inferred_type_name"] for parameter in inspected.values())


def test_found_by_name_and_number() -> None:
    """A notebook is found by its number, its name, its name without the number, and its path."""
    wanted = find_notebooks(["02"])
    assert wanted == find_notebooks(["02_aws_auth_changes"]) == find_notebooks(["aws_auth_changes"])
    assert wanted == find_notebooks([str(notebooks_folder() / "02_aws_auth_changes.ipynb")])
    assert find_notebooks([]) == SHIPPED
    assert find_notebooks(["04", "02", "04"]) == (*find_notebooks(["04"]), *wanted)


def test_found_by_a_number_without_its_zero() -> None:
    """The number of a notebook needs no leading zero."""
    assert find_notebooks(["2"]) == find_notebooks(["02"])
    assert find_notebooks(["0"]) == find_notebooks(["00"])


def test_one_file_named_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    """A notebook that is named by its number and by its path, absolute or relative, is one."""
    monkeypatch.chdir(notebooks_folder())
    path = notebooks_folder() / "02_aws_auth_changes.ipynb"
    assert find_notebooks(["02", path.name, str(path)]) == find_notebooks(["02"])


def test_unknown_notebook() -> None:
    """A wrong name is refused with the nearest right one."""
    with pytest.raises(NotebookError, match="Did you mean '04_secret_activity'"):
        find_notebooks(["04_secret_activty"])
    with pytest.raises(NotebookError, match="There are: 00_setup"):
        find_notebooks(["99"])


def test_no_notebook(tmp_path: Path) -> None:
    """A file that is no notebook is refused by its path."""
    path = tmp_path / "x.ipynb"
    path.write_text("not json")
    with pytest.raises(NotebookError, match=r"x\.ipynb is not a Jupyter notebook"):
        read_notebook(path)


def test_no_kernel(tmp_path: Path) -> None:
    """A notebook that names no kernel is refused with what to do about it."""
    path = tmp_path / "x.ipynb"
    cell = nbformat.v4.new_code_cell("a: int = 1  # one", metadata={"tags": ["parameters"]})
    path.write_text(json.dumps(nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell("# T"), cell])))
    with pytest.raises(NotebookError, match="Save it with a Python kernel first"):
        parameters_of(read_notebook(path))


def test_braces_in_a_path(tmp_path: Path) -> None:
    """Braces in a notebook's path are part of it, and not a place for papermill to fill in."""
    folder = tmp_path / "{source}"
    folder.mkdir()
    path = folder / "x{y}.ipynb"
    path.write_text(notebooks_folder().joinpath("04_secret_activity.ipynb").read_text())
    assert "namespace" in parameters_of(read_notebook(path))


def test_unknown_parameter() -> None:
    """A parameter that no notebook has is refused by name, with the nearest one, where papermill would only warn."""
    with pytest.raises(ParameterError, match="has a parameter 'namspace'. Did you mean 'namespace'"):
        refuse_unknown(SHIPPED, {"namspace": "x"})
    refuse_unknown(SHIPPED, {"namespace": "x"})


@pytest.fixture
def typed(tmp_path: Path) -> Notebook:
    """A notebook with a parameter of each type."""
    lines = ('account: str = ""  # 12 digits', "limit: int = 1  # rows", "share: float = 0.5  # of all")
    source = "\n".join([*lines, "apply: bool = False  # do"])
    cell = nbformat.v4.new_code_cell(source, metadata={"tags": ["parameters"]})
    content = nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell("# T\n\nQ?"), cell], metadata=PYTHON)
    path = tmp_path / "t.ipynb"
    path.write_text(json.dumps(content))
    return read_notebook(path)


def test_text_stays_text(typed: Notebook) -> None:
    """Values become what the notebook declares: an account id keeps its leading zero."""
    given = {"account": "012345678901", "limit": "5", "share": "0.25", "apply": "true", "other": "left out"}
    values = typed_parameters(typed, given)
    assert values == {"account": "012345678901", "limit": 5, "share": 0.25, "apply": True}
    assert [parameter.type for parameter in parameters_of(typed).values()] == ["str", "int", "float", "bool"]


@pytest.mark.parametrize(
    ("name", "text", "wanted"),
    [("limit", "five", "a whole number"), ("share", "half", "a number"), ("apply", "maybe", "true or false")],
)
def test_wrong_type(typed: Notebook, name: str, text: str, wanted: str) -> None:
    """A text that is no value of the declared type is refused before anything runs."""
    with pytest.raises(ParameterError, match=f"{name} of t takes {wanted}, not '{text}'"):
        typed_parameters(typed, {name: text})


def test_the_setup_notebook_ships() -> None:
    """The notebook that describes a cluster is one of those that ship."""
    assert find_notebooks([SETUP])[0].name == SETUP
