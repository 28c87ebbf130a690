"""DataFrame in, DataFrame out: who did it, why it was allowed, what changed. Never a query."""

from eks_audit_nb.analysis.attribution import attribute, reasons
from eks_audit_nb.analysis.aws_auth import mapping_changes
from eks_audit_nb.analysis.coverage import coverage

__all__ = ["attribute", "coverage", "mapping_changes", "reasons"]
