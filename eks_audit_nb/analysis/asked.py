"""The requests that a question is about: by audit id, by principal, or by object."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from typing import Any

import pandas as pd

from eks_audit_nb.analysis.history import object_history, turning_point
from eks_audit_nb.errors import ParameterError
from eks_audit_nb.insights.parameters import is_writable

# What a principal can be named by: columns of `attribute`.
_NAMES = ("username", "impersonated", "arn", "canonical_arn", "principal", "session", "access_key", "credential_id")


def asked_for(audit_id: str = "", principal: str = "", named: str = "") -> dict[str, str]:
    """The parameters of the query `requests_about`: an object counts where one is named, else a principal, else an id.

    Raises:
        ParameterError: The object is not named as it should be.
    """
    resource, namespace, name = named_object(named)
    principal = "" if resource else principal.strip()
    plural = resource.lower().partition(".")[0]
    place = {"resource": plural, "namespace": namespace, "name": name}
    return {"audit_id": "" if resource or principal else audit_id.strip(), "principal": principal, **place}


def together(*frames: pd.DataFrame) -> pd.DataFrame:
    """The rows of several queries with `@timestamp` and `@message`, each event once, in the order of time."""
    kept = [frame[["@timestamp", "@message"]] for frame in frames]
    rows = pd.concat(kept, ignore_index=True).drop_duplicates()
    return rows.sort_values("@timestamp", kind="stable", ignore_index=True)


def asked_requests(requests: pd.DataFrame, audit_id: str = "", principal: str = "", named: str = "") -> pd.DataFrame:
    """The requests that were asked for: by an object where one is named, else by a principal, else by an audit id.

    Args:
        requests: Rows of `attribute`.
        audit_id: Clients can choose it and use it again, so several requests can have it.
        principal: A username, an IAM or STS ARN, the name of a session, the id of an AWS key, a token or a certificate.
            What others did in its name counts.
        named: An object, as `named_object` takes it: the request that ended it or changed it last.

    Returns:
        Some of the rows, with the index labels of `requests`; none where nothing was asked for, or nothing is there.

    Raises:
        ParameterError: The object is not named as it should be.
    """
    resource, namespace, name = named_object(named)
    if resource:
        label = turning_point(object_history(requests, resource, namespace, name))
        return requests.head(0) if label is None else requests.loc[[label]]
    if principal.strip():
        return requests[is_of(requests, principal.strip())]
    return requests[requests["audit_id"].eq(audit_id.strip()).fillna(False) & bool(audit_id.strip())]


def is_of(requests: pd.DataFrame, principal: str) -> pd.Series:
    """Whether each request was made by the principal, or in its name."""
    ids = {principal, f"JTI={principal}"}
    found = pd.Series(False, index=requests.index)
    for column in _NAMES:
        found |= requests[column].isin(ids).fillna(False).astype(bool)
    return found


def caller_of(requests: pd.DataFrame) -> str:
    """The username of the caller who made most of the requests; "" where none of them names one.

    A name that no query can hold, since it has both kinds of quotes, gives way to the caller's credential.
    """
    names = requests["username"].dropna()
    if names.empty:
        return ""
    name = str(names.value_counts().index[0])
    own = requests.loc[requests["username"].eq(name).fillna(False), "credential"].dropna()
    return next((each for each in (name, *own.unique()) if is_writable(each)), "")


def named_object(text: str) -> tuple[str, str, str]:
    """Resource, namespace and name of an object that is written as one text; the namespace is "" where it has none.

    Args:
        text: `deployments/storefront/checkout`, or `clusterroles/view` for an object of the cluster; "" for none.

    Raises:
        ParameterError: The text has one part or more than three, or an empty one.
    """
    parts = [part.strip() for part in text.strip().split("/")]
    if parts == [""]:
        return "", "", ""
    if len(parts) not in (2, 3) or not parts[0] or not parts[-1]:
        raise ParameterError(
            f"The object {text.strip()!r} is not named as RESOURCE/NAMESPACE/NAME. Write its plural, its namespace and "
            "its name, such as deployments/storefront/checkout, or clusterroles/view for an object of the cluster."
        )
    return parts[0], parts[1] if len(parts) == 3 else "", parts[-1]


def nearest_callers(names: Iterable[Any], principal: str, most: int = 4) -> list[str]:
    """Callers whose names are like the one that was asked for, or hold it, the nearest first."""
    wanted = principal.strip().lower()
    full = [name for name in names if isinstance(name, str) and name]
    # Of system:serviceaccount:ci:deployer people remember the last part.
    known = {part: name for name in full for part in (name.lower(), re.split(r"[:/]", name.lower())[-1])}
    near = difflib.get_close_matches(wanted, list(known), most, cutoff=0.6)
    near += [each for each in known if wanted and wanted in each]
    return list(dict.fromkeys(known[each] for each in near))[:most]


def object_text(request: Any) -> str:
    """What a request was about: "secrets/payments/db", "deployments/shop/web (scale)", "secrets in payments", its path.

    Args:
        request: A row of `attribute`, as `itertuples` or `to_dict("records")` gives it.
    """
    values = request if isinstance(request, dict) else request._asdict()
    resource, namespace, name, uri = (_text(values.get(each)) for each in ("resource", "namespace", "name", "uri"))
    if not resource:
        return uri.partition("?")[0]
    if resource.partition("/")[0] == "namespaces" and namespace == name:
        namespace = ""
    plural, _, sub = resource.partition("/")
    told = f" ({sub})" if sub else ""
    if not name:
        return f"{plural} in {namespace}{told}" if namespace else f"{plural} of the whole cluster{told}"
    return "/".join(part for part in (plural, namespace, name) if part) + told


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
