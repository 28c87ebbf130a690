"""DataFrame in, DataFrame out: who did it, why it was allowed, what changed. Never a query."""

from eks_audit_nb.analysis.attribution import attribute, attributed, stated_decisions
from eks_audit_nb.analysis.aws_auth import mapping_changes
from eks_audit_nb.analysis.causes import behind, cause_links, causes, consequences
from eks_audit_nb.analysis.changes import object_changes
from eks_audit_nb.analysis.coverage import coverage
from eks_audit_nb.analysis.history import blind_spots, lives, nearest_objects, object_history, turning_point
from eks_audit_nb.analysis.reasons import reasons
from eks_audit_nb.analysis.secrets import cluster_wide_lists, in_namespace, secret_callers

__all__ = [
    "attribute",
    "attributed",
    "behind",
    "blind_spots",
    "cause_links",
    "causes",
    "cluster_wide_lists",
    "consequences",
    "coverage",
    "in_namespace",
    "lives",
    "mapping_changes",
    "nearest_objects",
    "object_changes",
    "object_history",
    "reasons",
    "secret_callers",
    "stated_decisions",
    "turning_point",
]
