"""Tests of what all pages share."""

from __future__ import annotations

import subprocess
import sys

from eks_audit_nb.reporting.page import style_sheet, template_text


def test_templates_and_style_are_there() -> None:
    """Each page's template is found by its name, and the style sheet loads nothing."""
    assert all("<html" in template_text(name) for name in ("index.html", "write_up.html"))
    assert "url(" not in style_sheet()
    assert "@import" not in style_sheet()


def test_notebooks_load_no_nbformat() -> None:
    """What a notebook imports loads neither nbformat nor nbconvert, which take longer than most notebooks to run."""
    code = "import sys, eks_audit_nb.reporting; print(*{'nbformat', 'nbconvert', 'jsonschema'} & set(sys.modules))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.split() == []
