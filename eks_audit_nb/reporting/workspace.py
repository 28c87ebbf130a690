"""A working copy of the notebooks, set to a source, for an analyst to change at will."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

from eks_audit_nb.errors import NotebookError
from eks_audit_nb.reporting.notebooks import list_notebooks
from eks_audit_nb.sources.by_name import absolute

_SOURCE_LINE = re.compile(r'^source: str = "(?:\\.|[^"\\])*"')


def make_workspace(folder: Path, source: str = "") -> Path:
    """Copy the notebooks that are not there yet; what was changed there is kept.

    Args:
        folder: Where to; made if it is not there.
        source: What all of them are set to read. Where it is empty new copies read the sample, and those that were
            there keep their source.

    Returns:
        The folder's absolute path.

    Raises:
        NotebookError: A file of the folder is no notebook, so that its source cannot be set.
        OSError: The folder cannot be made or written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for notebook in list_notebooks():
        target = folder / notebook.path.name
        if not target.exists():
            shutil.copyfile(notebook.path, target)
        if source:
            _set_source(target, absolute(source))
    return folder.absolute()


def _set_source(path: Path, source: str) -> None:
    wanted = f"source: str = {json.dumps(source, ensure_ascii=False)}"
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        for cell in content["cells"]:
            if "parameters" in cell.get("metadata", {}).get("tags", []):
                lines = "".join(cell["source"]).split("\n")
                changed = [_SOURCE_LINE.sub(lambda _: wanted, line) for line in lines]
                cell["source"] = "\n".join(changed).splitlines(keepends=True)
    except (ValueError, LookupError, TypeError, AttributeError):
        message = f"{path} is not a Jupyter notebook. Mend it or delete it; it is copied anew where it is missing."
        raise NotebookError(message) from None
    path.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
