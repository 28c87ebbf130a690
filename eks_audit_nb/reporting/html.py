"""A notebook that has run, to one HTML file that loads nothing; and the index over a run's reports."""

from __future__ import annotations

import re
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import nbformat
from jinja2 import Template
from markupsafe import Markup

from eks_audit_nb.reporting.page import TEMPLATES, style_sheet, template_text

if TYPE_CHECKING:
    from eks_audit_nb.reporting.run import Report

_LINK_TO_NOTEBOOK = re.compile(r"\[(?P<words>[^\]]*)\]\((?:\./)?(?P<name>[^)\s]*)\.ipynb\)")

_PAPERMILL_MARK = "papermill-error-cell-tag"


def notebook_html(path: Path, title: str, footer: str, beside: Collection[str] = ()) -> str:
    """The report of an executed notebook: code hidden, alt text kept, no script and no outside address.

    Args:
        path: The executed notebook.
        title: Of the page.
        footer: What stands below everything.
        beside: Names of the notebooks whose reports lie beside this one; links lead to these only.
    """
    from nbconvert import HTMLExporter

    node = nbformat.read(path, as_version=4)
    for cell in node.cells:
        if _PAPERMILL_MARK in cell.metadata.get("tags", ()):
            cell.source = _told_to_readers(cell.source)
        elif cell.cell_type == "markdown":
            cell.source = _LINK_TO_NOTEBOOK.sub(lambda link: _link_to_report(link, beside), cell.source)
    exporter = HTMLExporter(
        template_name="eks_audit",
        extra_template_basedirs=[str(TEMPLATES)],
        exclude_input=True,
        exclude_input_prompt=True,
        exclude_output_prompt=True,
    )
    resources = {"eks_audit": {"title": title, "footer": footer, "style": style_sheet()}}
    html, _ = exporter.from_notebook_node(node, resources=resources)
    return str(html)


def _told_to_readers(mark: str) -> str:
    """The marks that papermill puts above a notebook that failed and above its error speak of code, which is hidden."""
    if 'id="papermill-error-cell"' in mark:
        return '<span id="papermill-error-cell"></span>'
    return "**This notebook broke off before its end: [what went wrong](#papermill-error-cell).**"


def _link_to_report(link: re.Match[str], beside: Collection[str]) -> str:
    """The notebooks link to each other; the reports do the same, as far as they are there."""
    return f"[{link['words']}]({link['name']}.html)" if unquote(link["name"]) in beside else link["words"]


def index_html(report: Report) -> str:
    """The page that says what ran, what each notebook answers, and what went wrong."""
    template = Template(template_text("index.html"), autoescape=True)
    page: str = template.render(report=report, style=Markup(style_sheet()))  # noqa: S704  # the style sheet is ours
    return page + "\n"


def outputs(path: Path, mimetype: str) -> list[dict[str, Any]]:
    """What an executed notebook put out in one of the package's own formats, in order."""
    node = nbformat.read(path, as_version=4)
    return [
        output.data[mimetype]
        for cell in node.cells
        if cell.cell_type == "code"
        for output in cell.outputs
        if output.output_type in ("execute_result", "display_data") and mimetype in output.data
    ]
