"""The write-up as a document: Markdown and HTML that can be edited and sent."""

from __future__ import annotations

import hashlib
import json
import re
from functools import cache
from pathlib import Path
from typing import Any

import mistune
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_draft import NO_LEVELS, _no_activity, draft_of
from test_told import BITS, Tags

from eks_audit_nb import attribute
from eks_audit_nb.analysis.asked import asked_requests
from eks_audit_nb.analysis.draft import Draft, drafted
from eks_audit_nb.case.collecting import collect_files
from eks_audit_nb.reporting.writeup import WriteUp, write_up
from eks_audit_nb.sources.files import FileSource

from conftest import audit_event
from rules import by_binding

Labels = dict[str, dict[str, Any]]
SECTIONS = [
    "Summary",
    "What is stated, and how sure it is",
    "Why it could happen",
    "What followed",
    "Who is who",
    "Timeline",
    "Attribution: where the credential comes from",
    "What the same credential did in the window",
    "What is not known",
    "Evidence",
    "Where this comes from",
]
render = mistune.create_markdown(escape=False, plugins=["url", "table", "strikethrough", "math", "footnotes"])
MARKDOWN_TAGS = {"h1", "h2", "p", "ul", "li", "code", "table", "thead", "tbody", "tr", "th", "td"}
HOSTILE = st.lists(st.sampled_from(BITS), min_size=1, max_size=4).map("".join) | st.text(min_size=1, max_size=40)


@pytest.fixture(scope="module")
def draft(sample: FileSource, labels: Labels) -> Draft:
    """The deletion of a Deployment, drafted."""
    return draft_of(sample, labels["deployment_delete"]["primary_audit_ids"][0])


@pytest.fixture(scope="module")
def document(sample: FileSource, draft: Draft) -> WriteUp:
    """The same, written up."""
    return write_up(draft, "", "sample", sample.run("recording_levels"))


def test_markdown(document: WriteUp) -> None:
    """The Markdown has every section, the statement with its certainty, and each audit id with a SHA-256."""
    text = document.markdown
    assert re.findall(r"^## (.+)$", text, re.MULTILINE) == SECTIONS
    assert text.startswith("# Write-up: delete `deployments/storefront/checkout`\n")
    assert "- Author: ____\n" in text
    assert "| IAM session | `arn:aws:sts::111122223333:assumed-role/AWSReservedSSO_Operations_91c0ffee22bb/" in text
    assert re.search(r"\| `23d9090f-0dc9-43ef-b97c-dfc27fdf2a46` \|.*\| `[0-9a-f]{64}` \|", text)
    assert "\n\n\n" not in text
    assert set(Tags(str(render(text))).tags) == MARKDOWN_TAGS


def test_html(document: WriteUp) -> None:
    """The page says the same, loads and runs nothing, and can be edited in a browser."""
    page = document.html
    found = Tags(page)
    assert [tag for tag in found.tags if tag in ("script", "a", "img", "link", "iframe")] == []
    assert "default-src 'none'" in page
    assert '<main contenteditable="true"' in page
    assert found.tags.count("h1") == 1
    for words in (*SECTIONS, "23d9090f-0dc9-43ef-b97c-dfc27fdf2a46", "Author: ____"):
        assert words in found.text


def test_in_a_notebook(document: WriteUp) -> None:
    """In a report the document has no heading of the first or second order, which are the report's own."""
    formats = document._repr_mimebundle_()
    tags = Tags(formats["text/html"]).tags
    assert not {"h1", "h2", "main", "html", "body", "style"} & set(tags)
    assert formats["text/plain"] == document.markdown


