"""The notebooks that ship: where they are, what each asks, and which parameters it takes."""

from __future__ import annotations

import difflib
import json
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from eks_audit_nb.errors import NotebookError, ParameterError

# The notebook that describes a cluster itself, also one without a log.
SETUP = "00_setup"


@dataclass(frozen=True)
class Parameter:
    """One line of a notebook's parameters cell; `default` is the text of the literal."""

    name: str
    type: str
    default: str
    help: str


@dataclass(frozen=True)
class Notebook:
    """One question."""

    path: Path
    title: str
    question: str

    @property
    def name(self) -> str:
        """The file's name without its ending: `02_aws_auth_changes`."""
        return self.path.stem


def notebooks_folder() -> Path:
    """Where the notebooks are: inside an installed package, or at the top of a checkout."""
    package = Path(str(files("eks_audit_nb")))
    inside, beside = package / "notebooks", package.parent / "notebooks"
    return inside if inside.is_dir() else beside


def list_notebooks() -> tuple[Notebook, ...]:
    """All notebooks that ship, by number."""
    return tuple(read_notebook(path) for path in sorted(notebooks_folder().glob("[0-9]*.ipynb")))


def find_notebooks(wanted: list[str]) -> tuple[Notebook, ...]:
    """The notebooks of these names, numbers or paths; all that ship where none is given.

    Raises:
        NotebookError: No such notebook; the message names the nearest.
    """
    shipped = list_notebooks()
    if not wanted:
        return shipped
    found = []
    for text in wanted:
        if text.endswith(".ipynb") and Path(text).is_file():
            found.append(read_notebook(Path(text)))
            continue
        stem = text.removesuffix(".ipynb")
        number = stem.zfill(2) if stem.isdecimal() else stem
        matches = [each for each in shipped if stem in (each.name, each.name[3:]) or number == each.name[:2]]
        if not matches:
            names = [each.name for each in shipped]
            near = difflib.get_close_matches(stem, [*names, *(name[3:] for name in names)], 1)
            hint = f"Did you mean {near[0]!r}?" if near else f"There are: {', '.join(names)}."
            raise NotebookError(f"There is no notebook {text!r}. {hint}")
        found += matches
    unique: dict[Path, Notebook] = {}  # one file can be named in several ways
    for notebook in found:
        unique.setdefault(notebook.path.resolve(), notebook)
    return tuple(unique.values())


def read_notebook(path: Path) -> Notebook:
    """Title and question of a notebook: the first heading, and the paragraph below it.

    Raises:
        NotebookError: The file is no notebook.
    """
    try:
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        first = "".join(cells[0]["source"])
    except (OSError, ValueError, LookupError, TypeError):
        raise NotebookError(f"{path} is not a Jupyter notebook.") from None
    title, _, rest = first.partition("\n")
    question = rest.strip().partition("\n\n")[0].replace("\n", " ").strip("* ")
    return Notebook(path, title.lstrip("# ").strip(), question)


def parameters_of(notebook: Notebook) -> dict[str, Parameter]:
    """What a notebook can be given, by papermill's own inspection of its parameters cell.

    Raises:
        NotebookError: The notebook names no kernel, so that papermill cannot tell its language.
    """
    from papermill import inspect_notebook

    try:
        inspected = inspect_notebook(papermill_path(notebook.path))
    except ValueError as error:
        raise NotebookError(f"{notebook.path} cannot be run: {error} Save it with a Python kernel first.") from None
    return {
        name: Parameter(name, found["inferred_type_name"] or "str", found["default"], found["help"] or "")
        for name, found in inspected.items()
    }


def papermill_path(path: Path) -> str:
    """The path as papermill takes it: it would fill in what stands in braces."""
    return str(path).replace("{", "{{").replace("}", "}}")


def typed_parameters(notebook: Notebook, given: dict[str, str]) -> dict[str, object]:
    """Texts from the command line as values of the types that the notebook declares.

    Text stays text: an account id keeps its leading zero, which papermill's own -p would take from it. Names that the
    notebook does not have are left out; `refuse_unknown` has seen to those that none has.

    Raises:
        ParameterError: A text that is no value of the type.
    """
    known = parameters_of(notebook)
    return {name: _converted(known[name], text, notebook) for name, text in given.items() if name in known}


def refuse_unknown(notebooks: tuple[Notebook, ...], given: dict[str, str]) -> None:
    """Refuse a parameter that none of the notebooks has.

    Raises:
        ParameterError: Names the parameter, and those that there are.
    """
    known: dict[str, list[str]] = {}
    for notebook in notebooks:
        for name in parameters_of(notebook):
            known.setdefault(name, []).append(notebook.name)
    for name in given:
        if name not in known:
            near = difflib.get_close_matches(name, known, 1)
            hint = f"Did you mean {near[0]!r}?" if near else f"They have: {', '.join(known)}."
            raise ParameterError(f"None of the notebooks has a parameter {name!r}. {hint}")


def _converted(parameter: Parameter, text: str, notebook: Notebook) -> object:
    try:
        match parameter.type:
            case "int":
                return int(text)
            case "float":
                return float(text)
            case "bool":
                return {"true": True, "false": False}[text.lower()]
            case _:
                return text
    except (ValueError, KeyError):
        wanted = {"int": "a whole number", "float": "a number", "bool": "true or false"}[parameter.type]
        message = f"The parameter {parameter.name} of {notebook.name} takes {wanted}, not {text!r}."
        raise ParameterError(message) from None
