"""DataFrame in, DataFrame out: who did it, why it was allowed, what changed. Never a query."""

from eks_audit_nb.analysis.attribution import attribute, attributed, stated_decisions
from eks_audit_nb.analysis.aws_auth import mapping_changes
from eks_audit_nb.analysis.coverage import coverage
from eks_audit_nb.analysis.reasons import reasons
from eks_audit_nb.analysis.secrets import cluster_wide_lists, in_namespace, secret_callers

__all__ = [
    "attribute",
    "attributed",
    "cluster_wide_lists",
    "coverage",
    "in_namespace",
    "mapping_changes",
    "reasons",
    "secret_callers",
    "stated_decisions",
]
