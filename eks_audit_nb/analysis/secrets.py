"""Who asked for Secrets: by caller, and those who asked for all of the cluster's at once."""

from __future__ import annotations

from urllib.parse import parse_qs

import pandas as pd

# Who a request is ascribed to, for grouping: columns of `attribute`.
CALLER = ["username", "impersonated", "arn", "session", "access_key", "source_ip"]


def in_namespace(requests: pd.DataFrame, namespace: str) -> pd.DataFrame:
    """The requests that reach the Secrets of a namespace; all where it is empty.

    A list or a watch over the whole cluster reaches every namespace, and stays.
    """
    if not namespace:
        return requests
    everywhere = requests["namespace"].isna() & requests["verb"].isin(["list", "watch", "deletecollection"])
    return requests[requests["namespace"].eq(namespace).fillna(False) | everywhere]


def secret_callers(requests: pd.DataFrame) -> pd.DataFrame:
    """One row a caller, the busiest first.

    Args:
        requests: Rows of `attribute` for Secrets.

    Returns:
        `CALLER`, and requests, secrets (different ones that were named, by namespace and name), namespaces, refused
        (all int64), last (datetime64[us, UTC]).
    """
    named = requests["namespace"].str.cat(requests["name"], sep="/")
    counted = requests.assign(named=named, is_refused=requests["code"].isin([401, 403]))
    callers = counted.groupby(CALLER, dropna=False).agg(
        requests=("time", "size"),
        secrets=("named", "nunique"),
        namespaces=("namespace", "nunique"),
        refused=("is_refused", "sum"),
        last=("time", "max"),
    )
    return callers.sort_values(["requests", "last"], ascending=False).reset_index()


def cluster_wide_lists(requests: pd.DataFrame) -> pd.DataFrame:
    """One row for each caller and way of listing or watching the Secrets of the whole cluster, the rarest first.

    Args:
        requests: Rows of `attribute` for Secrets; only those that succeeded count.

    Returns:
        `CALLER`, verb, selector (what narrowed the answer; "" for everything), user_agent, requests (int64), first and
        last (datetime64[us, UTC]).
    """
    is_list = requests["verb"].isin(["list", "watch"]) & requests["namespace"].isna()
    found = requests[is_list & (requests["outcome"] == "allowed")]
    found = found.assign(selector=found["uri"].map(_selector, na_action="ignore").astype("string").fillna(""))
    grouped = found.groupby([*CALLER, "verb", "selector", "user_agent"], dropna=False).agg(
        requests=("time", "size"), first=("time", "min"), last=("time", "max")
    )
    return grouped.sort_values(["requests", "first"]).reset_index()


def _selector(uri: str) -> str:
    asked = parse_qs(uri.partition("?")[2])
    given = [*asked.get("labelSelector", []), *asked.get("fieldSelector", [])]
    return ", ".join(text for text in given if text)
