"""The tables of notebook 09: columns and what they are called for people."""

from __future__ import annotations

# Columns of `paths.paths`.
PATH = {
    "way": "Way",
    "step": "Step",
    "part": "Part",
    "name": "Name",
    "explanation": "How, and since when",
    "basis": "Basis",
    "audit_id": "Audit id",
}
# Columns of `grants.origins`.
ORIGIN = {
    "way": "Way",
    "time": "Time (UTC)",
    "part": "Part",
    "name": "Object",
    "act": "Act",
    "what": "What",
    "username": "User",
    "arn": "IAM ARN",
    "source_ip": "Last source address",
    "is_before": "Before",
    "why": "Why that was allowed",
    "audit_id": "Audit id",
}
# Columns of `paths.others_on`.
OTHER = {
    "way": "Way",
    "username": "User",
    "acted_as": "Acting as",
    "subject_kind": "Granted to",
    "subject": "Subject",
    "requests": "Requests",
    "last": "Last (UTC)",
}
# Columns of `closing.used_by_ways`.
USED = {
    "username": "User",
    "permission": "Permission",
    "requests": "Requests",
    "last": "Last (UTC)",
    "grave": "Look twice: it",
}
# Columns of `access.refused_access`.
REFUSAL = {
    "username": "User",
    "impersonated": "Acting as",
    "outcome": "Outcome",
    "wanted": "Permission that was missing",
    "verb": "Verb",
    "resource": "Resource",
    "requests": "Requests",
    "last": "Last (UTC)",
}
