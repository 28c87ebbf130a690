"""Who a caller is, by what the authenticator and the API server wrote about it, and how sure that is.

A name alone proves little: the aws-auth ConfigMap can map any IAM identity to any username, and an identity provider
can hand out names of its own. What tells callers apart is what only one kind of authenticator writes: the uid of
the IAM authenticator, the uid and groups of a service account, the hash of a client certificate.
Sources: aws-iam-authenticator (uid, extra, arn.Canonicalize); apiserver's serviceaccount and x509 authenticators;
KEP-4193 (credential-id); EKS User Guide, "Grant IAM users access to Kubernetes".
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

import pandas as pd

from eks_audit_nb.analysis.distinct import column_of, worked_once

ROLE_SESSION = "IAM role session"
IAM_USER = "IAM user"
SERVICE_ACCOUNT = "service account"
NODE = "node"
AWS_CONTROL_PLANE = "AWS control plane"
COMPONENT = "Kubernetes component"
ANONYMOUS = "anonymous"
OIDC_USER = "OIDC user"
UNKNOWN = "unknown"
KINDS = (ROLE_SESSION, IAM_USER, SERVICE_ACCOUNT, NODE, AWS_CONTROL_PLANE, COMPONENT, ANONYMOUS, OIDC_USER, UNKNOWN)

PROVEN, CLAIMED, INFERRED = "proven", "claimed", "inferred"

ACCESS_KEY, TOKEN, CERTIFICATE = "access key", "token", "client certificate"
IAM_SESSION, NAME_ONLY, NO_CREDENTIAL = "IAM session", "name only", "none"

PRINCIPAL_COLUMNS = {
    "principal_kind": "string",  # one of KINDS
    # The ARN of the IAM role or user (of a role without its path, which STS never tells; IAM's own id where the log has
    # no ARN), system:serviceaccount:NS:SA, the node's name, or the username.
    "principal": "string",
    "principal_basis": "string",  # proven, or inferred where only the form of a name says it
    "evidence": "string",  # the fields of the event that say so
    "session": "string",
    "account": "string",  # the AWS account, 12 digits
    "access_key_kind": "string",  # long-lived, session
    "credential": "string",  # what the requests of one credential have in common
    "credential_kind": "string",  # access key, token, client certificate, IAM session, name only, none
}
# What the rule looks at, of events.COLUMNS, in the order of `Caller`.
_INPUTS = (
    *("username", "uid", "groups", "arn", "canonical_arn", "session"),
    *("access_key", "credential_id", "principal_id"),
)

_IAM_UID = re.compile(r"(?:aws-iam-authenticator|heptio-authenticator-aws):(\d{12}):(.+)", re.DOTALL)
_ARN = re.compile(
    r"arn:(aws[a-z-]*):(iam|sts)::(\d{12}):(assumed-role|role|user|federated-user|root)(?:/(.*))?", re.DOTALL
)
_NODE = "system:node:"
_SERVICE_ACCOUNT = re.compile(r"system:serviceaccount:([^:]+):([^:]+)")
# The roles that EKS itself takes when it calls a cluster. Source: events of clusters.
_ROLE_OF_EKS = "AWSWesley"


class Caller(NamedTuple):
    """What an event says of the one who authenticated."""

    username: str | None
    uid: str | None
    groups: str | None
    arn: str | None
    canonical_arn: str | None
    session: str | None
    access_key: str | None
    credential_id: str | None
    principal_id: str | None

    def is_in(self, group: str) -> bool:
        """Whether the caller is in a group."""
        return f", {group}, " in f", {self.groups or ''}, "

    @property
    def iam_uid(self) -> tuple[str, str] | None:
        """The account and IAM's id of the caller; a certificate's uid is whatever its maker wrote there."""
        return None if self.credential_id else _read_uid(self.uid)

    @property
    def has_certificate(self) -> bool:
        """Whether a client certificate of the cluster's own authority was shown."""
        return (self.credential_id or "").startswith("X509SHA256=")


class Principal(NamedTuple):
    """Who it is, how sure that is, and by which fields."""

    kind: str
    name: str | None
    basis: str
    evidence: str


