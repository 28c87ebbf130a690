"""What a principal did use, through which bindings, and what it tried and was refused.

RBAC decides on the user whom a request acts as: a request made in somebody's name uses that somebody's rights, and of
its caller's rights the one to impersonate.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import unquote

import pandas as pd

from eks_audit_nb.analysis.reasons import REASON_COLUMNS
from eks_audit_nb.analysis.typed import records, typed_frame
from eks_audit_nb.events import parse_event

PERMISSIONS = {
    "namespace": "string",  # missing for the whole cluster
    "api_group": "string",  # "" for the core group; missing for paths
    "resource": "string",  # with the subresource
    "name": "string",  # missing where RBAC cannot ask for a name, and for all of a kind
    "url": "string",  # a path that is no resource
    "verb": "string",
    "requests": "Int64",
    "first": "datetime64[us, UTC]",
    "last": "datetime64[us, UTC]",
    "is_expressible": "boolean",  # False where a rule with these words would allow more than was asked
}
_KEYS = ["namespace", "api_group", "resource", "name", "url", "verb"]
_REFUSED = ("refused by authorization", "refused by admission", "impersonation refused")
_AUTHENTICATION = "authentication.k8s.io"
_SERVICE_ACCOUNT = "system:serviceaccount:"
# Groups that the API server adds to an impersonated user by itself. Source: apiserver endpoints/filters/impersonation.
_ADDED = ("system:authenticated", "system:unauthenticated")


def used_permissions(requests: pd.DataFrame, principal: str) -> pd.DataFrame:
    """One row for each permission that was used; the columns of `PERMISSIONS`, in an order that does not change.

    Args:
        requests: Rows of `attribute`. A request that was allowed and then failed has used its permission too.
        principal: A username as RBAC sees it.

    Returns:
        What was used by the principal and in its name, and what it needs in order to impersonate. What the API server
        checks besides the request itself is not in the log: that a role's maker holds what the role grants, the
        approval of a signer, an owner's finalizers.
    """
    is_own = requests["username"].eq(principal).fillna(False)
    is_in_its_name = requests["impersonated"].eq(principal).fillna(False)
    is_impersonating = is_own & requests["impersonated"].notna()
    is_used = (is_own & requests["impersonated"].isna()) | is_in_its_name
    used = _plain(requests[is_used & requests["decision"].eq("allow").fillna(False)])
    # That an impersonated user is in the event says that impersonating was allowed, whatever came of the request.
    rows = [row for request in _tuples(requests[is_impersonating]) for row in _impersonation(request)]
    types = {**dict.fromkeys(_KEYS, "string"), "time": "datetime64[us, UTC]"}
    both = pd.concat([used.astype(types), typed_frame(rows, types)], ignore_index=True)
    counted = both.groupby(_KEYS, dropna=False, sort=False).agg(
        requests=("time", "size"), first=("time", "min"), last=("time", "max")
    )
    found = counted.reset_index()
    found["is_expressible"] = _is_expressible(found)
    return found[list(PERMISSIONS)].astype(PERMISSIONS).sort_values(_KEYS, kind="stable", ignore_index=True)


def ways_in(requests: pd.DataFrame, principal: str) -> pd.DataFrame:
    """Through which binding and role the principal's requests were allowed, the most used first.

    Args:
        requests: Rows of `attribute`.
        principal: A username; what others did in its name counts, and what it did in the name of others.

    Returns:
        username and impersonated (who asked, and in whose name), the columns of `REASON_COLUMNS`, requests (int64),
        first and last (datetime64[us, UTC]).
    """
    own = requests[_concerns(requests, principal) & requests["decision"].eq("allow").fillna(False)]
    return _counted(own, ["username", "impersonated", *REASON_COLUMNS])


def refused_access(requests: pd.DataFrame, principal: str) -> pd.DataFrame:
    """What the principal tried and was refused, the most frequent first.

    Args:
        requests: Rows of `attribute`.
        principal: A username; what others tried in its name counts, and what it tried in the name of others.

    Returns:
        username, impersonated, outcome, wanted (the permission that was missing, as the API server named it), verb,
        resource, namespace, requests (int64), first and last (datetime64[us, UTC]).
    """
    own = requests[_concerns(requests, principal) & requests["outcome"].isin(_REFUSED)]
    return _counted(own, ["username", "impersonated", "outcome", "wanted", "verb", "resource", "namespace"])


def _concerns(requests: pd.DataFrame, principal: str) -> pd.Series:
    return (requests["username"].eq(principal) | requests["impersonated"].eq(principal)).fillna(False).astype(bool)


def _counted(rows: pd.DataFrame, keys: list[str]) -> pd.DataFrame:
    counted = rows.groupby(keys, dropna=False).agg(
        requests=("time", "size"), first=("time", "min"), last=("time", "max")
    )
    return counted.sort_values(["requests", "last"], ascending=False, kind="stable").reset_index()


def _plain(requests: pd.DataFrame) -> pd.DataFrame:
    """What RBAC was asked by each request, as the columns `_KEYS`, with the time."""
    is_resource = requests["resource"].notna()
    # A create has no name in its path, so that RBAC is asked without one, unless it is of a subresource: pods/exec.
    is_unnamed = requests["verb"].eq("create") & ~requests["resource"].str.contains("/", regex=False).fillna(False)
    is_unnamed |= requests["verb"].eq("deletecollection")
    paths = {uri: unquote(uri.partition("?")[0]) for uri in requests.loc[~is_resource, "uri"].dropna().unique()}
    asked = pd.DataFrame(
        {
            "namespace": requests["namespace"].mask(~is_resource),
            "api_group": requests["api_group"].fillna("").mask(~is_resource),
            "resource": requests["resource"],
            # A list or a watch with the field selector metadata.name is asked with that name, which the log has too.
            "name": requests["name"].mask(~is_resource | is_unnamed.fillna(False)),
            "url": requests["uri"].map(paths, na_action="ignore").mask(is_resource),
            "verb": requests["verb"],
            "time": requests["time"],
        }
    )
    return asked[is_resource | asked["url"].notna()]


def _tuples(frame: pd.DataFrame) -> Iterator[Any]:
    yield from frame.itertuples()


def _impersonation(request: Any) -> Iterator[dict[str, Any]]:
    """The permissions that impersonating needs. Source: Kubernetes documentation, "User Impersonation"; KEP-5284."""
    event = parse_event(str(request.raw))
    other, stated = _mapping(event.get("impersonatedUser")), _mapping(event.get("authenticationMetadata"))
    constraint = stated.get("impersonationConstraint")
    verb = constraint if isinstance(constraint, str) and constraint else "impersonate"
    is_constrained = verb != "impersonate"
    group = _AUTHENTICATION if is_constrained else ""

    def needs(resource: str, name: str | None, namespace: str | None = None, api_group: str = group) -> dict[str, Any]:
        asked = {"namespace": namespace, "api_group": api_group, "resource": resource, "name": name, "url": None}
        return {**asked, "verb": verb, "time": request.time}

    user, mode, added = str(request.impersonated), verb.partition(":")[2], set(_ADDED)
    if is_constrained and mode.endswith("-node"):
        # Being the node on which one runs is asked for all nodes at once.
        yield needs("nodes", None if mode == "associated-node" else user.removeprefix("system:node:"))
        added.add("system:nodes")
    elif user.startswith(_SERVICE_ACCOUNT) and user.count(":") == 3:
        _, _, namespace, name = user.split(":")
        yield needs("serviceaccounts", name, namespace)
        added |= {"system:serviceaccounts", f"system:serviceaccounts:{namespace}"}
    else:
        yield needs("users", user)
    groups = other.get("groups")
    for each in groups if isinstance(groups, list) else ():
        if isinstance(each, str) and each not in added:
            yield needs("groups", each)
    if isinstance(other.get("uid"), str) and other["uid"]:
        yield needs("uids", other["uid"], api_group=_AUTHENTICATION)
    for key, values in _mapping(other.get("extra")).items():
        for value in values if isinstance(values, list) else ():
            if isinstance(value, str):
                yield needs(f"userextras/{key}", value, api_group=_AUTHENTICATION)
    if is_constrained:
        asked = _plain(pd.DataFrame([request]).astype(dict.fromkeys(("resource", "uri", "verb"), "string")))
        for row in records(asked):
            yield {**row, "verb": f"impersonate-on:{mode}:{row['verb']}"}


def _is_expressible(found: pd.DataFrame) -> pd.Series:
    """Whether a rule can say just this: a star in a rule means more than a star in a request."""
    is_wide = found["verb"].isin(["*", ""]) | found["api_group"].eq("*").fillna(False) | found["verb"].isna()
    is_wide |= found["resource"].str.fullmatch(r"\*|\*/.*").fillna(False)
    return ~(is_wide | found["url"].str.endswith("*").fillna(False))


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
