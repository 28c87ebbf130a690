"""The story of an act: what came before it, what it was, what followed, and which events say so."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any

import pandas as pd

from eks_audit_nb.analysis.asked import object_text
from eks_audit_nb.analysis.attribution import REFUSED, credentials
from eks_audit_nb.analysis.bodies import CONNECTIONS
from eks_audit_nb.analysis.grants import known
from eks_audit_nb.analysis.principals import NAME_ONLY, NO_CREDENTIAL
from eks_audit_nb.analysis.statement import did
from eks_audit_nb.analysis.typed import records, typed_frame

# The parts of the story, the most telling first: a request that has several is told as the first.
ACT, CAUSE, RULE, CREDENTIAL = "the act", "what it answers", "access given", "credential issued"
CONSEQUENCE, REFUSAL, ALSO = "what followed", "refused before or after", "same credential"
_PARTS = (ACT, CAUSE, RULE, CREDENTIAL, CONSEQUENCE, REFUSAL, ALSO)
_MOST = {ACT: 40, CONSEQUENCE: 40, REFUSAL: 20, ALSO: 30, CAUSE: 20, RULE: 20, CREDENTIAL: 20}

TIMELINE = {
    "time": "datetime64[us, UTC]",
    "part": "string",
    "username": "string",
    "what": "string",
    "outcome": "string",
    "known": "string",  # how it is known that it belongs to the story
    "audit_id": "string",
}
EVIDENCE = {
    "time": "datetime64[us, UTC]",
    "part": "string",
    "audit_id": "string",
    "username": "string",
    "credential": "string",  # missing where the caller showed none that the log names
    "verb": "string",
    "object": "string",
    "code": "Int64",
    "stage": "string",
    "level": "string",
    "sha256": "string",  # of the event's text in UTF-8, as the source gave it
}
# What a request can show in the place of a credential.
_NONE = (NAME_ONLY, NO_CREDENTIAL)


class Story:
    """Requests with the part that they have, each once; collected part by part, then told in the order of time."""

    def __init__(self, requests: pd.DataFrame) -> None:
        """Take the rows of `attribute` that the story's requests are among."""
        self._requests = requests
        self._known: dict[int, tuple[str, str]] = {}
        self._left_out: dict[str, int] = {}

    def add(self, part: str, labels: Iterable[int], how: Mapping[int, str] | str = "") -> None:
        """Give requests a part, where they have none that tells more; of too many the first are kept.

        Args:
            part: One of the parts.
            labels: The index labels of requests, the most telling first.
            how: How it is known that each belongs here; one text for all, or one for each label.
        """
        new = [
            label
            for label in dict.fromkeys(labels)
            if label not in self._known or _PARTS.index(part) < _PARTS.index(self._known[label][0])
        ]
        for label in new[: _MOST[part]]:
            self._known[label] = (part, how if isinstance(how, str) else how.get(label, ""))
        if len(new) > _MOST[part]:
            self._left_out[part] = self._left_out.get(part, 0) + len(new) - _MOST[part]

    def add_audit_ids(self, part: str, audit_ids: Iterable[Any], how: str = "") -> None:
        """The same by audit ids; of several requests with one id all count."""
        wanted = [each for each in audit_ids if isinstance(each, str)]
        found = self._requests[self._requests["audit_id"].isin(wanted)]
        self.add(part, [int(label) for label in found.index], how)

    @property
    def left_out(self) -> dict[str, int]:
        """How many requests of a part are not told."""
        return dict(self._left_out)

    def timeline(self) -> pd.DataFrame:
        """The columns of `TIMELINE`, in the order of time."""
        rows = [
            {**row, "part": part, "what": _line(row), "known": how, "username": _caller(row)}
            for row, part, how in self._rows()
        ]
        return typed_frame(rows, TIMELINE)

    def callers(self) -> pd.DataFrame:
        """Who made these requests, one row a credential, by their first request; the columns of `credentials`."""
        found = credentials(self._requests.loc[list(self._known)]).sort_values(
            "first", kind="stable", ignore_index=True
        )
        return found.assign(credential=found["credential"].where(~found["credential_kind"].isin(_NONE)))

    def evidence(self) -> pd.DataFrame:
        """The columns of `EVIDENCE`, in the order of time."""
        rows = [
            {
                **row,
                "part": part,
                "credential": None if row["credential_kind"] in _NONE else row["credential"],
                "object": object_text(row),
                "sha256": hashlib.sha256(str(row["raw"]).encode("utf-8", "surrogatepass")).hexdigest(),
            }
            for row, part, _ in self._rows()
        ]
        return typed_frame(rows, EVIDENCE)

    def _rows(self) -> list[tuple[dict[str, Any], str, str]]:
        mine = self._requests.loc[list(self._known)].sort_values(["time", "received"], kind="stable")
        return [(row, *self._known[int(label)]) for label, row in zip(mine.index, records(mine), strict=True)]


def refusals_of(requests: pd.DataFrame, act: Mapping[str, Any]) -> list[int]:
    """What the caller of an act was refused, the nearest in time first; index labels."""
    mine = requests[same_caller(requests, act) & requests["outcome"].isin(REFUSED)]
    return _nearest(mine, act)


def other_acts_of(requests: pd.DataFrame, act: Mapping[str, Any]) -> list[int]:
    """What the credential of an act also changed, entered or read of Secrets, the nearest in time first."""
    resource = requests["resource"].fillna("")
    is_telling = ~requests["verb"].fillna("").isin(["get", "list", "watch"]) & ~resource.str.endswith("reviews")
    is_telling |= resource.eq("secrets") | resource.str.partition("/")[2].isin(list(CONNECTIONS))
    mine = requests[same_credential(requests, act) & is_telling & requests["outcome"].eq("allowed")]
    return _nearest(mine, act)


def same_credential(requests: pd.DataFrame, act: Mapping[str, Any]) -> pd.Series:
    """Whether each request showed the credential of an act; for callers without one, whether it has their address."""
    if known(act["credential"]) and known(act["credential_kind"]) not in _NONE:
        return requests["credential"].eq(act["credential"]).fillna(False).astype(bool)
    same = requests["source_ip"].fillna("").eq(known(act["source_ip"]))
    return (same & requests["username"].fillna("").eq(known(act["username"]))).astype(bool)


def same_caller(requests: pd.DataFrame, act: Mapping[str, Any]) -> pd.Series:
    """Whether each request has the username of an act, or its credential."""
    named = requests["username"].eq(known(act["username"])).fillna(False).astype(bool)
    return (named & bool(known(act["username"]))) | same_credential(requests, act)


def _nearest(mine: pd.DataFrame, act: Mapping[str, Any]) -> list[int]:
    away = (mine["time"] - act["time"]).abs().sort_values(kind="stable")
    return [int(label) for label in away.index]


def _line(row: Mapping[str, Any]) -> str:
    acted = known(row["acted_as"])
    return f"{f'acting as {acted}, ' if acted else ''}{did(row)}"


def _caller(row: Mapping[str, Any]) -> str:
    return known(row["username"]) or "(no username)"