class Arn(NamedTuple):
    """An ARN of IAM or STS: of a user, a role or a session."""

    kind: str
    canonical: str
    account: str
    session: str | None
    is_whole: bool  # it names the user or role itself, and not merely a session of it


def principals(requests: pd.DataFrame) -> pd.DataFrame:
    """Who made each request; the columns of `PRINCIPAL_COLUMNS`.

    Args:
        requests: Columns of `events.COLUMNS` about the caller; one that is not there counts as missing.
    """
    found = worked_once([column_of(requests, name) for name in _INPUTS], _identity, PRINCIPAL_COLUMNS)
    return pd.DataFrame(found, copy=False)


@lru_cache(1024)  # of one caller several fields hold the same
def read_arn(text: str | None) -> Arn | None:
    """An ARN of IAM or STS taken apart as the authenticator does; None where the text is none."""
    found = _ARN.fullmatch(text or "")
    if not found:
        return None
    partition, service, account, kind, rest = found.groups()
    if service == "sts" and kind == "assumed-role" and rest and "/" in rest:
        role, _, session = rest.rpartition("/")
        return Arn(ROLE_SESSION, f"arn:{partition}:iam::{account}:role/{role}", account, session or None, False)
    if service == "iam" and kind == "role" and rest:
        return Arn(ROLE_SESSION, found[0], account, None, True)
    # A federated user's session is one that an IAM user opened, and root is the account's first user.
    if (kind == "root" and rest is None) or (kind in ("user", "federated-user") and rest):
        return Arn(IAM_USER, found[0], account, rest if kind == "federated-user" else None, True)
    return None


@lru_cache(1024)
def _read_uid(uid: str | None) -> tuple[str, str] | None:
    found = _IAM_UID.fullmatch(uid or "")
    return (found[1], found[2]) if found else None


def _identity(*fields: str | None) -> tuple[str | None, ...]:
    caller = Caller(*fields)
    iam = _iam(caller)
    principal = _in_cluster(caller, iam) if iam else _other(caller)
    session, account = (_iam_session(caller), _account(caller)) if iam else (caller.session, None)
    key_kind = {"AKIA": "long-lived", "ASIA": "session"}.get((caller.access_key or "")[:4])
    return (*principal, session, account, key_kind, *_credential(caller, principal.kind, session))


def _iam(caller: Caller) -> Principal | None:
    """The IAM user or role behind a caller; None for one that the IAM authenticator did not let in."""
    if not caller.iam_uid and (caller.uid or caller.credential_id):  # another authenticator wrote these
        return None
    also = ", user.uid" if caller.iam_uid else ""
    for field, text in (("user.extra.canonicalArn", caller.canonical_arn), ("user.extra.arn", caller.arn)):
        arn = read_arn(text)
        if arn:
            return Principal(arn.kind, arn.canonical, PROVEN if arn.is_whole else INFERRED, field + also)
    arn = read_arn(caller.username)
    if arn:
        return Principal(arn.kind, arn.canonical, INFERRED, "user.username" + also)
    if not caller.iam_uid:
        return None
    name = caller.iam_uid[1].partition(":")[0]
    return Principal(ROLE_SESSION if name.startswith("AROA") else IAM_USER, name, PROVEN, "user.uid")


def _in_cluster(caller: Caller, iam: Principal) -> Principal:
    """What an IAM identity is in the cluster, where its username means more than the role behind it."""
    username = caller.username or ""
    if username.startswith(_NODE) and caller.is_in("system:nodes"):
        return Principal(NODE, username.removeprefix(_NODE), PROVEN, f"user.username, user.groups, {iam.evidence}")
    if username.startswith("eks:") and iam.name and f":role/{_ROLE_OF_EKS}" in iam.name:
        # That the account is AWS's own is not in the log.
        return Principal(AWS_CONTROL_PLANE, username, INFERRED, f"user.username, {iam.evidence}")
    return iam


def _other(caller: Caller) -> Principal:
    """A caller that IAM knows nothing of."""
    if not caller.username:
        return Principal(UNKNOWN, None, INFERRED, "")
    if caller.has_certificate:
        return _certified(caller, caller.username)
    for rule in (_service_account, _node, _anonymous, _part):
        found = rule(caller, caller.username)
        if found:
            return found
    # The creator of a cluster is IAM's, though this event does not say so.
    kind = UNKNOWN if caller.username == "kubernetes-admin" else OIDC_USER
    return Principal(kind, caller.username, INFERRED, "user.username")