def hostile_draft(text: str) -> Draft:
    """An act in which everything that a client or an attacker can name is the same text."""
    user = {"username": text, "uid": text, "groups": [text], "extra": {"arn": [text], "sessionName": [text]}}
    target = {"resource": text, "namespace": text, "name": text, "apiGroup": text, "subresource": text}
    annotations = {"authorization.k8s.io/decision": "allow"}
    annotations["authorization.k8s.io/reason"] = by_binding("b", "r", 'User "u"').replace('"b"', json.dumps(text))
    event = audit_event(
        auditID=text,
        verb=text,
        user=user,
        impersonatedUser={"username": text, "groups": [text], "extra": {"arn": [text]}},
        sourceIPs=[text, text],
        userAgent=text,
        objectRef=target,
        requestURI=f"/x?command={text}",
        annotations=annotations,
        responseStatus={"code": 403, "message": text},
    )
    times = pd.to_datetime(["2026-11-24T10:00:00Z"]).astype("datetime64[us, UTC]")
    frame = pd.DataFrame({"@timestamp": times, "@message": pd.Series([json.dumps(event)], dtype="string")})
    requests = attribute(frame)
    return drafted(requests, requests, _no_activity(), NO_LEVELS)


@cache
def harmless() -> Tags:
    """The page that the same act gives where every name is plain."""
    return Tags(write_up(hostile_draft("harmless"), "A title", "sample").html)


@settings(max_examples=15)
@given(HOSTILE)
def test_hostile_names_do_nothing(text: str) -> None:
    """Whatever names, user agents, ids and messages hold: no link, image, HTML, formula or row more in either form."""
    hostile = write_up(hostile_draft(text), "A title", "sample")
    shown = Tags(str(render(hostile.markdown)))
    assert set(shown.tags) <= MARKDOWN_TAGS
    assert not [each for each in shown.attributes if each[0] not in ("style", "id")]  # type: ignore[index]
    page, plain = Tags(hostile.html), harmless()
    assert [tag for tag in page.tags if tag != "code"] == [tag for tag in plain.tags if tag != "code"]
    assert {name for name, _ in page.attributes} == {name for name, _ in plain.attributes}  # type: ignore[misc]


def test_saving_never_overwrites(document: WriteUp, tmp_path: Path) -> None:
    """A draft that may have been edited stays as it is; the next has another name. Without a folder there is none."""
    folder = tmp_path / "case" / "drafts"
    first = document.save(str(folder))
    (folder / "write-up.md").write_text("edited", encoding="utf-8")
    document.save(str(folder))
    assert sorted(path.name for path in folder.iterdir()) == [
        "write-up-2.html",
        "write-up-2.md",
        "write-up.html",
        "write-up.md",
    ]
    assert (folder / "write-up.md").read_text(encoding="utf-8") == "edited"
    assert (folder / "write-up-2.md").read_text(encoding="utf-8") == document.markdown
    assert str(folder / "write-up.html") in repr(first)
    assert "Nothing was written" in repr(document.save(" "))


def test_a_case_is_named_by_its_manifest(tmp_path: Path, make_log: Any) -> None:
    """Of a case the SHA-256 of its manifest is told, by which the whole log can be checked."""
    folder = tmp_path / "case"
    log = make_log(audit_event(auditID="one"))
    collect_files(str(log), folder)
    source = FileSource(str(folder))
    draft = draft_of(source, "one")
    source.close()
    digest = hashlib.sha256((folder / "manifest.json").read_bytes()).hexdigest()
    assert f"manifest: {digest}." in write_up(draft, "", str(folder)).markdown
    assert "The source is no case" in write_up(draft, "", str(log)).markdown


def test_titles(draft: Draft) -> None:
    """A title of one's own is taken, and made harmless too."""
    assert write_up(draft, "Incident 7 <b>", "sample").markdown.startswith("# Incident 7 `<b>`\n")


def test_nothing_to_write_up(sample: FileSource) -> None:
    """Where nothing was found the document says what was looked for, and where."""
    found = sample.run("requests_about", audit_id="none")
    requests = attribute(found.frame)
    draft = drafted(requests, asked_requests(requests, "none"), _no_activity(), NO_LEVELS)
    text = write_up(draft, "", "sample", found, nothing="No request has the audit id none.").markdown
    assert re.findall(r"^## (.+)$", text, re.MULTILINE) == ["Nothing to write up", "Where this comes from"]
    assert "No request has the audit id none." in text
    assert "`requests_about`" in text
