"""What a change of the aws-auth ConfigMap changed: entries of mapRoles and mapUsers, added and removed.

Format of the entries: EKS User Guide, "aws-auth ConfigMap". EKS records bodies of updates, patches and deletes of
aws-auth; of its creation only the metadata.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs

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
_MAX_GROUPS = 100  # more than anyone writes; YAML can repeat one long list in every entry
_SURROGATE = re.compile("[\ud800-\udfff]")


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
    # The times are those of writing, to the millisecond; changes within one keep the order in which they were received.
    for request in requests.sort_values(["time", "received"], kind="stable").itertuples():
        event = parse_event(str(request.raw))
        changed, before = _change(event, request, before)
        rows += [{"time": request.time, "audit_id": request.audit_id, **row} for row in changed]
    return pd.DataFrame(rows, columns=list(COLUMNS)).astype(COLUMNS)


def _change(
    event: Mapping[str, Any], request: Any, before: frozenset[Entry] | None
) -> tuple[list[dict[str, Any]], frozenset[Entry] | None]:
    code = None if pd.isna(request.code) else int(request.code)
    if code is None or code >= 400:
        return [_remark("none", f"refused or failed with code {code}" if code else "no response recorded")], before
    asked = parse_qs(str(request.uri).partition("?")[2], keep_blank_values=True)
    sent = event.get("requestObject")
    is_deletion = request.verb in ("delete", "deletecollection")
    # A deletion can carry its options in the body.
    if "dryRun" in asked or (is_deletion and isinstance(sent, dict) and sent.get("dryRun")):
        return [_remark("none", "a dry run: nothing was stored")], before
    if is_deletion:
        if "labelSelector" in asked or "fieldSelector" in asked:
            return [_remark("unknown", "whether the ConfigMap was among those deleted is not in the log")], None
        removed = [_row("removed", entry, "the ConfigMap was deleted") for entry in sorted(before or ())]
        return removed or [_remark("unknown", "the ConfigMap was deleted; what it held is not in the log")], frozenset()
    after = _entries(event.get("responseObject"))
    if after is None:
        text = "the log does not hold the content (EKS records only the metadata of a creation)"
        return [_remark("unknown", text)], None
    if code == 201:  # created just now, so there was nothing before
        before = frozenset()
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
    # The authenticator ignores what it cannot read; an analyst should see it.
    unreadable = Entry(kind, "not readable: " + _plain(" ".join(text.split())[:200]), "", ())
    try:
        items = yaml.load(text, Loader=_Loader)  # noqa: S506  # it is a SafeLoader
    except Exception:  # noqa: BLE001  # PyYAML lets through what int(), chr() and look-ups raise on a hostile text
        return [unreadable]
    if items is None:
        return []
    return [_entry(kind, key, item) for item in items] if isinstance(items, list) else [unreadable]


def _entry(kind: str, key: str, item: Any) -> Entry:
    if not key or not isinstance(item, dict):
        return Entry(kind, _plain(item), "", ())
    # Keys are matched without regard to case, as the authenticator's JSON reader does; it reads them in this order.
    values = {_plain(name).lower(): value for name, value in sorted(item.items(), key=lambda pair: _plain(pair[0]))}
    return Entry(kind, _plain(values.get(key)), _plain(values.get("username")), _groups(values.get("groups")))


def _groups(value: object) -> tuple[str, ...]:
    groups = value if isinstance(value, list) else []
    if len(groups) <= _MAX_GROUPS:
        return tuple(sorted(map(_plain, groups)))
    admin = (ADMIN_GROUP,) if ADMIN_GROUP in groups else ()
    return (*admin, f"(a list of {len(groups):,})")


def _plain(value: object) -> str:
    """A scalar's text; nested values are not spelled out, since YAML can make small text huge."""
    if isinstance(value, str):
        return _SURROGATE.sub("\ufffd", value)
    return "" if value is None else "(not text)"


class _Loader(yaml.SafeLoader):
    """Plain scalars stay as they are written (the account 012345670123 is no octal number), except for null."""

    def flatten_mapping(self, node: yaml.MappingNode) -> None:
        """Merge `<<`, each key once: else merges of merges double a mapping again and again."""
        super().flatten_mapping(node)
        node.value = list({_key(pair[0]): pair for pair in node.value}.values())


def _key(node: yaml.Node) -> object:
    return node.value if isinstance(node, yaml.ScalarNode) else id(node)


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag.endswith((":merge", ":null"))]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


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
