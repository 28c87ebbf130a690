"""The write-up of an act as a document: sections of sentences and tables, as Markdown and as HTML to edit and send."""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from html import escape
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pandas as pd
from jinja2 import Template
from markupsafe import Markup

from eks_audit_nb.analysis.draft import Draft
from eks_audit_nb.reporting.page import style_sheet, template_text
from eks_audit_nb.reporting.shown import Shown
from eks_audit_nb.reporting.tables import cell_kind, plain_text
from eks_audit_nb.reporting.told import code, code_html, prose, prose_html
from eks_audit_nb.sources.base import SAMPLE, Result

_TO_FILL = ("Author", "Reviewed by", "Case or ticket", "What it means, and whether it was authorized")
_MOST_ROWS = 60
_NOTICE = (
    "A draft, made by a program from an audit log. Read it, cut it, fill in what is open, and put your name to it."
)
_CERTAINTY = (
    "proven: the API server or its authenticator wrote it. inferred: a rule concludes it. claimed: the client wrote "
    "it, and could have written anything. not known: the log does not say."
)
_CALLERS = (
    "One row a credential: a username can be shared, and is given by a mapping. The table of the evidence says with "
    "which credential each request was made."
)
_ESCAPES = (
    "Text from the log stands as it was recorded. Characters that could act as markup, as a formula or on a terminal "
    "are written as escapes of four or eight hexadecimal digits."
)
# Columns that hold one value of the log, which stands as a piece of code; the others are sentences.
_VALUES = frozenset(
    {"name", "username", "arn", "what", "object", "audit_id", "credential", "holder", "source_ip", "sha256"}
)


@dataclass(frozen=True)
class Table:
    """Rows of a document: the captions of the columns, and for each cell its text and whether it is one value."""

    caption: str
    headings: tuple[str, ...]
    rows: tuple[tuple[tuple[str, bool], ...], ...]


@dataclass(frozen=True)
class Section:
    """A heading with sentences, a list of sentences, and tables."""

    title: str
    sentences: tuple[str, ...] = ()
    items: tuple[str, ...] = ()
    tables: tuple[Table, ...] = ()


@dataclass(frozen=True)
class WriteUp:
    """A document that shows itself in Jupyter, and can be saved.

    Attributes:
        title: What it is called.
        sections: In their order.
    """

    title: str
    sections: tuple[Section, ...]

    @property
    def markdown(self) -> str:
        """The document in Markdown; what comes from the log stands in pieces of code."""
        text: str = Template(template_text("write_up.md"), keep_trailing_newline=True).render(self._told(prose, code))
        return text.rstrip() + "\n"

    @property
    def html(self) -> str:
        """A page that loads nothing and runs nothing; its text can be changed in a browser, and saved from there."""
        style = Markup(style_sheet())  # noqa: S704  # it is ours
        page: str = Template(template_text("write_up.html"), autoescape=True).render(
            **self._told(prose_html, code_html),
            level=2,
            style=style,
            is_page=True,  # the style sheet is ours
        )
        return page + "\n"

    def save(self, folder: str) -> Shown:
        """Write NAME.md and NAME.html into a folder, never over a file that is there: it may have been edited.

        Args:
            folder: Made if it is not there; with "" nothing is written.

        Raises:
            OSError: The folder cannot be made or written.
        """
        if not folder.strip():
            return _sentence("Nothing was written: the parameter out names no folder.")
        place = Path(folder).expanduser()
        place.mkdir(parents=True, exist_ok=True)
        texts = {"md": self.markdown, "html": self.html}
        names = (f"write-up{f'-{number}' if number > 1 else ''}" for number in range(1, 10_000))
        name = next(each for each in names if not any((place / f"{each}.{ending}").exists() for ending in texts))
        for ending, text in texts.items():
            (place / f"{name}.{ending}").write_text(text, encoding="utf-8")
        return _sentence(f"Written: {', '.join(str(place / f'{name}.{ending}') for ending in texts)}.")

    def _told(self, sentence: Callable[[object], str], value: Callable[[object], str]) -> dict[str, Any]:
        """Every text of the document in one form."""

        def cells(row: Iterable[tuple[str, bool]]) -> list[dict[str, str]]:
            return [
                {"text": value(text) if is_value else sentence(text), "kind": cell_kind(text)} for text, is_value in row
            ]

        sections = [
            {
                "title": sentence(section.title),
                "sentences": list(map(sentence, section.sentences)),
                "items": list(map(sentence, section.items)),
                "tables": [
                    {
                        "caption": sentence(table.caption),
                        "headings": list(map(sentence, table.headings)),
                        "rows": list(map(cells, table.rows)),
                    }
                    for table in section.tables
                ],
            }
            for section in self.sections
        ]
        return {
            "title": sentence(self.title),
            "notice": sentence(_NOTICE),
            "to_fill": list(map(sentence, _TO_FILL)),
            "sections": sections,
        }

    def _repr_mimebundle_(self, **_: object) -> dict[str, str]:
        body: str = Template(template_text("write_up.html"), autoescape=True).render(
            **self._told(prose_html, code_html), level=3, style="", is_page=False
        )
        copy = f"<details><summary>The same as Markdown, to copy</summary><pre>{escape(self.markdown)}</pre></details>"
        return {"text/plain": self.markdown, "text/html": body + copy}


