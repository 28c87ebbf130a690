"""The cluster behind a source: what is not in its log is asked of the cluster itself."""

from __future__ import annotations

from eks_audit_nb.sources.base import Source
from eks_audit_nb.sources.cloudwatch import CloudWatchSource
from eks_audit_nb.sources.files import FileSource


def cluster_behind(source: Source) -> CloudWatchSource | None:
    """The log groups that may be asked now; None for files, and for a case that was not opened with `is_live`.

    A case can be opened years later and elsewhere, so that it says itself what it holds, and nothing is asked beside it
    unless somebody wants that.
    """
    if isinstance(source, CloudWatchSource):
        return source
    return source.cluster if isinstance(source, FileSource) else None
