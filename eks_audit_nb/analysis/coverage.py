"""What a log records and what it cannot show, judged from its own events."""

from __future__ import annotations

import pandas as pd

COLUMNS = {"check": "string", "finding": "string", "meaning": "string"}

# Resources that tell whether the policy is the one that EKS applies.
_METADATA_ONLY = ("secrets", "configmaps")


def coverage(levels: pd.DataFrame, resources: pd.DataFrame, streams: pd.DataFrame) -> pd.DataFrame:
    """One row a check: what the log holds, and what that means for an investigation.

    Args:
        levels: The result of the query `recording_levels`.
        resources: The result of `recording_resources`.
        streams: The result of `recording_streams`.

    Returns:
        The columns of `COLUMNS`.
    """
    rows = [_stages(levels), _bodies(levels), *(_level_of(name, resources) for name in _METADATA_ONLY)]
    rows += [_exec(resources), _authenticator(streams)]
    return pd.DataFrame(rows, columns=list(COLUMNS)).astype(COLUMNS)


def _stages(levels: pd.DataFrame) -> tuple[str, str, str]:
    by_stage = levels.groupby("stage")["events"].sum().sort_values(ascending=False)
    counts = ", ".join(f"{stage} {int(n):,}" for stage, n in by_stage.items()) or "none"
    return ("Stages", counts, "A request can leave several events. The notebooks count requests, by their last stage.")


def _bodies(levels: pd.DataFrame) -> tuple[str, str, str]:
    total = int(levels["events"].sum())
    both = int(levels.loc[levels["level"] == "RequestResponse", "events"].sum())
    share = f"{both / total:.0%}" if total else "none"
    meaning = "Only these say what an object looked like after the request."
    if not both:
        meaning = "What objects looked like cannot be seen in this log."
    return ("Events of level RequestResponse", f"{both:,} of {total:,} ({share})", meaning)


def _level_of(resource: str, resources: pd.DataFrame) -> tuple[str, str, str]:
    seen = resources[resources["resource"] == resource]
    check = f"Level of {resource}"
    if seen.empty:
        return (check, "no events", "Either nobody asked for any, or the audit policy leaves them out.")
    found = ", ".join(f"{level} {int(n):,}" for level, n in seen.groupby("level")["events"].sum().items())
    if not _with_contents(seen):
        return (check, found, "Who touched which one is recorded; what was in it is not.")
    if resource == "secrets":
        return (check, found, "THE LOG HOLDS SECRET VALUES. Whoever can read it can read them.")
    return (check, found, "Contents are recorded for some; EKS records those of changes to aws-auth.")


def _with_contents(seen: pd.DataFrame) -> bool:
    """Whether bodies of these requests hold the objects themselves.

    Deletions send only options. One deletion is answered with a status, one of many with the list of what was deleted.
    """
    sent = seen["level"].isin(["Request", "RequestResponse"]) & seen["verb"].isin(["create", "update", "patch"])
    returned = seen["level"].eq("RequestResponse") & seen["verb"].ne("delete")
    return bool((sent | returned).any())


def _exec(resources: pd.DataFrame) -> tuple[str, str, str]:
    is_session = resources["resource"].eq("pods") & resources["subresource"].isin(["exec", "attach", "portforward"])
    seen = int(resources.loc[is_session.fillna(False), "events"].sum())
    meaning = "The command of an exec is in the request's URI; what is typed afterwards, and the output, never is."
    return ("Exec, attach and port-forward", f"{seen:,} events", meaning)


def _authenticator(streams: pd.DataFrame) -> tuple[str, str, str]:
    names = streams["log_stream"].fillna("")
    found = int(streams.loc[names.str.startswith("authenticator-"), "events"].sum())
    if found:
        return (
            "Authenticator log",
            f"{found:,} lines",
            "Says which IAM identity became which user, failed logins too.",
        )
    return (
        "Authenticator log",
        "not there",
        "Failed logins by IAM identities cannot be named: a 401 here has no user. Switch it on for a cluster.",
    )
