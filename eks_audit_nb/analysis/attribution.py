"""Who made a request, with which credential and from where, what came of it, and on what grounds.

The caller is the one who authenticated, also where another identity was acted as: what the request says of that one is
the caller's claim. `COLUMN_BASIS` tells what each column rests on.
"""

from __future__ import annotations

import pandas as pd

from eks_audit_nb.analysis.addresses import Ranges, address_kinds
from eks_audit_nb.analysis.clients import CLIENT_COLUMNS, clients
from eks_audit_nb.analysis.distinct import column_of, worked_once
from eks_audit_nb.analysis.principals import CLAIMED, INFERRED, PRINCIPAL_COLUMNS, PROVEN, principals
from eks_audit_nb.analysis.reasons import (
    REASON_COLUMNS,
    WANTED_COLUMNS,
    denied_by_admission,
    reasons,
    wanted_permissions,
)
from eks_audit_nb.events import COLUMNS, flatten, last_stages, unescaped

# What `attributed` adds to an event's columns, or fills in (session), with the dtypes.
ATTRIBUTION_COLUMNS = {
    **PRINCIPAL_COLUMNS,
    "acted_as": "string",  # the impersonated username
    "is_impersonating": "boolean",
    "claimed_ips": "string",  # the earlier of sourceIPs, which clients can write themselves
    "address_kind": "string",  # of source_ip: public, private, AWS, none
    **CLIENT_COLUMNS,
    "outcome": "string",
    **dict.fromkeys(REASON_COLUMNS, "string"),
    "empty_reason": "string",  # who allows without a word: system:masters, node authorizer
    **dict.fromkeys(WANTED_COLUMNS, "string"),
}

# What each column of `attribute` rests on. Proven: the API server or its authenticator wrote it. Claimed: the client
# wrote it, and could have written anything. Inferred: a rule concludes it. The name of another column: that one says it
# row by row. A session or an account that only a username's form gives is inferred, as its principal is.
COLUMN_BASIS = {
    **dict.fromkeys(COLUMNS, PROVEN),
    **dict.fromkeys(ATTRIBUTION_COLUMNS, PROVEN),
    **dict.fromkeys(("audit_id", "user_agent", "forwarded_ips", "claimed_ips"), CLAIMED),
    **dict.fromkeys(("impersonated_groups", "impersonated_arn", *CLIENT_COLUMNS), CLAIMED),
    **dict.fromkeys(("principal_kind", "principal"), "principal_basis"),
    **dict.fromkeys(("outcome", "empty_reason"), INFERRED),
}
# The outcomes that were a refusal.
REFUSED = ("refused by authorization", "refused by admission", "impersonation refused", "not authenticated")
# What `credentials` lists, and the column of each; the most values that it names.
_LISTED = {
    "principal_kinds": "principal_kind",
    "principals": "principal",
    "sessions": "session",
    "usernames": "username",
    "acted_as": "acted_as",
    "addresses": "source_ip",
    "clients": "client",
}
_MOST = 20


def attribute(frame: pd.DataFrame, aws_ranges: Ranges | None = None) -> pd.DataFrame:
    """One row a request with who made it, what came of it and why.

    Args:
        frame: Rows with `@timestamp` and `@message`.
        aws_ranges: The CIDRs that are AWS's own, or the path of its ip-ranges.json; without them no address is "AWS".

    Returns:
        The columns of `events.COLUMNS` and of `ATTRIBUTION_COLUMNS`, in the order of time.

    Raises:
        KeyError: The frame has no `@message`.
        ParameterError: The ranges cannot be read.
    """
    return attributed(last_stages(flatten(frame)), aws_ranges)


