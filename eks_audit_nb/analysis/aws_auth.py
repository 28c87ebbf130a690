"""What a change of the aws-auth ConfigMap changed: entries of mapRoles and mapUsers, added and removed.

Format of the entries: EKS User Guide, "aws-auth ConfigMap". EKS records bodies of updates, patches and deletes of
aws-auth; of its creation only the metadata.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd
import yaml

from eks_audit_nb.events import parse_event

ADMIN_GROUP = "system:masters"
COLUMNS = {
    "time": "datetime64[us, UTC]",
    "audit_id": "string",
    "change": "string",  # added, removed, in place (nothing known before), none, unknown
    "kind": "string",  # mapRoles, mapUsers, mapAccounts
    "identity": "string",  # the IAM ARN, or the account
    "username": "string",
    "groups": "string",  # joined by ", "
    "is_admin": "boolean",  # whether it grants system:masters
    "explanation": "string",
}
_KINDS = {"mapRoles": "rolearn", "mapUsers": "userarn", "mapAccounts": ""}


@dataclass(frozen=True, order=True)
class Entry:
    """One identity and what it becomes in the cluster."""

    kind: str
    identity: str
    username: str
    groups: tuple[str, ...]


def mapping_changes(requests: pd.DataFrame) -> pd.DataFrame:
    """One row for each entry that a request added or removed, or one row that says why there is none.

    Args:
        requests: Rows of `attribute` for aws-auth; only those that succeeded change anything.

    Returns:
        The columns of `COLUMNS`, in the order of time. Where no earlier state is in the log the entries are "in place":
        some may be new, and the log cannot say which.
    """
    rows: list[dict[str, Any]] = []
    before: frozenset[Entry] | None = None
    for request in requests.sort_values("time").itertuples():
        event = parse_event(str(request.raw))
        changed, before = _change(event, request, before)
        rows += [{"time": request.time, "audit_id": request.audit_id, **row} for row in changed]
    return pd.DataFrame(rows, columns=list(COLUMNS)).astype(COLUMNS)


def _change(
    event: Mapping[str, Any], request: Any, before: frozenset[Entry] | None
) -> tuple[list[dict[str, Any]], frozenset[Entry] | None]:
    code = event.get("responseStatus", {}).get("code")
    if not isinstance(code, int) or code >= 400:
        return [_remark("none", f"refused or failed with code {code}" if code else "no response recorded")], before
    if "dryRun=" in str(request.uri):
        return [_remark("none", "a dry run: nothing was stored")], before
    if request.verb in ("delete", "deletecollection"):
        removed = [_row("removed", entry, "the ConfigMap was deleted") for entry in sorted(before or ())]
        return removed or [_remark("unknown", "the ConfigMap was deleted; what it held is not in the log")], frozenset()
    after = _entries(event.get("responseObject"))
    if after is None:
        text = "the log does not hold the content (EKS records only the metadata of a creation)"
        return [_remark("unknown", text)], None
    if before is None:
        written = _written(event)
        wrote = f", which wrote {' and '.join(written)}" if written else ""
        text = f"in place after this request{wrote}; the state before it is not in the log"
        return [_row("in place", entry, text) for entry in sorted(after)] or [_remark("none", "no entries")], after
    changes = [_row("added", entry, "") for entry in sorted(after - before)]
    changes += [_row("removed", entry, "") for entry in sorted(before - after)]
    return changes or [_remark("none", "the entries stayed as they were")], after


def _written(event: Mapping[str, Any]) -> list[str]:
    """The parts of the mapping that the API server noted as written by this very request.

    metadata.managedFields names who last changed each field, and when, to the second.
    """
    second = str(event.get("stageTimestamp", ""))[:19]
    metadata = event["responseObject"].get("metadata")
    managed = metadata.get("managedFields") if isinstance(metadata, dict) else None
    names: set[str] = set()
    for entry in managed if isinstance(managed, list) else ():
        if isinstance(entry, dict) and str(entry.get("time"))[:19] == second:
            fields = entry.get("fieldsV1")
            data = fields.get("f:data") if isinstance(fields, dict) else None
            names.update(kind for kind in _KINDS if isinstance(data, dict) and f"f:{kind}" in data)
    return sorted(names)


def _entries(body: object) -> frozenset[Entry] | None:
    """The entries of a ConfigMap's body; None where there is no body."""
    data = body.get("data") if isinstance(body, dict) else None
    if not isinstance(data, dict):
        return frozenset() if isinstance(body, dict) and body.get("kind") == "ConfigMap" else None
    found: set[Entry] = set()
    for kind, key in _KINDS.items():
        text = data.get(kind)
        if isinstance(text, str):
            found.update(_parsed(kind, key, text))
    return frozenset(found)


def _parsed(kind: str, key: str, text: str) -> list[Entry]:
    try:
        items = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError):
        # The authenticator ignores what it cannot read; an analyst should see it.
        return [Entry(kind, "not readable as YAML: " + " ".join(text.split())[:200], "", ())]
    if not isinstance(items, list):
        return []
    entries = []
    for item in items:
        if not key:
            entries.append(Entry(kind, str(item), "", ()))
        elif isinstance(item, dict):
            # Keys are matched without regard to case, as the authenticator's JSON reader does.
            values = {str(name).lower(): value for name, value in item.items()}
            groups = values.get("groups")
            names = tuple(sorted(_short(group) for group in groups)) if isinstance(groups, list) else ()
            entries.append(Entry(kind, _short(values.get(key)), _short(values.get("username")), names))
    return entries


def _short(value: object) -> str:
    """Plain text of a scalar; nested values are not spelled out, since YAML can make small text huge."""
    return str(value) if isinstance(value, str | int | float) else ("" if value is None else "(nested)")


def _row(change: str, entry: Entry, explanation: str) -> dict[str, Any]:
    return {
        "change": change,
        "kind": entry.kind,
        "identity": entry.identity,
        "username": entry.username,
        "groups": ", ".join(entry.groups),
        "is_admin": ADMIN_GROUP in entry.groups,
        "explanation": explanation,
    }


def _remark(change: str, explanation: str) -> dict[str, Any]:
    return {"change": change, "is_admin": False, "explanation": explanation}
