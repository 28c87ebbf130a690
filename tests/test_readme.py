"""The README says what is so."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from eks_audit_nb.arguments import build_parser, shield_dashes
from eks_audit_nb.queries import list_queries, prepare
from eks_audit_nb.reporting.notebooks import find_notebooks, list_notebooks

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
COMMANDS = [line.strip() for line in re.findall(r"^    .*eks-audit .*$", README, re.MULTILINE)]


@pytest.mark.parametrize("line", COMMANDS)
def test_commands_are_understood(line: str) -> None:
    """Every command of the README is one that the command line takes, with queries and notebooks that there are."""
    words = shlex.split(re.sub(r"^.*?eks-audit ", "", line).partition(" > ")[0])
    given = build_parser().parse_args(shield_dashes(words))
    if hasattr(given, "query") and "|" not in given.query:
        assert given.query in {query.name for query in list_queries()}
    if hasattr(given, "notebooks"):
        assert find_notebooks(given.notebooks)


def test_there_are_commands() -> None:
    """The commands above are found at all, and each command of the command line is shown."""
    shown = {re.sub(r"^.*?eks-audit ", "", line).split()[0] for line in COMMANDS}
    assert {"report", "query", "lab", "collect", "verify"} <= shown
    for name in ("queries", "notebooks"):
        assert f"`eks-audit {name}" in README


def test_make_stands_for_plain_lines() -> None:
    """The plain lines under `make report` and `make test` are those of the Makefile."""
    makefile = (ROOT / "Makefile").read_text().replace("$(BIN)", ".venv/bin").replace("$(VENV)", ".venv")
    for line in (
        ".venv/bin/eks-audit report sample --out report",
        ".venv/bin/python -m pytest -n 2 --dist worksteal",
    ):
        assert f"    {line}\n" in README
        assert f"\t{line}\n" in makefile
    assert "make test\n" in (ROOT / ".ci" / "run").read_text()


def test_saved_queries_are_invoked_rightly() -> None:
    """Every `$name(...)` of the README names a query that ships, with parameters that it has."""
    invoked = re.findall(r"`(\$[^`]+)`", README)
    assert invoked
    for text in invoked:
        assert "$" not in prepare(text, {}).text


def test_questions_are_those_of_the_notebooks() -> None:
    """The table of questions lists every notebook."""
    listed = re.findall(r"^\| `(\d\d_\w+)` \|", README, re.MULTILINE)
    assert listed == [notebook.name for notebook in list_notebooks()]


def test_pictures_and_files_are_there() -> None:
    """What the README shows or links to is in the repository."""
    for target in re.findall(r"\]\(([^)]+)\)", README):
        assert (ROOT / target).is_file()
    for path in re.findall(r"`(eks_audit_nb/[\w/.]+)`", README):
        assert (ROOT / path).exists()
