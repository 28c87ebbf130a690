"""From a source's name to the source."""

from __future__ import annotations

from pathlib import Path

from eks_audit_nb.errors import SourceError
from eks_audit_nb.sources.base import CLOUDWATCH, SAMPLE, Source


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


def check_source(source: str) -> None:
    """Refuse a source that cannot be there, before anything is started for it.

    Raises:
        SourceError: An empty name, no cluster's name, or files that do not exist.
    """
    if not source.strip() or source == CLOUDWATCH:
        connect(source)
    if source != SAMPLE and not source.startswith(CLOUDWATCH):
        from eks_audit_nb.sources.lines import find_files

        find_files(source)


def absolute(source: str) -> str:
    """The same source by a name that is right wherever a kernel starts."""
    if source == SAMPLE or source.startswith(CLOUDWATCH):
        return source
    return str(Path(source).expanduser().absolute())
