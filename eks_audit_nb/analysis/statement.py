"""What is said of an act, part by part, and how sure each part is: proven, inferred, claimed, or not known."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import parse_qs

import pandas as pd

from eks_audit_nb.analysis.asked import object_text
from eks_audit_nb.analysis.bodies import CONNECTIONS, effect_of
from eks_audit_nb.analysis.grants import known, reason_in_words
from eks_audit_nb.analysis.grave import grave_of
from eks_audit_nb.analysis.principals import (
    ANONYMOUS,
    AWS_CONTROL_PLANE,
    CLAIMED,
    IAM_USER,
    INFERRED,
    NODE,
    PROVEN,
    ROLE_SESSION,
    SERVICE_ACCOUNT,
)
from eks_audit_nb.analysis.typed import records, typed_frame
from eks_audit_nb.events import parse_event

NOT_KNOWN = "not known"
STATED = {
    "part": "string",  # when, who, session, credential, person, from, client, acting as, act, result, why
    "text": "string",
    "certainty": "string",  # proven, inferred, claimed, not known
    "evidence": "string",  # the fields of the event, or why it is not known
}
# Those whom IAM's authenticator lets in, which alone takes an ARN from what STS has signed.
_OF_IAM = (ROLE_SESSION, IAM_USER, NODE, AWS_CONTROL_PLANE)
_DID = {
    "create": "created",
    "update": "updated",
    "patch": "patched",
    "delete": "deleted",
    "get": "read",
    "list": "listed",
    "watch": "watched",
    "deletecollection": "deleted the collection of",
    "approve": "approved",
}
# What a write of a subresource did to its object.
_DID_TO = {
    "eviction": "evicted",
    "scale": "scaled",
    "binding": "scheduled",
    "token": "had a token issued for",
    "approval": "decided on",
    "ephemeralcontainers": "put a container into",
}
_ENTERED = {
    "exec": "opened a session (exec) in",
    "attach": "attached to",
    "portforward": "opened a port-forward to",
    "proxy": "sent a request through",
}
_MOST = 5
_LONGEST = 300


def telling_acts(asked: pd.DataFrame) -> pd.DataFrame:
    """Of many requests those that a write-up tells of: what changed something, entered a pod, or read Secrets.

    Args:
        asked: Rows of `attribute`. Where they all have one audit id they are all told.

    Returns:
        The rows in the order of time. Where none did any of it: those that were refused, else all.
    """
    if asked["audit_id"].nunique() <= 1:
        return asked
    verb, resource = asked["verb"].fillna(""), asked["resource"].fillna("")
    is_read = verb.isin(["get", "list", "watch", ""])
    is_entry = resource.str.partition("/")[2].isin(list(CONNECTIONS))
    is_review = resource.str.endswith("reviews").fillna(False) | resource.eq("tokenreviews")
    is_done = asked["code"].lt(400).fillna(False).astype(bool)
    acts = asked[is_done & ((~is_read & ~is_review) | is_entry | resource.eq("secrets"))]
    if acts.empty:
        acts = asked[asked["code"].isin([401, 403])]
    return asked if acts.empty else acts


def lead_of(acts: pd.DataFrame) -> dict[str, Any]:
    """The act that the statement is about: the first that leads to more than it says, else the first."""
    rows = records(acts)
    return next((row for row in rows if len(rows) > 1 and grave_of({**row, "url": row["uri"]})), rows[0])


def did(act: Mapping[str, Any]) -> str:
    """What was done, in the past tense where it was done: "deleted deployments/shop/web", "tried to get nodes/a"."""
    verb, subresource = known(act["verb"]), known(act["resource"]).partition("/")[2]
    what = object_text(dict(act))
    if is_dry_run(act):
        return f"asked, as a dry run that stores nothing, to {verb} {what}"
    if known(act["outcome"]) != "allowed":
        return f"tried to {verb or 'do something (no verb is recorded) with'} {what}"
    if subresource in CONNECTIONS:
        return f"{_ENTERED[subresource]} {what.removesuffix(f' ({subresource})')}"
    if subresource in _DID_TO and verb in ("create", "update", "patch"):
        return f"{_DID_TO[subresource]} {what.removesuffix(f' ({subresource})')}"
    return f"{_DID[verb]} {what}" if verb in _DID else f"asked {verb or '(no verb is recorded)'} of {what}"


def is_dry_run(act: Mapping[str, Any]) -> bool:
    """Whether a request asked for its effect only to be tried; a deletion can say so in its body."""
    raw = known(act.get("raw"))
    if "dryRun" not in raw:
        return False
    event = parse_event(raw)
    tried = effect_of(event.get("verb"), 200, event.get("requestURI"), event.get("requestObject"))
    return tried == "none"


def who(act: Mapping[str, Any]) -> str:
    """The caller in words, with what tells it apart: ARN, session, key or token."""
    kind, principal, username = (known(act[name]) for name in ("principal_kind", "principal", "username"))
    if kind == ANONYMOUS:
        return "an anonymous caller"
    if not username and not principal:
        return "a caller whom the log does not name"
    details = []
    if kind in (ROLE_SESSION, IAM_USER):
        name = f"the IAM principal {known(act['arn']) or principal}"
        details.append(f"session {known(act['session'])}" if known(act["session"]) else "")
        details.append(f"username {username}" if username != principal else "")
    else:
        article = "an" if kind[:1] in "aeiouAEIOU" else "the"
        name = f"{article if kind == 'unknown' else 'the'} {kind} {principal or username}"
        details.append(known(act["arn"]) if kind == NODE else "")
        details.append(f"pod {known(act['pod'])}" if kind == SERVICE_ACCOUNT and known(act["pod"]) else "")
    if known(act["access_key"]):
        details.append(f"key {known(act['access_key'])}")
    elif known(act["credential_id"]):
        details.append(f"credential {known(act['credential_id'])}")
    told = ", ".join(filter(None, details))
    return f"{name} ({told})" if told else name


def summary(acts: pd.DataFrame) -> str:
    """The statement in two sentences: when, who, from where, what, and why that was possible."""
    act = lead_of(acts)
    acted = known(act["acted_as"])
    place = known(act["source_ip"]) or "an address that is not recorded"
    text = f"At {at(act['time'])} {who(act)}, from {place}, {f'acting as {acted}, ' if acted else ''}{did(act)}."
    reason = reason_in_words(act)
    outcome = known(act["outcome"])
    if act["decision"] == "allow":
        text += f" The API server allowed this because {reason}." if reason else ""
        if outcome == "refused by admission":
            text += f" Then admission refused it: {known(act['message'])[:_LONGEST] or 'no message is recorded'}."
        elif outcome == "failed":
            text += f" It then failed with the code {_code(act)}."
    elif outcome == "impersonation refused":
        wanted = known(act["wanted"])
        text += f" It was refused, since the caller may not impersonate{f' (missing: {wanted})' if wanted else ''}."
    else:
        text += f" It was {outcome if outcome != 'failed' else 'not done'}: {reason}." if reason else ""
    others = len(acts) - 1
    if others:
        text += f" {others:,} more request{'s are' if others > 1 else ' is'} told below."
    return text


def stated(acts: pd.DataFrame, chain: pd.DataFrame) -> pd.DataFrame:
    """The statement part by part; the columns of `STATED`.

    Args:
        acts: Rows of `attribute`; where there are several, what they differ in is told of the lead.
        chain: What `credential_chain` makes of the lead's credential.
    """
    return typed_frame(_parts(lead_of(acts), chain), STATED)


def person(act: Mapping[str, Any], chain: pd.DataFrame) -> tuple[str, str, str]:
    """Who stands behind a credential, how sure that is, and why.

    Args:
        act: A row of `attribute`.
        chain: What `credential_chain` makes of its credential.
    """
    if chain.empty:
        return "Nobody is named", NOT_KNOWN, "The event names no credential that could be followed."
    last = records(chain.tail(1))[0]
    basis, explanation = known(last["basis"]), known(last["explanation"])
    holder = known(last["holder"])
    if len(chain) > 1 and holder:
        explanation = f"{len(chain) - 1} step{'s' if len(chain) > 2 else ''} back, to {holder}. {explanation}"
    if basis.startswith("end"):
        return explanation, PROVEN, "CloudTrail, or the ARN of an IAM user"
    if basis.startswith("inferred"):
        return explanation, INFERRED, "the name of the session"
    return f"Not beyond {holder or who(act)}", NOT_KNOWN, explanation


def at(time: Any) -> str:
    """A time for people: 2026-11-24 22:33:54.123 UTC."""
    return (
        "a time that is not recorded"
        if pd.isna(time)
        else f"{time:%Y-%m-%d %H:%M:%S}.{time.microsecond // 1000:03d} UTC"
    )


def _parts(act: Mapping[str, Any], chain: pd.DataFrame) -> Iterator[dict[str, Any]]:
    yield _part("When", at(act["time"]), PROVEN, "stageTimestamp, by the clock of the API server")
    principal = known(act["principal"]) or known(act["username"])
    if principal:
        text = f"{known(act['principal_kind'])} {principal}"
        yield _part("Who", text, known(act["principal_basis"]) or NOT_KNOWN, known(act["evidence"]))
    else:
        yield _part("Who", "Nobody is named", NOT_KNOWN, "The request was not authenticated: user is empty")
    if known(act["arn"]) and known(act["principal_kind"]) in _OF_IAM:
        yield _part("IAM session", known(act["arn"]), PROVEN, "user.extra.arn, from the signed STS token")
    elif known(act["arn"]):
        yield _part("ARN", known(act["arn"]), INFERRED, "user.extra.arn, which another authenticator than IAM's wrote")
    if known(act["session"]):
        text = "user.extra.sessionName; whoever assumes a role chooses it, unless IAM fixes it"
        yield _part("Session name", known(act["session"]), PROVEN, text)
    if known(act["access_key"]):
        yield _part("AWS key", known(act["access_key"]), PROVEN, "user.extra.accessKeyId")
    if known(act["credential_id"]):
        text = "user.extra.authentication.kubernetes.io/credential-id"
        yield _part("Credential", known(act["credential_id"]), PROVEN, text)
    if known(act["pod"]):
        where = f"{known(act['pod'])} on {known(act['node']) or 'a node that is not named'}"
        text = "the token was issued for this pod; that the pod itself sent the request is not said"
        yield _part("Token bound to", where, PROVEN, text)
    yield _part("Person behind it", *person(act, chain))
    if known(act["source_ip"]):
        text = f"{known(act['source_ip'])} ({known(act['address_kind'])})"
        yield _part("From", text, PROVEN, "the last of sourceIPs: the peer that the API server saw")
    else:
        yield _part("From", "No address", NOT_KNOWN, "sourceIPs is empty")
    if known(act["claimed_ips"]):
        yield _part("Forwarded for", known(act["claimed_ips"]), CLAIMED, "the earlier of sourceIPs, from a header")
    if known(act["user_agent"]):
        yield _part("Client", known(act["user_agent"])[:_LONGEST], CLAIMED, "userAgent, which any client can write")
    if known(act["acted_as"]):
        text = "impersonatedUser: the caller asked to be treated as this user. The caller is the one responsible"
        yield _part("Acting as", known(act["acted_as"]), PROVEN, text)
        if known(act["impersonated_arn"]):
            text = "impersonatedUser.extra, which the caller wrote: nobody has checked it"
            yield _part("Said of that user", known(act["impersonated_arn"]), CLAIMED, text)
    yield _part(
        "Act", f"{known(act['verb']) or 'no verb'} {object_text(dict(act))}", PROVEN, "verb, objectRef, requestURI"
    )
    command = " ".join(parse_qs(known(act["uri"]).partition("?")[2]).get("command", ()))
    if command:
        yield _part("Command", command[:_LONGEST], PROVEN, "requestURI; what was typed afterwards is not recorded")
    if pd.isna(act["code"]):
        yield _part("Result", "No response is recorded", NOT_KNOWN, "responseStatus is missing")
    else:
        text = f"{known(act['outcome'])}, code {_code(act)}"
        yield _part("Result", text, PROVEN, "responseStatus.code and the decision")
    yield _why(act)


def _why(act: Mapping[str, Any]) -> dict[str, Any]:
    reason = reason_in_words(act) or "the decision is not in the log"
    text = reason[:1].upper() + reason[1:]
    if not known(act["decision"]):
        is_early = known(act["grounds"]) == "refused before authorization"
        return _part("Why", text, PROVEN if is_early else NOT_KNOWN, "no annotation authorization.k8s.io/decision")
    if known(act["reason"]):
        return _part("Why", text, PROVEN, "annotation authorization.k8s.io/reason")
    certainty = INFERRED if act["decision"] == "allow" else PROVEN
    return _part("Why", text, certainty, "the annotation's reason is empty; the groups of the user decide")


def _part(name: str, text: str, certainty: str, evidence: str) -> dict[str, Any]:
    return {"part": name, "text": text, "certainty": certainty, "evidence": evidence}


def _code(act: Mapping[str, Any]) -> str:
    return "none" if pd.isna(act["code"]) else str(int(act["code"]))
