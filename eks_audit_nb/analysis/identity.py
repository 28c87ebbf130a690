"""Who is behind a name, a key, a token or an address, and which other identities are connected with that one."""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Iterable

import pandas as pd

from eks_audit_nb.analysis.addresses import PRIVATE, Ranges
from eks_audit_nb.analysis.attribution import attributed
from eks_audit_nb.analysis.credentials import shown_credential
from eks_audit_nb.analysis.issuers import CHAIN, credential_chain
from eks_audit_nb.analysis.principals import (
    ACCESS_KEY,
    ANONYMOUS,
    CERTIFICATE,
    IAM_USER,
    INFERRED,
    NAME_ONLY,
    NO_CREDENTIAL,
    NODE,
    OIDC_USER,
    PRINCIPAL_COLUMNS,
    PROVEN,
    ROLE_SESSION,
    SERVICE_ACCOUNT,
    TOKEN,
    UNKNOWN,
    read_arn,
)
from eks_audit_nb.analysis.subjects import ADDRESS, Subject, found_as
from eks_audit_nb.analysis.typed import records, typed_frame
from eks_audit_nb.insights.nearness import nearest

IDENTITIES = {
    "kind": "string",  # one of principals.KINDS
    "principal": "string",
    "account": "string",
    "session": "string",
    "usernames": "string",  # this and all that follow as text: different values, joined by ", "
    "acted_as": "string",
    "credentials": "string",
    "addresses": "string",
    "requests": "Int64",
    "first": "datetime64[us, UTC]",
    "last": "datetime64[us, UTC]",
    "basis": "string",  # proven or inferred: that it is this principal
    "evidence": "string",  # the fields of the events that say so
}
TIES = {
    "relation": "string",
    "basis": "string",
    "username": "string",
    "principal": "string",
    "session": "string",
    "credential": "string",
    "acted_as": "string",
    "source_ip": "string",
    "requests": "Int64",
    "first": "datetime64[us, UTC]",
    "last": "datetime64[us, UTC]",
    "audit_id": "string",  # of the last of these requests
}
LOOKALIKES = {
    "username": "string",
    "resembles": "string",
    "why": "string",
    "kind": "string",
    "principal": "string",
    "source_ip": "string",
    "requests": "Int64",
    "last": "datetime64[us, UTC]",
}
MAPPINGS = {
    "arn": "string",  # of the role or user, without the session
    "username": "string",
    "groups": "string",
    "outcome": "string",
    "seen_in": "string",
    "times": "Int64",
    "first": "datetime64[us, UTC]",
    "last": "datetime64[us, UTC]",
}
# How an identity is connected with the one that was asked for, the surest first.
ISSUED_AND_USED = "credential that it had issued"
ISSUED = "credential that it had issued, not seen in use"
OTHER_NAME = "same credential, another name"
OTHER_ADDRESS = "same credential, another address"
ACTED_AS_IT = "acted as it"
OTHER_CREDENTIAL = "same principal, another credential"
NAME_ALONE = "same name, and no credential tells them apart"
OTHER_PRINCIPAL = "same username, another principal"
SESSION_NAME = "same session name, another role"
SAME_ADDRESS = "same public address"
SAME_ROLE = "same role, another session"
RELATIONS = (
    *(ISSUED_AND_USED, OTHER_NAME, OTHER_ADDRESS, ACTED_AS_IT, OTHER_PRINCIPAL, OTHER_CREDENTIAL),
    *(NAME_ALONE, SESSION_NAME, SAME_ADDRESS, SAME_ROLE, ISSUED),
)
_CONCLUDED = frozenset({NAME_ALONE, SESSION_NAME, SAME_ADDRESS})
# Names that the cluster and AWS use themselves. Sources: Kubernetes documentation, "Default roles and role bindings";
# EKS User Guide, "Review default EKS created roles and users".
_SYSTEM_NAMES = (
    *("system:kube-controller-manager", "system:kube-scheduler", "system:kube-proxy", "system:apiserver"),
    *("system:anonymous", "system:masters", "kubernetes-admin", "eks:addon-manager", "eks:node-manager"),
    *("eks:certificate-controller", "eks:cluster-bootstrap", "eks:cloud-controller-manager", "eks:k8s-metrics"),
    *("eks:kms-storage-migrator", "eks:support-engineer", "eks:fargate-manager", "eks:vpc-resource-controller"),
)
_SYSTEM_NAMESPACES = ("kube-system", "kube-public", "kube-node-lease")
# So alike that an eye in a hurry takes one for the other.
_ALIKE = 0.85
# Letters of other scripts, and digits, that look like Latin letters. Source: Unicode Technical Standard 39.
_CONFUSABLE = str.maketrans("аеорсухіѕԁһјӏ01οανρτ", "aeopcyxisdhjloloavpt")  # noqa: RUF001
# Callers to whom the API server and EKS give no name of their own.
_OTHERS = (ROLE_SESSION, IAM_USER, OIDC_USER, UNKNOWN)
# What `stated_identities` takes of attribution besides the caller's fields.
_SAID = [name for name in PRINCIPAL_COLUMNS if name != "session"] + ["acted_as", "address_kind"]
_MOST_CHAINS = 20


