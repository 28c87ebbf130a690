"""Every query that AWS has published for EKS control plane logs runs as published, or its error says what is wrong."""

from __future__ import annotations

import re
import tomllib
from functools import cache
from typing import Any

import pytest

from eks_audit_nb.errors import QueryError
from eks_audit_nb.insights import columns, parse
from eks_audit_nb.sources.base import Result
from eks_audit_nb.sources.files import FileSource

from conftest import DATA

QUERIES: list[dict[str, Any]] = tomllib.loads((DATA / "aws_queries.toml").read_text(encoding="utf-8"))["query"]
BY_NAME = {query["name"]: query for query in QUERIES}

# The texts that are no queries: the place at which each goes wrong, and what its error says.
WRONG = {
    "bpg_unauthorized_secret_reads_2021": ("count", "An aggregate stands in stats: stats count(...)"),
    "bpg_unscheduled_pods": ("count", "An aggregate stands in stats: stats count(...)"),
    "bpg_slow_lists_by_agent_2023": ("*", "A name has no asterisks around it"),
    "bpg_unscheduled_pods_2023": ("*", "A name has no asterisks around it"),
    "bpg_etcd_defrag_2023": ("*", "A name has no asterisks around it"),
    "workshop_requests_by_agent": ("~", "A regular expression is searched for with =~ or like."),
    "rosa_source_addresses": ("SRC_IP", "Did you mean 'SRC_IP_Count'?"),
}
RIGHT = [name for name in BY_NAME if name not in WRONG]


@cache
def answer(sample: FileSource, name: str) -> Result:
    """What a published query gives over the sample, asked once."""
    return sample.run(BY_NAME[name]["text"])


def test_names_are_distinct() -> None:
    """Each published text has a name of its own, and every wrong one is in the collection."""
    assert len(BY_NAME) == len(QUERIES)
    assert set(WRONG) < set(BY_NAME)


@pytest.mark.parametrize("name", RIGHT)
def test_published_queries_run(sample: FileSource, name: str) -> None:
    """A published query is answered over the sample as it stands, placeholders included, with the columns it names."""
    text = BY_NAME[name]["text"]
    result = answer(sample, name)
    assert list(result.frame.columns) == [column.name for column in columns(parse(text))]
    limits = [int(number) for number in re.findall(r"(?i)\|\s*limit\s+(\d+)", text)]
    assert not limits or len(result.frame) <= min(limits)


@pytest.mark.parametrize("name", WRONG)
def test_wrong_texts_are_told_what_is_wrong(sample: FileSource, name: str) -> None:
    """A published text that is no query is refused at the word that is wrong, with what to write."""
    text = BY_NAME[name]["text"]
    place, words = WRONG[name]
    with pytest.raises(QueryError) as caught:
        sample.run(text)
    assert text[caught.value.start : caught.value.end] == place
    assert words in str(caught.value)


def test_most_find_something(sample: FileSource) -> None:
    """Most of the published questions about audit logs find rows in the sample, so that they are tried in earnest."""
    asked = [name for name in RIGHT if BY_NAME[name]["stream"] == "audit"]
    assert sum(len(answer(sample, name).frame) > 0 for name in asked) > len(asked) / 2
