"""What a write-up cannot say: the gaps of the log, of the window and of what was read, computed from the data."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from eks_audit_nb.analysis.bodies import CONNECTIONS
from eks_audit_nb.analysis.grants import known
from eks_audit_nb.analysis.principals import ANONYMOUS, ROLE_SESSION
from eks_audit_nb.analysis.typed import records, typed_frame

UNKNOWN = {"what": "string", "why": "string", "where": "string"}  # where: what would answer it


def unknowns(
    acts: pd.DataFrame,
    chain: pd.DataFrame,
    steps: pd.DataFrame,
    linked: pd.DataFrame,
    levels: pd.DataFrame,
    has_cloudtrail: bool,
    doubts: tuple[str, ...] = (),
) -> pd.DataFrame:
    """One row for each thing that the write-up leaves open; the columns of `UNKNOWN`.

    Args:
        acts: The rows of `attribute` that it is about.
        chain: What `credential_chain` gives for their credential.
        steps: What `paths` gives.
        linked: The rows of `cause_links` for the acts and what followed.
        levels: Rows of the query `recording_levels`.
        has_cloudtrail: Whether CloudTrail's events were given.
        doubts: Why results may be incomplete, a sentence each.
    """
    rows = [
        *_of_result(doubts, levels),
        *_of_acts(acts),
        *_of_caller(acts, chain, has_cloudtrail),
        *_of_grounds(acts, steps),
        *_of_consequences(linked),
    ]
    return typed_frame([dict(zip(UNKNOWN, row, strict=True)) for row in rows], UNKNOWN)


_Rows = Iterator[tuple[str, str, str]]


def _of_result(doubts: tuple[str, ...], levels: pd.DataFrame) -> _Rows:
    for doubt in dict.fromkeys(doubts):
        yield "Whether events of the window are missing", doubt, "Read the window again, or in parts."
    cut, bare = (int(levels[name].sum()) if len(levels) else 0 for name in ("cut_short", "without_bodies"))
    if cut or bare:
        text = f"{cut + bare:,} events of the window were too large to be recorded whole."
        yield "What stood in truncated events", text, "Nowhere: the API server or the log has cut them."
    text = "Events outside of the window were not read. What was made before it, and what came after it, is not here."
    yield "What happened before and after the window", text, "A wider window."


def _of_acts(acts: pd.DataFrame) -> _Rows:
    repeated = acts["audit_id"].duplicated(keep=False) & acts["audit_id"].notna()
    if repeated.any():
        text = f"{int(repeated.sum())} requests have one audit id; clients can choose it."
        yield "Which of several requests was meant", text, "Time, URI and caller tell them apart in the evidence."
    if acts["is_truncated"].fillna(False).any():
        yield "What was sent and stored", "The event was truncated: its bodies are lost.", "The object in the cluster."
    writes = acts[~acts["verb"].fillna("").isin(["get", "list", "watch"])]
    for level, text in (
        ("Metadata", "Recorded at the level Metadata: who and when, not what was sent or stored."),
        ("Request", "Recorded at the level Request: what was asked for, not what was stored."),
    ):
        if writes["level"].eq(level).fillna(False).any():
            yield (
                "What exactly was changed",
                text,
                "The object in the cluster, its backups, or the deployment's source.",
            )
    if acts["code"].isna().any():
        yield "Whether it was carried out", "No response is recorded.", "The state of the object, and later events."
    subresource = acts["resource"].fillna("").str.partition("/")[2]
    if subresource.isin(list(CONNECTIONS)).any():
        text = "The log holds that the session was opened, not what was typed, sent or answered in it."
        yield "What was done in the session", text, "A runtime sensor, the node, or the application's own log."
    is_read = acts["verb"].isin(["get", "list", "watch"]) & acts["outcome"].eq("allowed")
    if (is_read & acts["resource"].eq("secrets")).fillna(False).any():
        text = "The log holds that Secrets were read, not their values and not what was done with them."
        yield "What the Secrets were used for", text, "The logs of whatever the Secrets open."


def _of_caller(acts: pd.DataFrame, chain: pd.DataFrame, has_cloudtrail: bool) -> _Rows:
    kinds = set(acts["principal_kind"].dropna())
    if ANONYMOUS in kinds or acts["username"].isna().any():
        text = "The caller showed no credential, or one that was not accepted. Only the address is known."
        yield "Who the caller was", text, "The owner of the address; flow logs of the network."
    if ROLE_SESSION in kinds:
        text = "A role's session is a credential, not a person. Its name is chosen by whoever assumes the role."
        where = (
            "CloudTrail: the AssumeRole event that issued the key." if not has_cloudtrail else "The identity provider."
        )
        yield "Which person held the session", text, where
        if not has_cloudtrail:
            yield (
                "Who assumed the role",
                "No events of CloudTrail were given.",
                "The parameter cloudtrail of this notebook.",
            )
    last = records(chain.tail(1))[0] if len(chain) else {}
    if known(last.get("basis")).startswith("unknown") and ROLE_SESSION not in kinds:
        yield "Who had the credential issued", known(last.get("explanation")), "A window that begins earlier."
    addresses = set(acts["address_kind"].dropna())
    if addresses:
        text = "The address is the last hop that the API server saw: it can be a proxy, a VPN or a NAT gateway of many."
        if addresses == {"private"}:
            text = "The address is a private one: a pod, a node, or something that passes requests on."
        yield "Which machine sent it", text, "Flow logs, and the log of the proxy."
    if acts["acted_as"].notna().any():
        text = (
            "The event names the rule that counted for the user who was acted as, not the one that let the caller act."
        )
        yield "Why the caller may impersonate", text, "The roles of the caller in the cluster."
    if acts["impersonated_arn"].notna().any():
        text = "What the request says of that user was written by the caller. It is no evidence of that user."
        yield "Whether the other user had any part in it", text, "Events of that user's own credential."


def _of_grounds(acts: pd.DataFrame, steps: pd.DataFrame) -> _Rows:
    for step in records(steps[steps["basis"].eq("not known") & steps["part"].isin(["binding", "role"])]):
        yield (
            f"Who made {step['name']}",
            step["explanation"],
            "A window that begins earlier; managedFields of the object.",
        )
    if steps["part"].eq("access policy").any():
        text = "Access entries and their policies are changed through the EKS API, which this log does not record."
        yield "Who associated the access policy", text, "CloudTrail: AssociateAccessPolicy and CreateAccessEntry."
    silent = acts["empty_reason"].eq("system:masters").fillna(False) & acts["acted_as"].isna()
    if (
        silent.any()
        and not steps["explanation"].str.contains("aws-auth gives the group", regex=False).fillna(False).any()
    ):
        text = "The group was in the event; which mapping gave it is not in what was read."
        yield "What put the caller into system:masters", text, "aws-auth in the cluster; who created the cluster."
    if acts["grounds"].eq("not recorded").fillna(False).any():
        yield "Why it was allowed or refused", "The event ends before its decision.", "The rules in the cluster."


def _of_consequences(linked: pd.DataFrame) -> _Rows:
    inferred = int(linked["certainty"].eq("inferred").sum()) if len(linked) else 0
    if inferred:
        text = f"{inferred:,} acts are linked by name or time, and not by a uid."
        yield "Whether all that followed was caused by it", text, "The ownerReferences of the objects."
    open_ends = linked[linked["certainty"].eq("not in the log")] if len(linked) else linked
    if len(open_ends):
        text = f"{len(open_ends):,} acts of controllers answer something that is not in the log."
        yield "What set off some acts of controllers", text, "A wider window."
