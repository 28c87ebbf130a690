"""Ask Amazon EKS audit logs who did what, from where, with which credential, and why it was allowed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from eks_audit_nb.analysis.attribution import attribute
    from eks_audit_nb.analysis.aws_auth import mapping_changes
    from eks_audit_nb.sources import Result, Source, connect

__all__ = ["Result", "Source", "attribute", "connect", "mapping_changes"]

_HOMES = {
    "Result": "eks_audit_nb.sources",
    "Source": "eks_audit_nb.sources",
    "attribute": "eks_audit_nb.analysis.attribution",
    "connect": "eks_audit_nb.sources",
    "mapping_changes": "eks_audit_nb.analysis.aws_auth",
}


def __getattr__(name: str) -> Any:
    # Names are found when they are used: `import eks_audit_nb` stays light, without pandas, DuckDB or boto3.
    from importlib import import_module
    from importlib.metadata import version

    if name == "__version__":
        return version("eks-audit-nb")
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
