"""DataFrame in, DataFrame out: who did it, why it was allowed, what changed. Never a query."""

from eks_audit_nb.analysis.attribution import attribute
from eks_audit_nb.analysis.aws_auth import mapping_changes

__all__ = ["attribute", "mapping_changes"]
