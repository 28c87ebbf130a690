"""Who asked for Secrets is counted by caller, and lists of the whole cluster are told apart from narrowed ones."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from eks_audit_nb import attribute
from eks_audit_nb.analysis import cluster_wide_lists, in_namespace, secret_callers
from eks_audit_nb.sources.files import FileSource

from conftest import audit_event


@pytest.fixture
def requests_of(make_log: Callable[..., Path]) -> Callable[..., pd.DataFrame]:
    """Rows of `attribute` for events about Secrets with these changes."""

    def make(*changes: dict[str, Any]) -> pd.DataFrame:
        events = [audit_event(auditID=str(number), **change) for number, change in enumerate(changes)]
        return attribute(FileSource(str(make_log(*events))).run("secret_activity").frame)

    return make


def about(name: str | None, namespace: str | None, **changes: Any) -> dict[str, Any]:
    target = {"resource": "secrets", "namespace": namespace, "name": name}
    return {"objectRef": {key: value for key, value in target.items() if value}, **changes}


def test_secrets_of_one_name_are_different_in_different_namespaces(requests_of: Callable[..., pd.DataFrame]) -> None:
    """A Secret is told apart by its namespace and its name."""
    callers = secret_callers(requests_of(about("db", "a"), about("db", "b"), about("db", "b")))
    assert callers[["requests", "secrets", "namespaces"]].to_numpy().tolist() == [[3, 2, 2]]


def test_callers_are_told_apart(requests_of: Callable[..., pd.DataFrame]) -> None:
    """Another address, key or impersonated user is another caller, and a missing one is a caller too."""
    callers = secret_callers(
        requests_of(
            about("db", "a"),
            about("db", "a", sourceIPs=["192.0.2.1"]),
            about("db", "a", impersonatedUser={"username": "root"}),
            about("db", "a", user={}, responseStatus={"code": 401}),
        )
    )
    assert len(callers) == 4
    assert callers["refused"].sum() == 1


def test_lists_of_the_whole_cluster(requests_of: Callable[..., pd.DataFrame]) -> None:
    """A list without a namespace reaches all Secrets, a selector narrows it, and one that failed does not count."""
    lists = cluster_wide_lists(
        requests_of(
            about(None, None, verb="list", requestURI="/api/v1/secrets?limit=500"),
            about(None, None, verb="list", requestURI="/api/v1/secrets?fieldSelector=metadata.name%3Dx&limit=1"),
            about(None, None, verb="list", requestURI="/api/v1/secrets", responseStatus={"code": 403}),
            about(None, "a", verb="list", requestURI="/api/v1/namespaces/a/secrets"),
        )
    )
    assert sorted(lists["selector"]) == ["", "metadata.name=x"]


def test_rarest_first(sample: FileSource) -> None:
    """Those who listed all Secrets once come before the controllers that do it all day."""
    lists = cluster_wide_lists(attribute(sample.run("secret_activity").frame))
    assert lists["requests"].is_monotonic_increasing
    everything = lists[lists["selector"] == ""]
    assert {"bob", "system:anonymous"} <= set(everything["username"])
    assert lists["requests"].sum() == 126


def test_named_secrets_equal_an_independent_count(sample: FileSource, sample_events: list[dict[str, Any]]) -> None:
    """The different Secrets that external-secrets named are those that plain json finds."""
    user = "system:serviceaccount:external-secrets:external-secrets"
    named = {
        (event["objectRef"].get("namespace"), event["objectRef"]["name"])
        for event in sample_events
        if event["user"].get("username") == user
        and event.get("objectRef", {}).get("resource") == "secrets"
        and "name" in event["objectRef"]
    }
    callers = secret_callers(attribute(sample.run("secret_activity").frame))
    assert callers.loc[callers["username"] == user, "secrets"].tolist() == [len(named)]


def test_a_namespace_is_reached_by_cluster_wide_lists(requests_of: Callable[..., pd.DataFrame]) -> None:
    """Seen from one namespace, a list of the whole cluster stays, and another namespace's requests go."""
    found = requests_of(about("db", "a"), about("db", "b"), about(None, None, verb="list"))
    assert sorted(in_namespace(found, "a")["verb"]) == ["get", "list"]
    assert len(in_namespace(found, "")) == 3
