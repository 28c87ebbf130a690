"""The files that the name of a source means."""

from __future__ import annotations

import re
from pathlib import Path, PurePath

from eks_audit_nb.errors import SourceError
from eks_audit_nb.reading.log_file import LogFile
from eks_audit_nb.reading.unpacking import begins_like_a_log

_SUFFIXES = (".jsonl", ".json", ".log", ".ndjson")
_ANY_SUFFIX = re.compile(r"\.[A-Za-z]\w{0,9}")
_SOURCES = 'Give a file, a folder, a glob in quotes, "sample", or "cloudwatch:CLUSTER".'
# What CloudWatch leaves beside an export to see whether it may write.
WRITE_TEST = "aws-logs-write-test"
# By these a folder is a case, which may lie among the logs that it was made of; see `case.manifest`.
_MANIFEST, _BLOCKS = "manifest.json", "blocks.parquet"


def find_files(where: str) -> list[Path]:
    """The files that a path, a folder or a glob names, sorted.

    Raises:
        SourceError: Nothing there, or a name that is no UTF-8.
    """
    try:
        found = _found_files(where)
        for path in found:
            str(path).encode()  # a name that is no UTF-8 could not be written into any answer
        return found
    except UnicodeEncodeError:
        raise SourceError(f"{path.name!a} is the name of a file and no UTF-8. Rename the file.") from None
    except (OSError, ValueError) as error:  # a name that is too long, a folder that may not be read, a wrong pattern
        reason = getattr(error, "strerror", None) or error
        raise SourceError(f"{where[:200]!r} cannot be read: {reason}. {_SOURCES}") from None


def is_log(file: LogFile) -> bool:
    """Whether a file is a log: by its name, and by its first bytes where the name does not tell."""
    return is_named_like_a_log(file.name) and (_suffix(file.name) in _SUFFIXES or begins_like_a_log(file))


def is_named_like_a_log(name: str) -> bool:
    """Whether a file of this name can be a log."""
    if name.startswith(".") or name == WRITE_TEST:
        return False
    suffix = _suffix(name)
    # Exports and Firehose give their files no suffix, and a CSV may be anything.
    return suffix in (*_SUFFIXES, ".csv") or not _ANY_SUFFIX.fullmatch(suffix)


def _suffix(name: str) -> str:
    return PurePath(name.removesuffix(".gz")).suffix


def _found_files(where: str) -> list[Path]:
    path = Path(where).expanduser()
    if path.is_file():
        return [path]
    if path.is_dir():
        found = [p for p in path.rglob("*") if p.is_file() and not _is_aside(p, path) and is_log(p)]
        wanted = f"a file that ends in {', '.join(_SUFFIXES)} or one of these with .gz"
    elif any(sign in where for sign in "*?["):
        anchor = Path(path.anchor) if path.is_absolute() else Path()
        pattern = str(path.relative_to(path.anchor)) if path.is_absolute() else str(path)
        found = [p for p in anchor.glob(pattern) if p.is_file()]
        wanted = "a file that the pattern matches"
    else:
        raise SourceError(f"There is no file or folder {where!r}. {_SOURCES}")
    if not found:
        raise SourceError(f"{where!r} holds no audit log: expected {wanted}.")
    return sorted(found)


def _is_aside(path: Path, folder: Path) -> bool:
    """Whether a file below a folder is that of a case, or hidden as what is left of a case whose making was ended."""
    if path.name == _MANIFEST and path.with_name(_BLOCKS).is_file():
        return True
    return any(part.startswith(".") for part in path.relative_to(folder).parts)
