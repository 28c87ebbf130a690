"""From a source's name to the source."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from eks_audit_nb.errors import SourceError
from eks_audit_nb.sources.base import CLOUDWATCH, DOLLARS_PER_GIGABYTE, S3, SAMPLE, Source

if TYPE_CHECKING:
    from eks_audit_nb.case.manifest import Manifest


def connect(
    source: str,
    *,
    tables: Mapping[str, str | Path] | None = None,
    field_cap: int | None = None,
    is_strict: bool = False,
    is_asked_once: bool = False,
    is_live: bool = False,
    dollars_per_gigabyte: float = DOLLARS_PER_GIGABYTE,
    max_bytes: int | None = None,
) -> Source:
    """Open a source by its name.

    Args:
        source: "sample" (the log that ships with the package), a file (.jsonl, .jsonl.gz), a folder, a glob, a case
            (see `eks-audit collect`), or "cloudwatch:CLUSTER" for an EKS cluster's log group in the account and region
            that boto3 is set up for; "cloudwatch:CLUSTER@REGION", "cloudwatch:/aws/eks/CLUSTER/cluster" or another log
            group's name, its ARN, and several of them with commas.
        tables: For files: CSV files by the name under which `lookup` and `cidrlookup` know them.
        field_cap: For files: how many fields of an event are discovered, None for all; CloudWatch stops at 200.
        is_strict: For files: refuse queries that the documentation calls invalid, instead of a note.
        is_asked_once: For files: make no case of them for later questions where one answer can be had sooner.
        is_live: For a case from CloudWatch: whether the cluster itself may be asked for what is not in its log.
        dollars_per_gigabyte: For CloudWatch: what your region asks for a gigabyte scanned.
        max_bytes: For CloudWatch: refuse to start what would scan more.

    Raises:
        SourceError: There is no such source; the message says what a source can be.
    """
    if not source.strip():
        raise SourceError('The source is empty. Give "sample", a file, a folder, a glob, or "cloudwatch:CLUSTER".')
    _refuse_s3(source)
    if source.startswith(CLOUDWATCH):
        from eks_audit_nb.sources.cloudwatch import CloudWatchSource

        if tables or field_cap is not None or is_strict:
            raise SourceError("Lookup tables, the field cap and strictness are CloudWatch's own there; leave them out.")
        return CloudWatchSource(
            source.removeprefix(CLOUDWATCH), dollars_per_gigabyte=dollars_per_gigabyte, max_bytes=max_bytes
        )
    from eks_audit_nb.sources.files import FileSource

    return FileSource(
        source,
        tables=tables,
        field_cap=field_cap,
        is_strict=is_strict,
        is_asked_once=is_asked_once,
        is_live=is_live,
    )


def check_source(source: str) -> None:
    """Refuse a source that cannot be there, before anything is started for it.

    Raises:
        SourceError: An empty name, no cluster's name, objects in S3, or files that do not exist.
    """
    _refuse_s3(source)
    if not source.strip():
        connect(source)
    if source.startswith(CLOUDWATCH):
        from eks_audit_nb.sources.cloudwatch.log_groups import parse_log_groups

        parse_log_groups(source.removeprefix(CLOUDWATCH))
    elif source != SAMPLE:
        from eks_audit_nb.case.manifest import is_case
        from eks_audit_nb.reading.finding import find_files

        if not is_case(Path(source).expanduser()):
            find_files(source)


def collect(source: str, out: Path, start: str = "", end: str = "", *, progress: bool = False) -> Manifest:
    """Make a lasting case of a source by its name.

    Args:
        source: A file, a folder, a glob, or "s3://BUCKET/PREFIX".
        out: The folder for the case; it is not there yet, or is empty.
        start: What the case begins with, for S3; see `window.parse_window`. Empty means the first event.
        end: The same; empty means the last event.
        progress: Whether a bar on standard error shows how far it is, where that is known.

    Raises:
        SourceError: There is no such source, it cannot be read, or the case cannot be written.
        WindowError: An end that is no time.
    """
    if source.startswith(CLOUDWATCH):
        raise SourceError("A cluster is collected by eks_audit_nb.collecting.collect_cluster, or: eks-audit collect")
    if source.startswith(S3):
        from eks_audit_nb.sources.s3 import collect_s3

        return collect_s3(source, out, start, end, progress=progress)
    from eks_audit_nb.case.collecting import collect_files

    if start or end:
        raise SourceError("A case of files holds them whole. Leave --start and --end out, and give them when you ask.")
    return collect_files(source, out)


def absolute(source: str) -> str:
    """The same source by a name that is right wherever a kernel starts."""
    if source == SAMPLE or source.startswith(CLOUDWATCH):
        return source
    return str(Path(source).expanduser().absolute())


def _refuse_s3(source: str) -> None:
    if source.startswith(S3):
        raise SourceError(
            f"Objects in S3 are read once, into a case: eks-audit collect {source} --out CASE. Then ask CASE."
        )
