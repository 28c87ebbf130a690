"""The answer of notebook 07: what one principal did."""

from __future__ import annotations

import pandas as pd

from eks_audit_nb.analysis.activity import CHANGE, CLAIMED_ADDRESS, CREDENTIAL, ENTRY, OWN
from eks_audit_nb.analysis.attribution import REFUSED
from eks_audit_nb.analysis.identity import (
    ACTED_AS_IT,
    ISSUED,
    ISSUED_AND_USED,
    OTHER_ADDRESS,
    OTHER_NAME,
    nearest_identities,
    people,
)
from eks_audit_nb.analysis.principals import IAM_USER, ROLE_SESSION
from eks_audit_nb.analysis.subjects import NAME, Subject
from eks_audit_nb.reporting.sentences.words import a, count, listed


def principal_activity(
    subject: Subject, activity: pd.DataFrame, sessions: pd.DataFrame, ties: pd.DataFrame, identities: pd.DataFrame
) -> str:
    """Who it was, how much it did, from where and with what, what it changed and was refused, and as whom it acted.

    Args:
        subject: What `subject_of` makes of the parameter.
        activity: What `activity_of` gives.
        sessions: What `sessions` makes of its own requests.
        ties: What `ties` gives.
        identities: What `stated_identities` gives; of these the nearest names are told where nothing is found.
    """
    if not subject.text:
        return f"Nobody was asked for: name a principal. {somebody(identities)}".strip()
    own = activity[activity["part"] == OWN]
    if own.empty:
        told = f"{subject.text} made no request in this window. {_by_others(activity, ties)}"
        return told + _near(subject, identities)
    begin, end = own["came"].min(), own["time"].max()
    until = f"{end:%H:%M:%S}" if end.date() == begin.date() else f"{end:%Y-%m-%d %H:%M:%S}"
    text = (
        f"{subject.text}, found as {kinds(own['found_as'])}, made {count(len(own), 'request')} in "
        f"{count(len(sessions), 'session')}, from {begin:%Y-%m-%d %H:%M:%S} to {until} UTC"
    )
    return f"{text}{_names(subject, own)}. {_did(own)}{_acted(own)}{_by_others(activity, ties)}{_tied(ties)}".strip()


def kinds(found_as: pd.Series) -> str:
    """Such as "a username and a session name"."""
    return " and ".join(map(a, dict.fromkeys(found_as.dropna())))


def somebody(identities: pd.DataFrame) -> str:
    """People, by the look of it, whom one could ask for."""
    names = people(identities)
    return f"In this log are, among others: {listed(names)}." if names else ""


def _near(subject: Subject, identities: pd.DataFrame) -> str:
    near = nearest_identities(identities, subject.text)
    what = "" if subject.kind == NAME else f"It was understood as: {subject.kind}. "
    return what + (f"Nearest in the log: {listed(near)}." if near else "Nothing in the log is like it.")


def _names(subject: Subject, own: pd.DataFrame) -> str:
    names = [name for name in own["username"].fillna("no username").value_counts().index if name != subject.text]
    addresses = [each for each in own["source_ip"].dropna().value_counts().index if each != subject.text]
    shown = own["credential_id"].fillna(own["access_key"]).dropna()
    keys = [each for each in shown.value_counts().index if each.removeprefix("JTI=") != subject.text]
    iam = own.loc[own["principal_kind"].isin([ROLE_SESSION, IAM_USER]), "principal"].dropna()
    roles = [each for each in iam.value_counts().index if each not in (subject.text, *names)]
    told = [
        f"as {listed(names)}" if names else "",
        f"by IAM {listed(roles)}" if roles else "",
        f"from {listed(addresses)}" if addresses else "",
        f"with {listed(keys)}" if keys else "" if len(shown) else "with no credential that the log names",
    ]
    return "".join(f", {each}" for each in told if each)


def _did(own: pd.DataFrame) -> str:
    deeds = own["deed"].value_counts()
    done = [
        (int(deeds.get(CHANGE, 0)), "change", "changes"),
        (int(deeds.get(ENTRY, 0)), "entry (exec, proxy)", "entries (exec, proxy)"),
        (int(deeds.get(CREDENTIAL, 0)), "request for a credential", "requests for credentials"),
    ]
    told = [count(number, one, many) for number, one, many in done if number]
    refused = int(own["outcome"].isin(REFUSED).sum())
    what = f"It made {', '.join(told)}; " if told else "It changed nothing; "
    return f"{what}{count(refused, 'request')} {'was' if refused == 1 else 'were'} refused. "


def _acted(own: pd.DataFrame) -> str:
    acted = own["acted_as"].dropna()
    if acted.empty:
        return ""
    return f"{count(len(acted), 'request')} it made as {listed(acted.value_counts().index)}, by impersonation. "


def _by_others(activity: pd.DataFrame, ties: pd.DataFrame) -> str:
    others = ties[ties["relation"] == ACTED_AS_IT]
    claims = activity[activity["part"] == CLAIMED_ADDRESS]
    text = ""
    if len(others):
        callers = dict.fromkeys(others["username"].fillna("a caller without a name"))
        number = int(others["requests"].sum())
        are = "is" if number == 1 else "are"
        text += f"{listed(callers)} made {count(number, 'request')} in its name, which {are} not counted here. "
    if len(claims):
        text += f"{count(len(claims), 'request')} only {'claims' if len(claims) == 1 else 'claim'} to come from there. "
    return text


def _tied(ties: pd.DataFrame) -> str:
    issued = ties[ties["relation"].isin([ISSUED, ISSUED_AND_USED])]["credential"].nunique()
    used = ties[ties["relation"] == ISSUED_AND_USED]["credential"].nunique()
    elsewhere = [
        f"{words} {listed(names)}"
        for relation, words, column in ((OTHER_NAME, "as", "username"), (OTHER_ADDRESS, "from", "source_ip"))
        if (names := list(dict.fromkeys(ties.loc[ties["relation"] == relation, column].dropna())))
    ]
    text = ""
    if issued:
        seen = f"{used:,} of them {'was' if used == 1 else 'were'}" if used else "and none was"
        text = f"It had {count(issued, 'token')} issued, {seen} seen in use. "
    return text + (f"Its credentials came elsewhere too, {' and '.join(elsewhere)}." if elsewhere else "")
