"""Who made a request, what came of it, and on what grounds."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eks_audit_nb import attribute
from eks_audit_nb.analysis.reasons import REASON_COLUMNS, reasons, wanted_permission
from eks_audit_nb.events import COLUMNS
from eks_audit_nb.sources.files import FileSource

from conftest import audit_event


def text(*values: str | None) -> pd.Series:
    return pd.Series(list(values), dtype="string")


def parts(decision: str | None, reason: str | None) -> dict[str, str]:
    """What a reason is taken apart into, without what is missing."""
    (row,) = reasons(text(decision), text(reason)).astype(object).to_dict("records")
    return {name: value for name, value in row.items() if not pd.isna(value)}


def attributed(*events: dict[str, Any]) -> list[dict[str, Any]]:
    """The requests of events that were written a second apart."""
    times = pd.date_range("2026-11-24T10:00:00Z", periods=len(events), freq="s").astype("datetime64[us, UTC]")
    frame = pd.DataFrame({"@timestamp": times, "@message": text(*map(json.dumps, events))})
    found = attribute(frame).astype(object)
    return found.where(found.notna(), None).to_dict("records")


# --- outcome --------------------------------------------------------------------------------------------------------


def refusal(code: int, decision: str | None) -> dict[str, Any]:
    annotations = {"authorization.k8s.io/decision": decision} if decision else {}
    return {"responseStatus": {"code": code}, "annotations": annotations}


@pytest.mark.parametrize(
    ("changes", "outcome", "grounds"),
    [
        ({}, "allowed", MASTERS),
        ({"responseStatus": {"code": 101}}, "allowed", MASTERS),
        (refusal(201, "allow"), "allowed", MASTERS),
        (refusal(403, "forbid"), "refused by authorization", "no authorizer allowed it"),
        (refusal(403, "allow"), "refused by admission", MASTERS),
        (refusal(403, None), "impersonation refused", "refused before authorization"),
        (refusal(401, None), "not authenticated", "refused before authorization"),
        (refusal(404, "allow"), "failed", MASTERS),
        (refusal(409, "allow"), "failed", MASTERS),
        (refusal(500, "allow"), "failed", MASTERS),
        (refusal(429, None), "failed", "not recorded"),
        (
            {"responseStatus": None, "annotations": None, "stage": "RequestReceived"},
            "no response recorded",
            "not recorded",
        ),
    ],
)
def test_outcome(changes: dict[str, Any], outcome: str, grounds: str) -> None:
    """What came of a request follows from its code and from whether an authorizer decided, and when."""
    (row,) = attributed(audit_event(**changes))
    assert (row["outcome"], row["grounds"]) == (outcome, grounds)


def test_a_cut_event_is_not_a_refused_one() -> None:
    """An event that breaks off before its annotations says what came of the request, and nothing of the grounds."""
    event = audit_event(verb="create", responseStatus={"code": 201})
    annotations = event.pop("annotations")
    whole = json.dumps({**event, "requestObject": {"data": "x" * 300}, "annotations": annotations})
    for code, outcome in (("201", "allowed"), ("403", "failed")):
        cut = whole.replace("201", code)[:-200] + "[Truncated...]"
        frame = pd.DataFrame({"@timestamp": [pd.Timestamp("2026-11-24T10:00:00Z")], "@message": text(cut)})
        (row,) = attribute(frame).to_dict("records")
        assert (row["outcome"], row["grounds"], row["is_truncated"]) == (outcome, "not recorded", True)


def test_stages_of_a_request_are_one_row() -> None:
    """A request is attributed once, by its last stage."""
    received = audit_event(stage="RequestReceived", responseStatus=None, annotations=None)
    (row,) = attributed(received, audit_event())
    assert (row["stage"], row["outcome"], row["grounds"]) == ("ResponseComplete", "allowed", MASTERS)


def test_columns(sample: FileSource) -> None:
    """The columns are those of an event and its reason, the outcome and the missing permission, also without a row."""
    names = [*COLUMNS, *REASON_COLUMNS, "outcome", "wanted"]
    for start, end in (("", ""), ("2020-01-01", "2020-01-02")):
        found = attribute(sample.run("refused_requests", start, end).frame)
        assert list(found.columns) == names
        assert {str(found[name].dtype) for name in (*REASON_COLUMNS, "outcome", "wanted")} == {"string"}
    assert len(found) == 0
