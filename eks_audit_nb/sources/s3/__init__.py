"""Audit logs in S3: the objects under a prefix are read once, into a case that is asked at no cost.

Source of the forms: CloudWatch Logs User Guide, "Export log data to Amazon S3"; Amazon S3 API Reference, ListObjectsV2
and GetObject.
"""

from eks_audit_nb.sources.s3.collecting import collect_s3

__all__ = ["collect_s3"]
