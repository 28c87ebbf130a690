"""The answer of notebook 08: who somebody is, and how sure that is."""

from __future__ import annotations

import pandas as pd

from eks_audit_nb.analysis import issuers
from eks_audit_nb.analysis.identity import ACTED_AS_IT, OTHER_ADDRESS, OTHER_NAME, OTHER_PRINCIPAL, nearest_identities
from eks_audit_nb.analysis.principals import ANONYMOUS, IAM_USER, ROLE_SESSION
from eks_audit_nb.analysis.subjects import ADDRESS, NAME, Subject
from eks_audit_nb.analysis.typed import records
from eks_audit_nb.reporting.sentences.activity import kinds, somebody
from eks_audit_nb.reporting.sentences.words import a, count, listed

_MOST = 3


def identity(
    subject: Subject,
    found_as: pd.Series,
    summary: pd.DataFrame,
    ways: pd.DataFrame,
    ties: pd.DataFrame,
    identities: pd.DataFrame,
) -> str:
    """Who it is by the log, with which credential and from where, and whether a person is known behind it.

    Args:
        subject: What `subject_of` makes of the parameter.
        found_as: As what it was found, of each identity.
        summary: What `identities_of` makes of the identities that were found.
        ways: What `credential_ways` gives.
        ties: What `ties` gives.
        identities: What `stated_identities` gives.
    """
    if not subject.text:
        return f"Nobody was asked for: name somebody. {somebody(identities)}".strip()
    acted = ties[ties["relation"] == ACTED_AS_IT]
    if summary.empty:
        return _nobody(subject, ways, acted, identities).strip()
    text = f"{subject.text}, found as {kinds(found_as)}, is "
    if len(summary) == 1:
        text += f"{_one(subject, summary)}. "
    else:
        whose = [_short(subject, row) for row in records(summary)]
        text += f"shared by {len(summary):,} identities: {listed(whose, _MOST)}. "
    return f"{text}{_person(subject, summary, ways)}{_shared(ties)}{_acted(acted)}".strip()


def mapping_caption(log: pd.DataFrame, *, is_remote: bool) -> str:
    """What the table of mappings is made of."""
    if len(log):
        return "IAM ARNs and their usernames, by both logs"
    why = "holds nothing in this window or is switched off" if is_remote else "is in CloudWatch Logs only, not in files"
    return f"IAM ARNs and their usernames, by the audit log; the authenticator's log {why}"


def _nobody(subject: Subject, ways: pd.DataFrame, acted: pd.DataFrame, identities: pd.DataFrame) -> str:
    if len(ways):
        first = records(ways)[0]
        by = first["username"] if _is(first["username"]) else "an unnamed caller"
        address = f" from {first['source_ip']}" if _is(first["source_ip"]) else ""
        return (
            f"{subject.text} is the {first['kind']} of {first['holder'] or 'nobody'}, issued at the request of {by}"
            f"{address} (proven). Nobody used it in this window."
        )
    what = "" if subject.kind == NAME else f"It was understood as: {subject.kind}. "
    near = nearest_identities(identities, subject.text)
    like = f"Nearest in the log: {listed(near)}." if near else "Nothing in the log is like it."
    return f"Nobody authenticated as {subject.text} in this window. {_acted(acted)}{what}{like}"


def _one(subject: Subject, summary: pd.DataFrame) -> str:
    row = records(summary)[0]
    text = _short(subject, row)
    text += f" in account {row['account']}" if _is(row["account"]) else ""
    for words, name in (("under the username", "usernames"), ("with", "credentials"), ("from", "addresses")):
        if _is(row[name]) and row[name] not in (subject.text, f"JTI={subject.text}", row["principal"]):
            text += f", {words} {row[name]}"
    text += "" if _is(row["credentials"]) else ", with no credential that the log names"
    return f"{text} ({row['basis']} by {row['evidence'] or 'nothing'}; {count(int(row['requests']), 'request')})"


def _short(subject: Subject, row: dict[str, object]) -> str:
    if row["kind"] == ANONYMOUS or not _is(row["principal"]):
        return "whoever did not authenticate"
    name = f"the {row['kind']} {row['principal']}" if row["principal"] != subject.text else a(str(row["kind"]))
    return f"{name}, session {row['session']}" if row["kind"] == ROLE_SESSION and _is(row["session"]) else name


def _person(subject: Subject, summary: pd.DataFrame, ways: pd.DataFrame) -> str:
    """Whether a person is known; only of IAM identities it can be."""
    if subject.kind == ADDRESS:
        return "Several can share an address. "
    ends = ways[ways["basis"].isin([issuers.END, issuers.INFERRED])]
    if len(ends):
        told = " ".join(list(dict.fromkeys(ends["explanation"]))[:2])
        return f"Who holds it{'' if ends['basis'].eq(issuers.END).all() else ', inferred and not proven'}: {told} "
    issued = ways[(ways["basis"] == issuers.PROVEN) & (ways["step"] == 1)]
    if len(issued):
        by = dict.fromkeys(issued["username"].fillna("an unnamed caller") + (" from " + issued["source_ip"]).fillna(""))
        return f"Its credential was issued at the request of {listed(by)} (proven). "
    if summary["kind"].isin([ROLE_SESSION, IAM_USER]).any():
        return "Which person holds it, this log does not say: CloudTrail does. "
    return ""


def _shared(ties: pd.DataFrame) -> str:
    text = ""
    for relation, words, column in (
        (OTHER_NAME, "The same credential went under other names too", "username"),
        (OTHER_ADDRESS, "The same credential came from elsewhere too", "source_ip"),
        (OTHER_PRINCIPAL, "The username is shared with", "principal"),
    ):
        names = list(dict.fromkeys(ties.loc[ties["relation"] == relation, column].dropna()))
        text += f"{words}: {listed(names)}. " if names else ""
    return text


def _acted(acted: pd.DataFrame) -> str:
    if acted.empty:
        return ""
    callers = dict.fromkeys(acted["username"].fillna("a caller without a name"))
    number = count(int(acted["requests"].sum()), "request")
    return f"{listed(callers)} acted as it ({number}): that is their doing. "


def _is(value: object) -> bool:
    return isinstance(value, str) and bool(value)
