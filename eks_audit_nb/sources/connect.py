"""From a source's name to the source."""

from __future__ import annotations

from eks_audit_nb.errors import SourceError
from eks_audit_nb.sources.base import Source

CLOUDWATCH = "cloudwatch:"


def connect(source: str) -> Source:
    """Open a source by its name.

    Args:
        source: "sample" (the log that ships with the package), a file (.jsonl, .jsonl.gz), a folder, a glob, or
            "cloudwatch:CLUSTER" for an EKS cluster's log group in the account and region that boto3 is set up for.

    Raises:
        SourceError: There is no such source; the message says what a source can be.
    """
    if not source.strip():
        raise SourceError('The source is empty. Give "sample", a file, a folder, a glob, or "cloudwatch:CLUSTER".')
    if source.startswith(CLOUDWATCH):
        from eks_audit_nb.sources.cloudwatch import CloudWatchSource

        return CloudWatchSource(source.removeprefix(CLOUDWATCH))
    from eks_audit_nb.sources.files import FileSource

    return FileSource(source)
