"""A lasting case of the objects under a prefix."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from tqdm import tqdm

from eks_audit_nb.case.collecting import begun_case, made_by, refuse_taken
from eks_audit_nb.case.manifest import Manifest
from eks_audit_nb.case.writer import write_case
from eks_audit_nb.errors import S3Error
from eks_audit_nb.sources.base import S3
from eks_audit_nb.sources.s3.bucket import FIRST_PAUSE, Bucket
from eks_audit_nb.sources.s3.fetching import S3Files
from eks_audit_nb.sources.s3.listing import counted, listed
from eks_audit_nb.window import from_milliseconds, parse_window


def collect_s3(
    source: str,
    out: Path,
    start: str = "",
    end: str = "",
    *,
    progress: bool = False,
    first_pause: float = FIRST_PAUSE,
) -> Manifest:
    """Make a case of the objects under a prefix, in a folder that is not there yet, or is empty.

    Every object is read once and checked for being the one that was listed. With a window the case holds the events of
    the window alone; objects that were written before it began are not read. Objects are read in the order of their
    keys, so that lines always count the same. Of the objects only what is read next is on the disk.

    Args:
        source: "s3://BUCKET/PREFIX".
        out: The folder for the case.
        start: As for `parse_window`; relative times count from now. Empty means the first event.
        end: The same; empty means the last event.
        progress: Whether a bar on standard error shows how far it is.
        first_pause: How long the first try again waits, seconds.

    Raises:
        SourceError: The folder is taken or cannot be written, S3 refuses, or there is no event.
        WindowError: An end that is no time.
    """
    name, _, prefix = source.removeprefix(S3).partition("/")
    if not name:
        raise S3Error('The bucket has no name. Write "s3://BUCKET/PREFIX".')
    window = None
    if start or end:
        window = parse_window(start, end, now=datetime.now(UTC), default_start=from_milliseconds(0))
    refuse_taken(out)
    bucket = Bucket(name, first_pause=first_pause)
    found = listed(bucket, prefix, window)
    total = sum(entry.size for entry in found.entries)
    with (
        begun_case(out) as begun,
        tqdm(total=total, unit="B", unit_scale=True, disable=not progress) as bar,
        closing(S3Files(bucket, found.entries, begun.scratch, named=prefix, on_read=bar.update)) as files,
    ):
        manifest = write_case(
            files,
            begun.case,
            source,
            with_hashes=True,
            made_by=made_by(),
            window=window,
            describe=files.input_of,
        )
        left_out = [*found.left_out, *manifest.left_out]
        if files.not_logs:
            number, example = counted(len(files.not_logs)), files.not_logs[0]
            left_out.append(f"{number} not taken for a log by the first bytes, such as {example}.")
        manifest = replace(manifest, left_out=tuple(left_out))
        manifest.write(begun.case)
    return manifest
