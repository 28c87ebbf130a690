"""What a log records and what it cannot show, judged from its own events."""

from __future__ import annotations

import pandas as pd

COLUMNS = {"check": "string", "finding": "string", "meaning": "string"}

# Resources that tell whether the policy is the one that EKS applies.
_METADATA_ONLY = ("secrets", "configmaps")
_NOTHING = "There is nothing in this window to judge by."


def coverage(levels: pd.DataFrame, resources: pd.DataFrame, streams: pd.DataFrame) -> pd.DataFrame:
    """One row a check: what the log holds, and what that means for an investigation.

    Args:
        levels: The result of the query `recording_levels`.
        resources: The result of `recording_resources`.
        streams: The result of `recording_streams`.

    Returns:
        The columns of `COLUMNS`.
    """
    rows = [_stages(levels), _bodies(levels), _truncated(levels)]
    rows += [_level_of(name, resources) for name in _METADATA_ONLY]
    rows += [_core_events(resources), _exec(resources), _decisions(levels), _access_keys(levels)]
    rows += [_token_ids(levels), _token_requests(levels, resources), _authenticator(streams)]
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


def _truncated(levels: pd.DataFrame) -> tuple[str, str, str]:
    cut, bare = int(levels["cut_short"].sum()), int(levels["without_bodies"].sum())
    if not len(levels):
        return ("Truncated events", "none", _NOTHING)
    if not cut and not bare:
        return ("Truncated events", "none", "No event of the window was too large to be recorded whole.")
    meaning = "What was in these objects is lost. Who did what is still there."
    if cut:
        meaning = "A cut event is no JSON, and filters on fields miss it: filter @message like '[Truncated...]'"
    return ("Truncated events", f"{cut:,} cut short, {bare:,} without bodies", meaning)


def _core_events(resources: pd.DataFrame) -> tuple[str, str, str]:
    seen = resources[resources["resource"].eq("events").fillna(False)]
    is_core = seen["api_group"].fillna("") == ""
    core, others = int(seen.loc[is_core, "events"].sum()), int(seen.loc[~is_core, "events"].sum())
    meaning = "AWS's published policy leaves them out: what controllers and kubelets reported is not here."
    if core:
        meaning = "Recorded here, though AWS's published policy leaves them out."
    return ("Core events (kubectl get events)", f"{core:,} events, and {others:,} of events.k8s.io", meaning)


def _decisions(levels: pd.DataFrame) -> tuple[str, str, str]:
    # A request that has only just been received has no decision yet.
    decided = levels[levels["stage"].ne("RequestReceived").fillna(True)]
    with_decision, total = int(decided["with_decision"].sum()), int(decided["events"].sum())
    meaning = "Says why each request was allowed or refused; requests that were not authenticated have none."
    if not total:
        meaning = _NOTHING
    elif not with_decision:
        meaning = "WHY REQUESTS WERE ALLOWED CANNOT BE TOLD from this log."
    return ("Authorization decisions", f"{with_decision:,} of {total:,} events", meaning)


def _access_keys(levels: pd.DataFrame) -> tuple[str, str, str]:
    seen = int(levels["with_access_key"].sum())
    meaning = "Tell sessions of one role apart, and lead to CloudTrail: who assumed the role, and from where."
    if not len(levels):
        meaning = _NOTHING
    elif not seen:
        meaning = "No request names one: nobody came by IAM, or this is not EKS's log."
    return ("AWS access keys", f"{seen:,} events", meaning)


def _token_ids(levels: pd.DataFrame) -> tuple[str, str, str]:
    seen = int(levels["with_credential_id"].sum())
    meaning = "Tell tokens of one service account apart, so that a stolen one shows."
    if not len(levels):
        meaning = _NOTHING
    elif not seen:
        meaning = "Tokens of one service account cannot be told apart; the id came with Kubernetes 1.30."
    return ("Ids of service-account tokens", f"{seen:,} events", meaning)


def _token_requests(levels: pd.DataFrame, resources: pd.DataFrame) -> tuple[str, str, str]:
    is_request = resources["resource"].eq("serviceaccounts") & resources["subresource"].eq("token")
    seen = int(resources.loc[is_request.fillna(False), "events"].sum())
    issued = int(levels["with_issued_id"].sum())
    meaning = "A token can be traced back to who asked for it."
    if not seen:
        meaning = "Either nobody asked for a token, or the audit policy leaves these requests out."
    elif not issued:
        meaning = "Who asked for tokens is recorded, but not which token each got; that came with Kubernetes 1.30."
    return ("Token requests", f"{seen:,} events, {issued:,} with the id of the token", meaning)


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
