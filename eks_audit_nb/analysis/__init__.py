"""DataFrame in, DataFrame out: who did it, why it was allowed, what changed. Never a query."""

from eks_audit_nb.analysis.access import refused_access, used_permissions, ways_in
from eks_audit_nb.analysis.access_entries import access_changes
from eks_audit_nb.analysis.activity import activity_of, by_resource, deeds, in_sessions, places, refusals, sessions
from eks_audit_nb.analysis.asked import asked_for, asked_requests, caller_of, together
from eks_audit_nb.analysis.assumed_roles import pod_sessions, role_sessions
from eks_audit_nb.analysis.attribution import attribute, attributed, stated_decisions
from eks_audit_nb.analysis.authenticator import authenticator_log, failed_logins, mapped_users
from eks_audit_nb.analysis.aws_auth import mapping_changes
from eks_audit_nb.analysis.causes import behind, cause_links, causes, consequences
from eks_audit_nb.analysis.certificates import signing_requests
from eks_audit_nb.analysis.changes import object_changes
from eks_audit_nb.analysis.closing import closings, kept_roles, used_by_ways
from eks_audit_nb.analysis.coverage import coverage
from eks_audit_nb.analysis.credentials import credential_uses, issued_credentials, requested_credentials, stated_uses
from eks_audit_nb.analysis.draft import drafted, surroundings
from eks_audit_nb.analysis.grants import access_rules, origins
from eks_audit_nb.analysis.history import blind_spots, lives, nearest_objects, object_history, turning_point
from eks_audit_nb.analysis.identity import (
    credential_ways,
    identities_of,
    lookalikes,
    mappings,
    stated_identities,
    ties,
)
from eks_audit_nb.analysis.issuers import chain_steps, credential_chain, credential_origins
from eks_audit_nb.analysis.paths import marked, others_on, paths, ways_of
from eks_audit_nb.analysis.reasons import reasons
from eks_audit_nb.analysis.roles import role_manifests, role_yaml
from eks_audit_nb.analysis.secrets import cluster_wide_lists, in_namespace, secret_callers
from eks_audit_nb.analysis.subjects import found_as, subject_of
from eks_audit_nb.analysis.token_use import credential_findings, pod_facts

__all__ = [
    "access_changes",
    "access_rules",
    "activity_of",
    "asked_for",
    "asked_requests",
    "attribute",
    "attributed",
    "authenticator_log",
    "behind",
    "blind_spots",
    "by_resource",
    "caller_of",
    "cause_links",
    "causes",
    "chain_steps",
    "closings",
    "cluster_wide_lists",
    "consequences",
    "coverage",
    "credential_chain",
    "credential_findings",
    "credential_origins",
    "credential_uses",
    "credential_ways",
    "deeds",
    "drafted",
    "failed_logins",
    "found_as",
    "identities_of",
    "in_namespace",
    "in_sessions",
    "issued_credentials",
    "kept_roles",
    "lives",
    "lookalikes",
    "mapped_users",
    "mapping_changes",
    "mappings",
    "marked",
    "nearest_objects",
    "object_changes",
    "object_history",
    "origins",
    "others_on",
    "paths",
    "places",
    "pod_facts",
    "pod_sessions",
    "reasons",
    "refusals",
    "refused_access",
    "requested_credentials",
    "role_manifests",
    "role_sessions",
    "role_yaml",
    "secret_callers",
    "sessions",
    "signing_requests",
    "stated_decisions",
    "stated_identities",
    "stated_uses",
    "subject_of",
    "surroundings",
    "ties",
    "together",
    "turning_point",
    "used_by_ways",
    "used_permissions",
    "ways_in",
    "ways_of",
]
