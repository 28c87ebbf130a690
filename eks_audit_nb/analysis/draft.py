"""Everything that a write-up of an act says, as sentences and frames; how it looks is another module's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import pandas as pd

from eks_audit_nb.analysis.asked import caller_of, object_text
from eks_audit_nb.analysis.assumed_roles import role_sessions
from eks_audit_nb.analysis.bodies import deleted_items
from eks_audit_nb.analysis.causes import cause_links, causes, consequences
from eks_audit_nb.analysis.controllers import PROVEN as PROVEN_BY_UID
from eks_audit_nb.analysis.controllers import UNKNOWN
from eks_audit_nb.analysis.credentials import credential_uses, issued_credentials
from eks_audit_nb.analysis.grants import access_rules, known, origins
from eks_audit_nb.analysis.issuers import CHAIN, credential_chain
from eks_audit_nb.analysis.paths import paths, ways_of
from eks_audit_nb.analysis.principals import INFERRED, PROVEN
from eks_audit_nb.analysis.statement import STATED, at, did, lead_of, stated, summary, telling_acts, who
from eks_audit_nb.analysis.story import (
    ACT,
    ALSO,
    CAUSE,
    CONSEQUENCE,
    CREDENTIAL,
    REFUSAL,
    RULE,
    Story,
    other_acts_of,
    refusals_of,
)
from eks_audit_nb.analysis.typed import records, typed_frame
from eks_audit_nb.analysis.unknowns import UNKNOWN as UNKNOWN_THINGS
from eks_audit_nb.analysis.unknowns import unknowns
from eks_audit_nb.events import parse_event
from eks_audit_nb.insights.parameters import is_writable

ACTIVITY = {
    "what": "string",  # verb and resource, with the namespace
    "code": "Int64",
    "acted_as": "string",
    "addresses": "string",
    "requests": "Int64",
    "first": "datetime64[us, UTC]",
    "last": "datetime64[us, UTC]",
}
_MOST_NAMED = 6
_ROOM = 2_500  # characters for a list in a query, which the service takes up to 10,000 characters long


class HasReasons(Protocol):
    """What says why rows may be missing: a result of a query."""

    @property
    def reasons(self) -> tuple[str, ...]:
        """A sentence each."""


@dataclass(frozen=True)
class Draft:
    """A write-up before it has a form.

    Attributes:
        summary: The statement; "" where nothing was found.
        cause: Why it could happen, a sentence each.
        effects: What followed, a sentence each.
        acts: The rows of `attribute` that it is about.
        stated: The statement part by part (`statement.STATED`).
        callers: Who made the requests of the story, one row a credential (`attribution.credentials`).
        timeline: What happened in the order of time (`story.TIMELINE`).
        path: Why it was allowed, step by step (`paths.PATH`).
        chain: Where the credential comes from (`issuers.CHAIN`).
        activity: What else the credential did, counted (`ACTIVITY`).
        unknown: What is not known (`unknowns.UNKNOWN`).
        evidence: The events that it rests on (`story.EVIDENCE`).
        left_out: How many requests of a part of the story are not told.
    """

    summary: str
    cause: tuple[str, ...]
    effects: tuple[str, ...]
    acts: pd.DataFrame
    stated: pd.DataFrame
    callers: pd.DataFrame
    timeline: pd.DataFrame
    path: pd.DataFrame
    chain: pd.DataFrame
    activity: pd.DataFrame
    unknown: pd.DataFrame
    evidence: pd.DataFrame
    left_out: Mapping[str, int]


def surroundings(asked: pd.DataFrame) -> dict[str, Any]:
    """What the query `write_up_context` has to be asked for some requests: the caller, and their objects' places.

    Args:
        asked: What `asked_requests` gives. Names that no query can hold, with both kinds of quotes, are left out.
    """
    acts = telling_acts(asked)
    return {
        "username": caller_of(asked),
        "namespaces": _for_a_query(acts["namespace"].fillna("")),
        "names": _for_a_query(acts["name"].fillna("")),
    }


def _for_a_query(values: pd.Series) -> list[str]:
    """The different texts, as many as a query has room for."""
    kept: list[str] = []
    room = _ROOM
    for each in values.unique():
        room -= len(each) + 4  # quotes, comma, space
        if room > 0 and is_writable(each):
            kept.append(each)
    return kept or [""]


def drafted(
    requests: pd.DataFrame,
    asked: pd.DataFrame,
    activity: pd.DataFrame,
    levels: pd.DataFrame,
    cloudtrail: pd.DataFrame | None = None,
    *results: HasReasons,
) -> Draft:
    """The write-up of some requests.

    Args:
        requests: Rows of `attribute`, of the queries `requests_about` and `write_up_context` together.
        asked: Those of them that it is about.
        activity: Rows of the query `caller_activity`.
        levels: Rows of the query `recording_levels`.
        cloudtrail: Rows of `read_cloudtrail`, where there are any.
        results: Where the rows come from; they say why rows may be missing.
    """
    doubts = tuple(reason for result in results for reason in result.reasons)
    acts = telling_acts(asked)
    linked = cause_links(requests)
    rules = access_rules(requests)
    issued = issued_credentials(requests, role_sessions(cloudtrail) if cloudtrail is not None else None)
    if acts.empty:
        return _empty(acts)
    lead = lead_of(acts)
    credential = known(lead["credential_id"]) or known(lead["access_key"])
    chain = credential_chain(credential, issued, credential_uses(requests))
    ways = ways_of(acts)
    steps, made = paths(ways, acts, rules), origins(ways, rules)
    caused = consequences(linked, [label for label in acts.index if label in linked.index])
    way_back = _way_back(linked, acts, lead)
    story = _story(requests, acts, lead, way_back, caused, made, chain)
    open_links = pd.concat([caused, linked.loc[[label for label in acts.index if label in linked.index]]])
    own = acts[acts["raw"].eq(lead["raw"]).fillna(False).astype(bool)]
    its_ways = ways_of(own)
    its_rules = origins(its_ways, rules)
    why = _cause(lead, way_back, paths(its_ways, own, rules), its_rules[its_rules["is_before"]])
    is_answer = len(way_back) > 1
    return Draft(
        f"{summary(acts)} {why[0]}" if is_answer else summary(acts),
        tuple(why),
        tuple(_effects(caused)),
        acts,
        pd.concat([stated(acts, chain), _behind(way_back)], ignore_index=True),
        story.callers(),
        story.timeline(),
        steps,
        chain,
        _activity(activity, credential),
        unknowns(acts, chain, steps, open_links, levels, cloudtrail is not None, doubts),
        story.evidence(),
        story.left_out,
    )


def _story(
    requests: pd.DataFrame,
    acts: pd.DataFrame,
    lead: Mapping[str, Any],
    way_back: pd.DataFrame,
    caused: pd.DataFrame,
    made: pd.DataFrame,
    chain: pd.DataFrame,
) -> Story:
    story = Story(requests)
    story.add(ACT, [int(label) for label in acts.index], "asked for")
    # A row says how it is known that it answers the next one.
    answered = [f"{each['why']} ({each['basis']})" for each in records(way_back)]
    way = [int(label) for label in way_back.index[1:]]
    story.add(CAUSE, way, dict(zip(way, answered, strict=False)))
    story.add_audit_ids(RULE, made["audit_id"], "the authorizer names this binding, role or mapping")
    story.add_audit_ids(CREDENTIAL, chain["audit_id"], "the same credential's id in both events")
    how = {
        int(label): f"{row['why']} ({row['basis']})" for label, row in zip(caused.index, records(caused), strict=True)
    }
    story.add(CONSEQUENCE, how, how)
    story.add(REFUSAL, refusals_of(requests, lead), "the same caller")
    has_credential = known(lead["credential_kind"]) not in ("name only", "none")
    same = "the same credential" if has_credential else "the same name from the same address"
    story.add(ALSO, other_acts_of(requests, lead), same)
    return story


def _way_back(linked: pd.DataFrame, acts: pd.DataFrame, lead: Mapping[str, Any]) -> pd.DataFrame:
    mine = acts[acts["raw"].eq(lead["raw"]).fillna(False).astype(bool)]
    labels = [int(label) for label in mine.index if label in linked.index]
    return causes(linked, labels[0] if labels else None)


def _behind(way_back: pd.DataFrame) -> pd.DataFrame:
    """Who asked for what a controller or a node carried out; the columns of `STATED`, no row where nobody did."""
    if len(way_back) < 2:
        return typed_frame([], STATED)
    first, root = records(way_back)[0], records(way_back)[-1]
    sure = PROVEN if first["certainty"] == PROVEN_BY_UID else INFERRED
    told = {"part": "Behind it", "text": f"{who(root)}, who {did(root)} at {at(root['time'])}", "certainty": sure}
    return typed_frame([{**told, "evidence": f"{first['why']}; the whole way is {first['certainty']}"}], STATED)


def _cause(lead: Mapping[str, Any], way_back: pd.DataFrame, steps: pd.DataFrame, made: pd.DataFrame) -> list[str]:
    """Why it could happen: what it answers, and who made the rule that allowed it."""
    told: list[str] = []
    way = records(way_back)
    if len(way) > 1:
        root = way[-1]
        text = f"It answers another request: {who(root)} {did(root)} at {at(root['time'])}"
        told.append(f"{text}. That it does is {way[0]['certainty']}.")
    elif way and known(way[0]["basis"]) == UNKNOWN:
        told.append(f"The {way[0]['controller']} acted, and what it answers is not in the log: {way[0]['why']}.")
    first = steps[steps["way"].eq(1)]
    if first.empty:
        return told or ["No authorizer allowed it, so that there is no rule to explain."]
    parts = ["subject", "binding", "role", "access entry", "access policy"]
    told += [
        f"{step['name']} ({step['basis']}): {step['explanation']}."
        for step in records(first[first["part"].isin(parts)])
    ]
    if known(lead["acted_as"]):
        text = f"The caller could act as {known(lead['acted_as'])} by a right to impersonate"
        told.append(f"{text}, whose rule the log does not name.")
    if any(each == known(lead["username"]) for each in made["username"].dropna()):
        told.append("The caller itself made or changed a part of the rule that allowed it.")
    return told


def _effects(caused: pd.DataFrame) -> list[str]:
    if caused.empty:
        return ["Nothing that a controller or a node did in answer to it is in the log."]
    sure = int(caused["certainty"].isin(["proven by uid", "asked for by the caller"]).sum())
    text = f"Controllers and nodes answered it with {len(caused):,} act{'s' if len(caused) != 1 else ''}"
    text += f": {sure:,} linked by uid, {len(caused) - sure:,} by name or time."
    made = caused[caused["act"].eq("create") & caused["effect"].eq("done")]
    ended, emptied = _ended(caused)
    told = [text]
    for words, objects in (
        ("Deleted in consequence", ended),
        ("Asked to be emptied, and the log does not say of what", emptied),
        ("Made in consequence", made["object"].dropna()),
    ):
        names = list(dict.fromkeys(objects))
        if names:
            more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
            told.append(f"{words}: {', '.join(names[:_MOST_NAMED])}{more}.")
    return told


def _ended(caused: pd.DataFrame) -> tuple[list[str], list[str]]:
    """What was deleted or evicted by name, and the collections of which the answers do not say what was in them."""
    named: list[str] = []
    emptied: list[str] = []
    for each in records(caused):
        if each["act"] in ("delete", "eviction") and each["effect"] == "done":
            named.append(each["object"])
        elif each["act"] == "delete collection" and each["effect"] == "may have":
            items = deleted_items(parse_event(known(each["raw"])))
            place = each["object"].removesuffix("*")
            named += [f"{place}{name}" for _, name, _ in items or ()]
            emptied += [] if items is not None else [each["object"]]
    return named, emptied


def _activity(counted: pd.DataFrame, credential: str) -> pd.DataFrame:
    """What the caller did, by credential where there is one; the columns of `ACTIVITY`, the busiest first."""
    mine = counted
    if credential:
        mine = counted[(counted["access_key"].eq(credential) | counted["credential_id"].eq(credential)).fillna(False)]
    rows = []
    for each in records(mine):
        resource, sub = known(each["resource"]), known(each["subresource"])
        target = {
            "resource": f"{resource}/{sub}" if sub else resource,
            "namespace": each["namespace"],
            "uri": "(paths)",
        }
        address = known(each["addresses"]).rpartition('"')[0].rpartition('"')[2]
        what = f"{known(each['verb']) or 'no verb'} {object_text(target)}"
        rows.append(
            {**each, "what": what, "addresses": address, "first": each["first_seen"], "last": each["last_seen"]}
        )
    return typed_frame(rows, ACTIVITY)


def _empty(acts: pd.DataFrame) -> Draft:
    story, none = Story(acts), paths(ways_of(acts), acts, acts)
    frames = {"stated": typed_frame([], STATED), "activity": typed_frame([], ACTIVITY)}
    return Draft(
        summary="",
        cause=(),
        effects=(),
        acts=acts,
        callers=story.callers(),
        timeline=story.timeline(),
        path=none,
        chain=typed_frame([], CHAIN),
        unknown=typed_frame([], UNKNOWN_THINGS),
        evidence=story.evidence(),
        left_out={},
        **frames,
    )
