"""Where events live: files and CloudWatch Logs, behind one protocol."""

from eks_audit_nb.sources.base import Result, Source
from eks_audit_nb.sources.by_name import connect

__all__ = ["Result", "Source", "connect"]