def write_up(draft: Draft, title: str, source: str, *results: Result, nothing: str = "") -> WriteUp:
    """The document of a draft.

    Args:
        draft: What `drafted` gives.
        title: What it is called; made from the draft where it is empty.
        source: The name of the source, as `connect` takes it.
        results: What the draft was made from; the last ones are told as where it comes from.
        nothing: What is said where nothing was found.
    """
    origin = Section("Where this comes from", (_ESCAPES,), tuple(_facts(source)), (_queries(results),))
    if not draft.summary:
        return WriteUp(title or "Nothing to write up", (Section("Nothing to write up", (nothing,)), origin))
    return WriteUp(title or _title(draft), (*_sections(draft), origin))


def _title(draft: Draft) -> str:
    act = draft.stated.loc[draft.stated["part"].eq("Act"), "text"]
    return f"Write-up: {act.iloc[0] if len(act) else 'an act'}"


def _sections(draft: Draft) -> Iterable[Section]:
    yield Section("Summary", (draft.summary,))
    stated = {"part": "Part", "text": "Statement", "certainty": "Certainty", "evidence": "Evidence"}
    tables: tuple[Table, ...] = (_table("Part by part", draft.stated, stated),)
    yield Section("What is stated, and how sure it is", (_CERTAINTY,), (), tables)
    path = {"way": "Way", "step": "Step", "part": "Part", "name": "Name", "explanation": "How, and since when"}
    path |= {"basis": "Basis", "audit_id": "Audit id"}
    tables = (_table("The way through the rules", draft.path, path),) if len(draft.path) else ()
    yield Section("Why it could happen", (), draft.cause, tables)
    yield Section("What followed", (), draft.effects)
    callers = {"usernames": "Caller", "principal_kinds": "Kind", "principals": "Principal", "sessions": "Session"}
    callers |= {"credential": "Credential", "acted_as": "Acting as", "addresses": "From", "requests": "Requests"}
    values = {"usernames", "principals", "sessions", "acted_as", "addresses"}
    table = _table("Callers of the requests below", draft.callers, callers, values)
    yield Section("Who is who", (_CALLERS,), (), (table,))
    left = [f"{count:,} more requests of the part {part!r} are not listed." for part, count in draft.left_out.items()]
    line = {"time": "Time (UTC)", "part": "Part", "username": "Caller", "what": "What", "outcome": "Outcome"}
    line |= {"known": "How it belongs here", "audit_id": "Audit id"}
    yield Section("Timeline", (), tuple(left), (_table("In the order of time", draft.timeline, line, rows=300),))
    chain = {"step": "Step", "credential": "Credential", "kind": "Kind", "holder": "It makes its holder"}
    chain |= {"issued": "Issued (UTC)", "username": "Asked for by", "arn": "IAM ARN", "source_ip": "From"}
    chain |= {"basis": "Basis", "explanation": "Explanation", "audit_id": "Audit id"}
    told = () if len(draft.chain) else ("The event names no credential that could be followed.",)
    tables = (_table("From the credential back", draft.chain, chain),) if len(draft.chain) else ()
    yield Section("Attribution: where the credential comes from", told, (), tables)
    also = {"what": "What", "code": "Code", "acted_as": "Acting as", "addresses": "From", "requests": "Requests"}
    also |= {"first": "First (UTC)", "last": "Last (UTC)"}
    table = _table("Counted by kind of request, the busiest first", draft.activity, also, {"acted_as", "addresses"})
    told = () if len(draft.activity) else ("Nothing that the log can tell by a username or a credential.",)
    yield Section("What the same credential did in the window", told, (), (table,) if len(draft.activity) else ())
    open_ends = [f"{row.what}: {row.why} Where to look: {row.where}" for row in draft.unknown.itertuples()]
    yield Section("What is not known", (), tuple(open_ends))
    proof = {"time": "Time (UTC)", "part": "Part", "audit_id": "Audit id", "username": "Caller"}
    proof |= {"credential": "Credential", "verb": "Verb", "object": "Object", "code": "Code"}
    proof |= {"stage": "Stage", "level": "Level", "sha256": "SHA-256"}
    text = "The SHA-256 is that of the text of the request's last event, in UTF-8, as the source gave it."
    table = _table("The events that this rests on", draft.evidence, proof, {"verb"}, rows=300)
    yield Section("Evidence", (text,), (), (table,))