def _certified(caller: Caller, username: str) -> Principal:
    """The holder of a client certificate; on EKS the control plane alone gets one, unless someone signs more."""
    evidence = "user.username, user.extra.authentication.kubernetes.io/credential-id"
    if username.startswith(_NODE):
        if caller.is_in("system:nodes"):
            return Principal(NODE, username.removeprefix(_NODE), PROVEN, f"{evidence}, user.groups")
        return Principal(UNKNOWN, username, PROVEN, evidence)
    if _SERVICE_ACCOUNT.fullmatch(username) or username == "system:anonymous":
        return Principal(UNKNOWN, username, PROVEN, evidence)
    kinds = {"system": COMPONENT, "eks": AWS_CONTROL_PLANE}
    return Principal(kinds.get(username.partition(":")[0], UNKNOWN), username, PROVEN, evidence)


# Every caller has groups. Where they are recorded, a name without the groups that go with it is a lookalike.


def _service_account(caller: Caller, username: str) -> Principal | None:
    found = _SERVICE_ACCOUNT.fullmatch(username)
    if not found:
        return None
    is_in = caller.is_in("system:serviceaccounts") and caller.is_in(f"system:serviceaccounts:{found[1]}")
    if is_in and caller.uid:  # an identity provider's users have no uid
        return Principal(SERVICE_ACCOUNT, username, PROVEN, "user.username, user.uid, user.groups")
    if is_in or not caller.groups:
        return Principal(SERVICE_ACCOUNT, username, INFERRED, "user.username")
    return Principal(OIDC_USER, username, INFERRED, "user.username, user.groups")


def _node(caller: Caller, username: str) -> Principal | None:
    if not username.startswith(_NODE):
        return None
    if caller.is_in("system:nodes") or not caller.groups:
        return Principal(NODE, username.removeprefix(_NODE), INFERRED, "user.username")
    return Principal(OIDC_USER, username, INFERRED, "user.username, user.groups")


def _anonymous(caller: Caller, username: str) -> Principal | None:
    if username != "system:anonymous":
        return None
    # Whoever authenticated is in system:authenticated.
    if caller.is_in("system:unauthenticated") and not caller.is_in("system:authenticated"):
        return Principal(ANONYMOUS, username, PROVEN, "user.username, user.groups")
    kind = OIDC_USER if caller.groups else ANONYMOUS
    return Principal(kind, username, INFERRED, "user.username")


def _part(caller: Caller, username: str) -> Principal | None:
    if username == "system:apiserver" and caller.uid and caller.is_in("system:masters"):  # its own loopback
        return Principal(COMPONENT, username, PROVEN, "user.username, user.uid, user.groups")
    if username.startswith(("system:", "eks:")):
        kind = COMPONENT if username.startswith("system:") else AWS_CONTROL_PLANE
        return Principal(kind, username, INFERRED, "user.username")
    return None


def _account(caller: Caller) -> str | None:
    arns = filter(None, map(read_arn, (caller.arn, caller.canonical_arn, caller.username)))
    return next((arn.account for arn in arns), caller.iam_uid[0] if caller.iam_uid else None)


def _iam_session(caller: Caller) -> str | None:
    """The session's name, from the field that says it best: in a username every @ of it has become a -."""
    arn, named = read_arn(caller.arn), read_arn(caller.username)
    ids = (caller.principal_id or "", caller.iam_uid[1] if caller.iam_uid else "")
    stated = (
        caller.session,
        arn.session if arn else None,
        *(text.partition(":")[2] for text in ids),
        named.session if named else None,
    )
    return next(filter(None, stated), None)


def _credential(caller: Caller, kind: str, session: str | None) -> tuple[str | None, str]:
    if caller.access_key:
        return caller.access_key, ACCESS_KEY
    if caller.credential_id:
        return caller.credential_id, CERTIFICATE if caller.has_certificate else TOKEN
    if caller.iam_uid:
        return f"{caller.uid}/{session}" if session else caller.uid, IAM_SESSION
    return caller.username or None, NAME_ONLY if caller.username and kind != ANONYMOUS else NO_CREDENTIAL
