"""What all pages share: the templates and the style sheet.

Apart from `html`, since that needs nbformat, which takes longer to load than most notebooks to run.
"""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

TEMPLATES = Path(str(files("eks_audit_nb.reporting"))) / "templates"


def template_text(name: str) -> str:
    """A template of the reports, by its file's name."""
    return (TEMPLATES / name).read_text(encoding="utf-8")


def style_sheet() -> str:
    """The style of all reports."""
    return (TEMPLATES / "eks_audit" / "style.css").read_text(encoding="utf-8")
