"""The answer of notebook 09: by which rule something was allowed, and who made that rule."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from eks_audit_nb.analysis.asked import nearest_callers, object_text
from eks_audit_nb.analysis.grants import known, reason_in_words
from eks_audit_nb.analysis.inert import inert
from eks_audit_nb.analysis.paths import others_on
from eks_audit_nb.analysis.typed import records
from eks_audit_nb.reporting.sentences.words import count, listed


def why_allowed(
    asked: pd.DataFrame,
    ways: pd.DataFrame,
    origins: pd.DataFrame,
    decisions: pd.DataFrame,
    audit_id: str = "",
    principal: str = "",
) -> str:
    """By which rule a request, or a principal's requests, were allowed, who made it, and who else goes that way.

    Args:
        asked: The rows of `attribute` that were asked about.
        ways: What `ways_of` makes of them.
        origins: What `grants.origins` gives.
        decisions: Rows of the query `decisions_by_caller`.
        audit_id: As it was asked for.
        principal: The same.
    """
    if asked.empty:
        return inert(_nobody(audit_id, principal, decisions))
    text = _what(asked)
    if ways.empty:
        return inert(f"{text} {_refused(asked)}", 4000)
    first = records(ways.head(1))[0]
    reason = reason_in_words(first) or "the log does not say why"
    text += f" It was allowed because {reason}." if len(asked) == 1 else _several(ways, len(asked), reason)
    text += _maker(first, origins)
    people = others_on(ways.head(1), decisions)
    if len(people):
        text += f" {count(len(people), 'other caller')} went the same way ({listed(map(_named, records(people)))})."
    return inert(text, 4000)


def _nobody(audit_id: str, principal: str, decisions: pd.DataFrame) -> str:
    if not principal.strip():
        if not audit_id.strip():
            return "Nothing was asked for: give an audit id or a principal."
        return f"No request in this window has the audit id {audit_id.strip()}."
    like = nearest_callers(decisions["username"].unique(), principal)
    hint = f" Callers in the log with names like it: {listed(like)}." if like else ""
    return f"No request in this window was made by {principal.strip()}, or in its name.{hint}"


def _what(asked: pd.DataFrame) -> str:
    last = records(asked.tail(1))[0]
    names = list(asked["username"].fillna("a caller without a name").value_counts().index)
    arns, acted = list(asked["arn"].dropna().unique()), known(last["impersonated"])
    told = [*(arns if len(arns) == 1 else ()), *([f"acting as {acted}"] if acted and len(asked) == 1 else ())]
    who = names[0] if len(names) == 1 else f"{len(names)} callers ({listed(names)})"
    who += f" ({', '.join(told)})" if told and len(names) == 1 else ""
    if len(asked) == 1:
        where = known(last["source_ip"]) or "an unknown address"
        when = f"{last['time']:%Y-%m-%d at %H:%M:%S} UTC"
        return f"On {when} {who} asked from {where} to {known(last['verb']) or '(no verb)'} {object_text(last)}."
    began, ended = asked["time"].min(), asked["time"].max()
    return f"{who} made {len(asked):,} requests between {began:%Y-%m-%d %H:%M:%S} and {ended:%Y-%m-%d %H:%M:%S} UTC."


def _refused(asked: pd.DataFrame) -> str:
    last = records(asked.tail(1))[0]
    outcome, wanted, reason = known(last["outcome"]), known(last["wanted"]), reason_in_words(last)
    text = "Impersonation was refused" if outcome == "impersonation refused" else f"It was {outcome}"
    if outcome in ("failed", "no response recorded", "allowed"):
        text = "Whether it was allowed is not recorded"
    if len(asked) > 1:
        text = f"None of them was allowed, as far as the log says; the last: {outcome}"
    missing = f" The permission that was missing: {wanted}." if wanted else ""
    return f"{text}: {reason}.{missing}" if reason else f"{text}.{missing}"


def _several(ways: pd.DataFrame, total: int, reason: str) -> str:
    first = records(ways.head(1))[0]
    allowed = int(ways["requests"].sum())
    which = "All" if allowed == total else f"{allowed:,}"
    text = f" {which} of them were allowed, by {count(len(ways), 'way')}"
    if len(ways) == 1:
        return f"{text}: {reason}."
    why = f"which {first['grave']}" if known(first["grave"]) else "the busiest"
    return f"{text}. The one to look at first, {why}, allowed {first['requests']:,}: {reason}."


def _maker(way: Mapping[str, Any], origins: pd.DataFrame) -> str:
    if known(way["grounds"]) != "RBAC":
        return ""
    mine = origins[origins["way"].eq(way["way"]) & origins["part"].eq("binding") & origins["is_before"]]
    made = records(mine[~mine["act"].isin(["delete", "delete collection"])].tail(1))
    if not made:
        return " Who made this binding is not in the log that was read."
    last = made[0]
    did = "made" if last["act"] == "create" else "last changed"
    who = known(last["username"]) or "a caller without a name"
    same = ", THE SAME CALLER" if who == known(way["username"]) else ""
    text = f" The binding was {did} on {last['time']:%Y-%m-%d at %H:%M:%S} UTC by {who}{same}"
    text += f" ({last['arn']})" if known(last["arn"]) else ""
    return text + (f", who could, since {last['why']}." if known(last["why"]) else ".")


def _named(other: Mapping[str, Any]) -> str:
    acted = known(other["acted_as"])
    return f"{known(other['username']) or 'without a name'}{f' as {acted}' if acted else ''}"
