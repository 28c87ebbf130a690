"""A report loads nothing, runs nothing, hides the code and keeps the meaning of its figures."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from eks_audit_nb.reporting.html import notebook_html
from eks_audit_nb.reporting.notebooks import list_notebooks

HOSTILE = "<script>alert(1)</script>"


class Page(HTMLParser):
    """The elements of a page, with their attributes."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


def executed(path: Path, *outputs: dict[str, object], markdown: str = "# Title\n\nQuestion?") -> Path:
    cell = new_code_cell("secret_code = 1", execution_count=1)
    cell.outputs = [new_output(**output) for output in outputs]
    nbformat.write(new_notebook(cells=[new_markdown_cell(markdown), cell]), path)
    return path


@pytest.mark.parametrize("notebook", list_notebooks(), ids=lambda notebook: notebook.name)
def test_reports_are_self_contained(sample_report: Path, notebook: object) -> None:
    """A report holds no script, and every address in it is its own data, a place in it, or another report beside it."""
    html = (sample_report / f"{notebook.name}.html").read_text()  # type: ignore[attr-defined]
    page = Page(html)
    assert not page.all("script")
    assert not page.all("link")
    assert not page.all("iframe")
    for image in page.all("img"):
        assert str(image["src"]).startswith("data:image/png;base64,")
        assert len(str(image["alt"])) > 40
    for link in page.all("a"):
        assert re.fullmatch(r"#.*|[\w.-]+\.html", str(link["href"]))
    assert "http-equiv" in html
    assert "default-src 'none'" in html


def test_code_is_hidden(sample_report: Path) -> None:
    """The reader of a report sees no code."""
    for path in sample_report.glob("*.html"):
        assert "from eks_audit_nb import" not in path.read_text()


def test_links_between_reports(sample_report: Path) -> None:
    """Links between the notebooks lead to the reports, which are there."""
    targets = {link["href"] for path in sample_report.glob("0*.html") for link in Page(path.read_text()).all("a")}
    pages = {str(target) for target in targets if not str(target).startswith("#")}
    assert "02_aws_auth_changes.html" in pages
    assert all((sample_report / page).is_file() for page in pages)


def test_index(sample_report: Path) -> None:
    """The index links every report and shows its headline, window and completeness."""
    html = (sample_report / "index.html").read_text()
    page = Page(html)
    assert [link["href"] for link in page.all("a")] == [f"{notebook.name}.html" for notebook in list_notebooks()]
    count = len(list_notebooks())
    assert f"{count} notebooks ran, none failed; every answer that was given covers its whole window." in html
    assert "28 requests without a valid identity" in html
    assert html.count("<td>2026-11-24 22:28:14 to 2026-11-24 22:37:07</td>") == count
    assert not page.all("script")


def test_hostile_outputs(tmp_path: Path) -> None:
    """Text of the log stays text, and scripts of outputs are left out or cannot run under the page's policy."""
    path = executed(
        tmp_path / "n.ipynb",
        {"output_type": "stream", "name": "stdout", "text": HOSTILE},
        {"output_type": "stream", "name": "stderr", "text": HOSTILE},
        {"output_type": "error", "ename": HOSTILE, "evalue": HOSTILE, "traceback": [HOSTILE]},
        {"output_type": "display_data", "data": {"text/plain": HOSTILE}},
        {"output_type": "display_data", "data": {"application/javascript": "alert(1)", "text/plain": "js"}},
    )
    html = notebook_html(path, HOSTILE, HOSTILE)
    assert "<script" not in html
    assert "alert(1)\n" not in html
    assert html.count("&lt;script&gt;") >= 6
    assert "secret_code" not in html


LINKS = (
    "# T\n\nGo to [the one](02_a.ipynb), [the other](./03_b.ipynb), [a third](my%20c.ipynb), [a far](../02_a.ipynb)."
)


def test_links_lead_only_to_reports_of_the_run(tmp_path: Path) -> None:
    """A link to a notebook without a report beside this one becomes its words."""
    path = executed(tmp_path / "n.ipynb", markdown=LINKS)
    html = notebook_html(path, "T", "F", {"02_a", "my c"})
    assert [link["href"] for link in Page(html).all("a") if not str(link["href"]).startswith("#")] == [
        "index.html",
        "02_a.html",
        "my%20c.html",
    ]
    assert ", the other, " in html
    assert ", a far." in html


def test_scrolling_parts_take_the_focus(sample_report: Path) -> None:
    """Whatever may scroll sideways can be reached with the keyboard and has a name."""
    for path in sample_report.glob("*.html"):
        parts = [each for each in Page(path.read_text()).all("div") if each.get("class") == "eks-audit-scroll"]
        assert parts
        assert all(part["tabindex"] == "0" and part["role"] == "region" and part["aria-label"] for part in parts)


def test_every_table_has_a_caption(sample_report: Path) -> None:
    """Every table of the reports and of the index says what it is."""
    for path in sample_report.glob("*.html"):
        page = Page(path.read_text())
        assert len(page.all("table")) == len(page.all("caption"))


def test_errors_are_short(tmp_path: Path) -> None:
    """A failed cell shows what went wrong, without the way it came about."""
    error = {"output_type": "error", "ename": "WindowError", "evalue": "no time", "traceback": ["File x, line 1"]}
    html = notebook_html(executed(tmp_path / "n.ipynb", error), "T", "F")
    assert "<strong>WindowError</strong>" in html
    assert "no time" in html
    assert "File x" not in html