def attributed(requests: pd.DataFrame, aws_ranges: Ranges | None = None) -> pd.DataFrame:
    """The same from flat columns, one row a request; the events' text is not needed.

    Args:
        requests: Any of the columns of `events.COLUMNS`. What is not there counts as missing, and of the rest the more
            is inferred.
        aws_ranges: As for `attribute`.

    Returns:
        The same rows with the columns of `ATTRIBUTION_COLUMNS`; `session` is filled in where another field has it.

    Raises:
        ParameterError: The ranges cannot be read.
    """
    acted_as = column_of(requests, "impersonated").rename("acted_as")
    found = {
        **_columns(principals(requests)),
        "acted_as": acted_as,
        "is_impersonating": acted_as.notna().astype("boolean"),
        "claimed_ips": column_of(requests, "forwarded_ips").rename("claimed_ips"),
        "address_kind": address_kinds(column_of(requests, "source_ip"), aws_ranges),
        **_columns(clients(column_of(requests, "user_agent"))),
        **_decided(requests),
    }
    # Made of the columns as they are: joining frames would copy a million rows of each.
    given = {str(name): column for name, column in requests.items() if name not in found or name in COLUMNS}
    return pd.DataFrame({**given, **found}, copy=False, index=requests.index)


def outcome(requests: pd.DataFrame) -> pd.Series:
    """What came of each request, as text.

    allowed, refused by authorization, refused by admission, impersonation refused, not authenticated, failed, or no
    response recorded. A 403 with the decision "allow" was refused later, by admission, which may also say so with
    another code and its own words; a 403 without any decision was refused before authorization, which is where
    impersonation is checked. What a proxied server answered is "failed".

    Args:
        requests: code, and of decision, is_truncated, resource, wanted_verb and message what there is.
    """
    inputs = [
        column_of(requests, "code"),
        column_of(requests, "decision"),
        _is_cut(requests),
        column_of(requests, "resource"),
        column_of(requests, "wanted_verb"),
        denied_by_admission(column_of(requests, "message")),
    ]
    return worked_once(inputs, lambda *values: (_outcome(*values),), {"outcome": "string"})["outcome"]


def stated_decisions(decisions: pd.DataFrame) -> pd.DataFrame:
    """The rows of the query `authorization_decisions` with their reasons taken apart.

    Args:
        decisions: decision and reason as fields of the event, and decision_in_text and reason_in_text as they stand in
            its text, which count where CloudWatch did not discover the fields.

    Returns:
        The same rows with `decision` and `reason` settled, and the columns of `REASON_COLUMNS`.
    """
    decision = decisions["decision"].fillna(decisions["decision_in_text"])
    reason = decisions["reason"].fillna(unescaped(decisions["reason_in_text"]))
    return decisions.assign(decision=decision, reason=reason).join(reasons(decision, reason))


def credentials(requests: pd.DataFrame) -> pd.DataFrame:
    """One row a credential, the busiest first, with all that went under it: one person can have many names.

    A role is shared, and so can a username be; the key or the token is what separates those who use it. Requests
    without a credential (anonymous, or not authenticated) are grouped by what name they have.

    Args:
        requests: Rows of `attribute`.

    Returns:
        credential, credential_kind, principal_kinds, principals, sessions, usernames, acted_as, addresses, clients (all
        text: the different values in the order of the rows, joined by ", ", at most 20 of them), address_count,
        requests, refused (int64), first and last (datetime64[us, UTC]).
    """
    by = ["credential_kind", "credential"]
    number = requests.groupby(by, dropna=False, sort=False).ngroup().rename("number")
    counted = requests[[*by, "time", "source_ip"]].assign(is_refused=requests["outcome"].isin(REFUSED).astype("int64"))
    result = counted.groupby(number).agg(
        credential=("credential", "first"),
        credential_kind=("credential_kind", "first"),
        address_count=("source_ip", "nunique"),
        requests=("time", "size"),
        refused=("is_refused", "sum"),
        first=("time", "min"),
        last=("time", "max"),
    )
    for name, column in _LISTED.items():
        result[name] = _listed(number, requests[column], len(result))
    order = ["credential", "credential_kind", *_LISTED, "address_count", "requests", "refused", "first", "last"]
    return result.sort_values(["requests", "last"], ascending=False, ignore_index=True)[order]