def stated_identities(rows: pd.DataFrame, aws_ranges: Ranges | None = None) -> pd.DataFrame:
    """Who authenticated as whom from where, from the rows of the query `identity_uses`, which the service has counted.

    Args:
        rows: What the query gives.
        aws_ranges: As for `attribute`.

    Returns:
        The columns that `attributed` makes of the caller's fields, with requests (Int64), first, last and audit_id (of
        the last request); one row for each identity, credential, address and user whom it acted as.
    """
    callers = pd.DataFrame(
        {
            **{name: rows[name] for name in ("username", "uid", "arn", "canonical_arn", "access_key", "principal_id")},
            **{name: rows[name] for name in ("credential_id", "pod", "node", "impersonated")},
            "session": rows["session"].replace("", pd.NA),
            "groups": rows["listed_groups"].str.replace(r'"\s*,\s*"', ", ", regex=True).str.strip('" \n'),
            "source_ip": rows["addresses"].str.extract(r'"([^"]*)"\s*$', expand=False),
        }
    ).astype("string")
    found = attributed(callers, aws_ranges)[[*callers, *_SAID]]
    counts = rows[["requests", "audit_id"]].assign(first=rows["first_seen"], last=rows["last_seen"])
    return found.join(counts).sort_values(["first", "last"], kind="stable", ignore_index=True)


def identities_of(found: pd.DataFrame) -> pd.DataFrame:
    """One row for each principal and session, the busiest first; the columns of `IDENTITIES`.

    Args:
        found: Rows of `stated_identities` that are meant.
    """
    rows = []
    is_told = ~found["credential_kind"].isin([NAME_ONLY, NO_CREDENTIAL])
    found = found.assign(credential=found["credential"].where(is_told))
    for _, seen in found.groupby(["principal_kind", "principal", "session"], dropna=False, sort=False):
        first = seen.iloc[0]
        rows.append(
            {
                **{name: first[name] for name in ("principal", "account", "session", "evidence")},
                "kind": first["principal_kind"],
                "basis": INFERRED if seen["principal_basis"].eq(INFERRED).any() else PROVEN,
                **{f"{name}s": _listed(seen[name]) for name in ("username", "credential")},
                "acted_as": _listed(seen["acted_as"]),
                "addresses": _listed(seen["source_ip"]),
                "requests": seen["requests"].sum(),
                "first": seen["first"].min(),
                "last": seen["last"].max(),
            }
        )
    return typed_frame(rows, IDENTITIES).sort_values(
        ["requests", "last"], ascending=False, kind="stable", ignore_index=True
    )


