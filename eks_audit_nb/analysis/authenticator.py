"""The log of EKS's IAM authenticator: which IAM ARN became which user, and who was turned away.

It is written to log streams `authenticator-*` where the cluster has this log switched on, in lines of logfmt. Source:
aws-iam-authenticator pkg/server, and lines that EKS users show in AWS re:Post.
"""

from __future__ import annotations

import re

import pandas as pd

COLUMNS = {
    "time": "datetime64[us, UTC]",
    "outcome": "string",  # granted, denied, other
    "arn": "string",  # of the role or user, without the session
    "username": "string",
    "uid": "string",
    "groups": "string",  # joined by ", "
    "client": "string",  # the API server itself, as a rule 127.0.0.1
    "error": "string",
    "session": "string",  # from lines "STS response"
    "message": "string",
    "raw": "string",
}
_OUTCOMES = {"access granted": "granted", "access denied": "denied"}
# A key, and a value that is quoted as Go quotes, or ends at a space.
_PAIR = re.compile(r'(?:^|\s)([A-Za-z_][\w.-]*)=(?:"((?:\\.|[^"\\])*)"|(\S*))', re.DOTALL)
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_LETTERS = {"n": "\n", "t": "\t", "r": "\r"}
_KEYS = ("arn", "username", "uid", "client", "error", "session")


def authenticator_log(frame: pd.DataFrame) -> pd.DataFrame:
    """Take the authenticator's lines apart; the columns of `COLUMNS`, in the frame's order, one row a line.

    Args:
        frame: Rows with `@message`, and `@timestamp` where there is one, as the query `authenticator_log` gives them.
            Files that the package reads hold audit events only: for a file of authenticator lines make the frame of
            them, `pd.DataFrame({"@message": lines})`.

    Returns:
        A line that is no logfmt, or is about something else, has the outcome "other" and keeps its text. The time is
        the line's own, else its `@timestamp`.
    """
    texts = frame["@message"].astype("string").fillna("")
    distinct = {text: _parsed(text) for text in texts.unique()}
    parsed = pd.DataFrame([distinct[text] for text in texts], columns=[*COLUMNS][:-1], index=frame.index)
    time = pd.to_datetime(parsed["time"], utc=True, format="ISO8601", errors="coerce")
    if "@timestamp" in frame:
        time = time.fillna(frame["@timestamp"])
    return parsed.assign(time=time, raw=texts).astype(COLUMNS).reset_index(drop=True)


def mapped_users(log: pd.DataFrame) -> pd.DataFrame:
    """Which ARN became which user with which groups, one row each, the most frequent first.

    Args:
        log: What `authenticator_log` gives.

    Returns:
        arn, username, uid, groups, logins (int64), first and last (datetime64[us, UTC]).
    """
    granted = log[log["outcome"] == "granted"]
    return _counted(granted, ["arn", "username", "uid", "groups"], "logins")


def failed_logins(log: pd.DataFrame) -> pd.DataFrame:
    """Who was turned away and why, one row each, the most frequent first.

    Args:
        log: What `authenticator_log` gives.

    Returns:
        arn (missing where AWS did not accept the credential), error, failures (int64), first and last
        (datetime64[us, UTC]).
    """
    return _counted(log[log["outcome"] == "denied"], ["arn", "error"], "failures")


def _counted(rows: pd.DataFrame, keys: list[str], name: str) -> pd.DataFrame:
    counted = rows.groupby(keys, dropna=False).agg(number=("raw", "size"), first=("time", "min"), last=("time", "max"))
    ordered = counted.sort_values(["number", "last"], ascending=False, kind="stable")
    return ordered.rename(columns={"number": name}).reset_index()


def _parsed(text: str) -> dict[str, str | None]:
    pairs: dict[str, str] = {}
    for found in _PAIR.finditer(text):
        value = found[3] if found[2] is None else _ESCAPE.sub(lambda each: _LETTERS.get(each[1], each[1]), found[2])
        pairs.setdefault(found[1], value)  # the program's own keys come first
    message = pairs.get("msg")
    groups = pairs.get("groups")
    return {
        **{key: pairs.get(key) or None for key in _KEYS},
        "time": pairs.get("time"),
        "outcome": _OUTCOMES.get(message or "", "other"),
        "groups": ", ".join(groups.strip("[]").split()) or None if groups else None,
        "message": message,
    }