def _listed(number: pd.Series, values: pd.Series, groups: int) -> pd.Series:
    """The different values of each group in a line; missing where it has none."""
    pairs = pd.DataFrame({"number": number, "value": values}, copy=False).dropna().drop_duplicates()
    found: list[list[str]] = [[] for _ in range(groups)]
    for group, value in zip(pairs["number"].tolist(), pairs["value"].tolist(), strict=True):
        found[group].append(value)
    lines = [", ".join(names[:_MOST]) or None for names in found]
    for group, names in enumerate(found):
        if len(names) > _MOST:
            lines[group] = f"{lines[group]} and {len(names) - _MOST:,} more"
    return pd.Series(lines, dtype="string")


def _columns(frame: pd.DataFrame) -> dict[str, pd.Series]:
    return {str(name): column for name, column in frame.items()}


def _decided(requests: pd.DataFrame) -> dict[str, pd.Series]:
    """Outcome, grounds and what was wanted."""
    code, decision, reason, resource = (
        column_of(requests, name) for name in ("code", "decision", "reason", "resource")
    )
    is_cut = _is_cut(requests)
    message = column_of(requests, "message")
    wanted = wanted_permissions(message)
    known = {"code": code, "decision": decision, "is_truncated": is_cut, "resource": resource, "message": message}
    came = outcome(pd.DataFrame({**known, "wanted_verb": wanted["wanted_verb"]}, copy=False))
    grounds = _columns(reasons(decision, reason))
    # Only a whole event with a 401 or a 403 says that there was no decision; elsewhere the decision is not in the log.
    is_open = decision.isna() & (~code.isin([401, 403]) | is_cut) & came.ne("impersonation refused")
    grounds["grounds"] = grounds["grounds"].mask(is_open, "not recorded")
    # Authorization is about the one who was acted as.
    is_other = column_of(requests, "impersonated").notna()
    groups = column_of(requests, "groups").mask(is_other, column_of(requests, "impersonated_groups"))
    names = {"empty_reason": "string"}
    silent = worked_once([decision, reason, groups], lambda *values: (_silent_authorizer(*values),), names)
    return {"outcome": came, **grounds, **silent, **_columns(wanted)}


def _is_cut(requests: pd.DataFrame) -> pd.Series:
    """Whether a missing decision says nothing: the event was cut, or the frame has no decisions."""
    if "decision" in requests and "is_truncated" in requests:
        return requests["is_truncated"].fillna(False)
    return pd.Series("decision" not in requests, index=requests.index, dtype="boolean")


def _outcome(
    code: int | None,
    decision: str | None,
    is_cut: bool | None,
    resource: str | None,
    wanted_verb: str | None,
    is_denied: bool,
) -> str:
    if not code:  # 0 is Go's word for none
        return "no response recorded"
    if code < 400:
        return "allowed"
    if decision is None:
        if code == 401:
            return "not authenticated"
        # Verbs of impersonation: impersonate, and since KEP-5284 impersonate:user-info, impersonate-on:user-info:list.
        if code == 403 and (not is_cut or (wanted_verb or "").startswith("impersonate")):
            return "impersonation refused"
    if code == 403 and decision == "forbid":
        return "refused by authorization"
    if decision == "allow" and (code == 403 or is_denied) and not (resource or "").endswith("/proxy"):
        return "refused by admission"
    return "failed"


def _silent_authorizer(decision: str | None, reason: str | None, groups: str | None) -> str | None:
    """Which of the two authorizers that allow without a word it was, by the groups that they look at."""
    if decision != "allow" or reason:
        return None
    listed = f", {groups or ''}, "
    if ", system:masters, " in listed:
        return "system:masters"
    return "node authorizer" if ", system:nodes, " in listed else None