def _table(
    caption: str,
    frame: pd.DataFrame,
    columns: Mapping[str, str],
    values: Iterable[str] = (),
    rows: int = _MOST_ROWS,
) -> Table:
    are_values = [name in _VALUES or name in set(values) for name in columns]
    told = tuple(
        tuple(zip(map(plain_text, row), are_values, strict=True))
        for row in frame[list(columns)].head(rows).itertuples(index=False)
    )
    count = f" ({len(told):,} of {len(frame):,})"
    return Table(caption + count, tuple(columns.values()), told)


def _facts(source: str) -> Iterable[str]:
    packages = ", ".join(f"{name} {version(name)}" for name in ("eks-audit-nb", "pandas", "duckdb"))
    now = f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC"
    yield f"Made at {now} with Python {platform.python_version()}, {packages}."
    yield f"Source: {source}"
    yield _custody(source)


def _custody(source: str) -> str:
    """Whether the log itself can be checked."""
    from eks_audit_nb.case.manifest import NAME, is_case

    folder = Path(source).expanduser()
    if source == SAMPLE or not is_case(folder):
        return (
            "The source is no case. A case (eks-audit collect) keeps the lines with their SHA-256, and can be verified."
        )
    digest = hashlib.sha256((folder / NAME).read_bytes()).hexdigest()
    return f"The source is a case. The SHA-256 of its manifest: {digest}. Check it with: eks-audit verify {source}"


def _queries(results: Iterable[Result]) -> Table:
    headings = ("Query", "Window", "Rows", "Scanned", "Complete", "SHA-256 of the query as it ran")
    rows = []
    for result in results:
        facts = result.summary()
        digest = hashlib.sha256(result.query.strip().encode()).hexdigest()
        values = (result.name or "query", facts["Window"], facts["Rows"], facts["Scanned"], facts["Complete"], digest)
        rows.append(tuple((value, place in (0, 5)) for place, value in enumerate(values)))
    return Table("What was asked", headings, tuple(rows))


def _sentence(text: str) -> Shown:
    return Shown({"text/plain": text, "text/html": f"<p>{escape(text)}</p>"})
