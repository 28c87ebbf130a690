"""A working copy of the notebooks, set to a source, for an analyst to change at will."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

from eks_audit_nb.reporting.notebooks import list_notebooks
from eks_audit_nb.sources.by_name import absolute

_SOURCE_LINE = re.compile(r'^source: str = "[^"]*"')


def make_workspace(folder: Path, source: str) -> Path:
    """Copy the notebooks that are not there yet and set their source; what was changed there is kept.

    Returns:
        The folder's absolute path.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for notebook in list_notebooks():
        target = folder / notebook.path.name
        if not target.exists():
            shutil.copyfile(notebook.path, target)
        _set_source(target, absolute(source))
    return folder.absolute()


def _set_source(path: Path, source: str) -> None:
    content = json.loads(path.read_text(encoding="utf-8"))
    for cell in content["cells"]:
        if "parameters" in cell.get("metadata", {}).get("tags", []):
            lines = "".join(cell["source"]).split("\n")
            changed = [_SOURCE_LINE.sub(lambda _: f"source: str = {json.dumps(source)}", line) for line in lines]
            cell["source"] = "\n".join(changed).splitlines(keepends=True)
    path.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
