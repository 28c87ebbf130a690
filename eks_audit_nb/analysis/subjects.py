"""A text that names somebody: what it is by its form, and which requests are meant by it.

It may be a username, an ARN, a service account as NAMESPACE/NAME, an AWS access key, the id of a token or certificate,
the name of a session, IAM's own id, a uid, a node, or an address. Forms: IAM User Guide, "IAM identifiers"; KEP-4193.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address

import pandas as pd

from eks_audit_nb.analysis.distinct import column_of
from eks_audit_nb.analysis.principals import read_arn

ADDRESS, ACCESS_KEY, TOKEN, CERTIFICATE = "source address", "access key", "token", "client certificate"
SESSION_ARN, ROLE_ARN, USER_ARN, UNIQUE_ID = (
    "ARN of a role session",
    "ARN of an IAM role",
    "ARN of an IAM user",
    "IAM id",
)
SERVICE_ACCOUNT, NODE, NAME, NOBODY = "service account", "node", "name", "nobody"

_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_KEY = re.compile(r"(?:AKIA|ASIA)[A-Z0-9]{12,}", re.IGNORECASE)
_UNIQUE_ID = re.compile(
    r"(?:(?:aws-iam-authenticator|heptio-authenticator-aws):\d{12}:)?((?:AROA|AIDA)[A-Z0-9]{12,})(?::(.+))?"
)
_ACCOUNT = re.compile(r"([a-z0-9-]{1,63})/([a-z0-9.-]{1,253})")
_ACCOUNT_USER = re.compile(r"system:serviceaccount:[^:]+:[^:]+")


@dataclass(frozen=True)
class Subject:
    """Who is asked for.

    Attributes:
        text: As the fields of an event spell it; "" for nobody.
        kind: What it is by its form. "name" can be a username, a session's name, a uid or a node.
        session: The only session that is meant; "" for all.
    """

    text: str
    kind: str
    session: str = ""


def subject_of(text: str) -> Subject:
    """Who a text names, by its form alone.

    NAMESPACE/NAME is a service account. A role's ARN loses its path, which the log never has. A token's id counts with
    and without `JTI=`; IAM's id with and without the session behind a colon.
    """
    text = text.strip()
    arn = read_arn(text)
    if not text:
        return Subject("", NOBODY)
    if arn and arn.session and ":assumed-role/" in text:
        return Subject(text, SESSION_ARN)
    if arn:
        start, slash, path = arn.canonical.partition(":role/")
        return Subject(start + slash + path.rpartition("/")[2], ROLE_ARN) if slash else Subject(text, USER_ARN)
    if address := _address(text):
        return Subject(address, ADDRESS)
    if _KEY.fullmatch(text):
        return Subject(text.upper(), ACCESS_KEY)
    if text.startswith("X509SHA256="):
        return Subject(text, CERTIFICATE)
    if text.startswith("JTI=") or _UUID.fullmatch(text):
        return Subject(text.removeprefix("JTI=").lower(), TOKEN if text.startswith("JTI=") else NAME)
    if found := _UNIQUE_ID.fullmatch(text):
        return Subject(found[1], UNIQUE_ID, found[2] or "")
    if found := _ACCOUNT.fullmatch(text):
        return Subject(f"system:serviceaccount:{found[1]}:{found[2]}", SERVICE_ACCOUNT)
    if _ACCOUNT_USER.fullmatch(text):
        return Subject(text, SERVICE_ACCOUNT)
    return Subject(text, NODE if text.startswith("system:node:") else NAME)


def found_as(requests: pd.DataFrame, subject: Subject) -> pd.Series:
    """As what each caller is the subject, as text; missing where it is not.

    username, ARN, IAM id, session name, access key, token, client certificate, uid, node or source address: the first
    that fits. That somebody else acted as the subject, or that a client claims its address, makes nobody it.

    Args:
        requests: Rows of `attribute` or `stated_identities`.
        subject: What `subject_of` gives.
    """
    result = pd.Series(pd.NA, index=requests.index, dtype="string")
    if not subject.text:
        return result
    for name, fits in _rules(requests, subject.text).items():  # the surest last
        is_found = fits.fillna(False).astype(bool)
        if subject.session:
            is_found &= requests["session"].eq(subject.session).fillna(False).astype(bool)
        result = result.mask(is_found, name)
    return result


def _rules(requests: pd.DataFrame, text: str) -> dict[str, pd.Series]:
    uid, principal_id = column_of(requests, "uid"), column_of(requests, "principal_id")
    rules = {
        "source address": requests["source_ip"].eq(text),
        "node": requests["principal_kind"].eq(NODE) & requests["principal"].eq(text),
        "uid": uid.eq(text),
        "client certificate": requests["credential_id"].eq(text),
        "token": requests["credential_id"].eq(f"JTI={text}"),
        "access key": requests["access_key"].eq(text),
        "session name": requests["session"].eq(text),
    }
    if _UNIQUE_ID.fullmatch(text):
        rules["IAM id"] = uid.str.endswith(f":{text}") | principal_id.eq(text) | principal_id.str.startswith(f"{text}:")
    if arn := read_arn(text):
        rules["ARN"] = requests["arn"].eq(text) | requests["principal"].eq(arn.canonical)
        if arn.session:
            rules["ARN"] = requests["arn"].eq(text) | (
                requests["principal"].eq(arn.canonical) & requests["session"].eq(arn.session)
            )
    return {**rules, "username": requests["username"].eq(text)}


def _address(text: str) -> str:
    """An address as the API server writes it; "" for another text."""
    try:
        address = ip_address(text.strip("[]"))
    except ValueError:
        return ""
    return str(address.ipv4_mapped or address) if isinstance(address, IPv6Address) else str(address)