def ties(subject: Subject, identities: pd.DataFrame, issued: Iterable[str] = ()) -> pd.DataFrame:
    """The identities that are connected with the one asked for, the surest first; the columns of `TIES`.

    A username, a role or an address is shared; a key or a token is held by one, unless it was taken. So what has the
    same credential counts as the same caller (proven), and what has the same address only may be (inferred).

    Args:
        subject: What `subject_of` gives.
        identities: What `stated_identities` gives, of the whole log.
        issued: The ids of credentials that it had issued.
    """
    is_own = found_as(identities, subject).notna()
    own, others = identities[is_own], identities[~is_own]
    issued = set(issued)
    shown = shown_credential(others)
    relation = pd.Series(pd.NA, index=others.index, dtype="string")

    def settle(name: str, fits: pd.Series) -> None:
        nonlocal relation
        relation = relation.mask(relation.isna() & fits.fillna(False).astype(bool), name)

    same_credential = shown.isin(shown_credential(own).dropna())
    same_name = others["username"].isin(own["username"].dropna()) & others["principal_kind"].ne(ANONYMOUS)
    same_principal = _callers(others).isin(_callers(own).dropna())
    nameless = _callers(own)[own["credential_kind"].eq(NAME_ONLY)]
    no_credential = others["credential_kind"].eq(NAME_ONLY) | _callers(others).isin(nameless.dropna())
    public = own.loc[own["address_kind"].ne(PRIVATE), "source_ip"].dropna()
    roles = own.loc[own["principal_kind"].eq(ROLE_SESSION), "principal"].dropna()
    settle(ISSUED_AND_USED, shown.isin(issued))
    settle(OTHER_NAME, same_credential & ~same_name)
    settle(OTHER_ADDRESS, same_credential)
    # From an address many come: acting as one of them is not acting as the address.
    names = set() if subject.kind == ADDRESS else {subject.text, *own["username"].dropna()} - {""}
    settle(ACTED_AS_IT, others["acted_as"].isin(names))
    settle(NAME_ALONE, same_principal & same_name & no_credential)
    settle(OTHER_CREDENTIAL, same_principal)
    settle(OTHER_PRINCIPAL, same_name)
    settle(SESSION_NAME, others["session"].isin(own["session"].dropna()))
    settle(SAME_ADDRESS, others["source_ip"].isin(public))
    settle(SAME_ROLE, others["principal"].isin(roles))
    tied = others.assign(relation=relation)[relation.notna()]
    tied = tied.assign(basis=tied["relation"].map(lambda name: INFERRED if name in _CONCLUDED else PROVEN))
    unused = sorted(issued - set(shown_credential(identities).dropna()))
    tied = tied.assign(credential=tied["credential"].where(tied["credential_kind"].ne(NAME_ONLY)))
    rows = records(tied.reindex(columns=list(TIES)))
    rows += [{"relation": ISSUED, "basis": PROVEN, "credential": each} for each in unused]
    result = typed_frame(rows, TIES)
    order = result["relation"].map(list(RELATIONS).index)
    return result.assign(order=order).sort_values(["order", "first"], kind="stable", ignore_index=True)[list(TIES)]


def credential_ways(subject: Subject, identities: pd.DataFrame, issued: pd.DataFrame) -> pd.DataFrame:
    """How each credential of somebody came about; the columns of `CHAIN`, the most used of 20 credentials first.

    Args:
        subject: What `subject_of` gives; a credential that was issued has a way though nobody used it.
        identities: What `stated_identities` gives, of the whole log.
        issued: What `issued_credentials` gives.
    """
    found = identities[found_as(identities, subject).notna()]
    told = found[found["credential_kind"].isin([ACCESS_KEY, TOKEN, CERTIFICATE])]
    busiest = told.groupby("credential", sort=False)["requests"].sum().sort_values(ascending=False, kind="stable")
    credentials = list(busiest.index[:_MOST_CHAINS]) or [subject.text]
    ways = [credential_chain(each, issued, identities) for each in credentials]
    return pd.concat([typed_frame([], CHAIN), *ways], ignore_index=True)


def mappings(found: pd.DataFrame, log: pd.DataFrame) -> pd.DataFrame:
    """Which ARN is which user, by the audit log and by the IAM authenticator's; the columns of `MAPPINGS`.

    Args:
        found: Rows of `stated_identities` that are meant.
        log: What `authenticator_log` gives; its failed logins of these ARNs are here too.
    """
    # A node is called by its name, and is an IAM role all the same.
    is_arn = [isinstance(name, str) and read_arn(name) is not None for name in found["principal"]]
    arn = found["canonical_arn"].fillna(found["principal"].where(pd.Series(is_arn, index=found.index, dtype=bool)))
    mapped = found.assign(arn=arn)[arn.notna()]
    arns, names = set(mapped["arn"]), set(found["username"].dropna())
    keys = ["arn", "username", "groups"]
    audit = mapped.groupby(keys, dropna=False, sort=False).agg(
        times=("requests", "sum"), first=("first", "min"), last=("last", "max")
    )
    audit = audit.reset_index().assign(outcome="became this user", seen_in="audit log")
    of_log = log["arn"].isin(arns) | log["username"].isin(names)
    told = log[of_log.fillna(False) & log["outcome"].isin(["granted", "denied"])]
    outcome = ("turned away: " + told["error"].fillna("no reason")).where(
        told["outcome"].eq("denied"), "became this user"
    )
    logins = (
        told.assign(outcome=outcome)
        .groupby(["arn", "username", "groups", "outcome"], dropna=False, sort=False)
        .agg(times=("raw", "size"), first=("time", "min"), last=("time", "max"))
    )
    logins = logins.reset_index().assign(seen_in="authenticator log")
    return typed_frame([*records(audit), *records(logins)], MAPPINGS)


def lookalikes(identities: pd.DataFrame) -> pd.DataFrame:
    """Usernames that look like the cluster's, AWS's or another's, and are not; the columns of `LOOKALIKES`.

    That is: a name with a reserved beginning whose caller is of another kind; a name that differs from a system's name
    by few letters, or only by letters that look the same; a service account's namespace that is nearly a system's.

    Args:
        identities: What `stated_identities` gives, of the whole log.
    """
    names = identities.dropna(subset=["username"])
    plain = {_looks(each): each for each in (*_SYSTEM_NAMES, *names["username"].unique()) if _looks(each) == each}
    rows = []
    for (username, kind), seen in names.groupby(["username", "principal_kind"], sort=False):
        found = _lookalike(str(username), str(kind), plain)
        if found:
            last = seen.sort_values("last").iloc[-1]
            told = {"username": username, "resembles": found[0], "why": found[1], "kind": kind}
            told |= {"principal": last["principal"], "source_ip": _listed(seen["source_ip"])}
            rows.append({**told, "requests": seen["requests"].sum(), "last": last["last"]})
    return typed_frame(rows, LOOKALIKES).sort_values("requests", kind="stable", ignore_index=True)


def nearest_identities(identities: pd.DataFrame, text: str, most: int = 4) -> list[str]:
    """Names, keys, tokens and addresses in the log that are like a text, the nearest first."""
    columns = ("username", "session", "principal", "arn", "access_key", "credential_id", "source_ip", "uid")
    known = dict.fromkeys(value for name in columns for value in identities[name].dropna().unique())
    lowered: dict[str, str] = {}
    for each in known:
        lowered.setdefault(each.lower(), each)
    wanted = text.strip().lower()
    if not wanted:
        return []
    holding = [each for key, each in lowered.items() if len(wanted) > 2 and wanted in key]
    alike = [lowered[each] for each in difflib.get_close_matches(wanted, lowered, most, cutoff=0.6)]
    return list(dict.fromkeys([*alike, *holding]))[:most]


def people(identities: pd.DataFrame) -> list[str]:
    """The usernames that IAM or an identity provider stands behind, the busiest first."""
    found = identities[identities["principal_kind"].isin([ROLE_SESSION, IAM_USER, OIDC_USER])]
    counted = found.groupby("username")["requests"].sum().sort_values(ascending=False, kind="stable")
    return [str(name) for name in counted.index]


def _lookalike(username: str, kind: str, plain: dict[str, str]) -> tuple[str, str] | None:
    looks = _looks(username)
    if looks != username and looks in plain and plain[looks] != username:
        return plain[looks], "differs only in case, or in letters that look the same"
    reserved = re.match(r"(system|eks|aws|amazon|iam):", looks)
    if reserved and kind in _OTHERS:
        return reserved[0] + "*", f"a reserved beginning, and the caller is: {kind}"
    account = re.fullmatch(r"system:serviceaccount:([^:]+):[^:]+", username)
    if account and account[1] not in _SYSTEM_NAMESPACES:
        near = nearest(account[1], _SYSTEM_NAMESPACES, _ALIKE)
        return (f"system:serviceaccount:{near}:*", "a namespace that is nearly a system's") if near else None
    if kind not in (SERVICE_ACCOUNT, NODE, ANONYMOUS) and username not in _SYSTEM_NAMES:
        near = nearest(looks, _SYSTEM_NAMES, _ALIKE)
        return (near, "nearly the same letters") if near else None
    return None


def _looks(name: str) -> str:
    """The name as an eye reads it: without differences of width, case, accents and scripts that look alike."""
    plain = unicodedata.normalize("NFKD", name).casefold().translate(_CONFUSABLE)
    return "".join(each for each in plain if not unicodedata.combining(each) and each.isprintable())


def _callers(identities: pd.DataFrame) -> pd.Series:
    """Principal and session, which together are the same caller, as one text."""
    return identities["principal"] + "\n" + identities["session"].fillna("")


def _listed(values: pd.Series, most: int = 10) -> str | None:
    names = [str(each) for each in values.dropna().unique()]
    text = ", ".join(names[:most])
    return (f"{text} and {len(names) - most:,} more" if len(names) > most else text) or None
