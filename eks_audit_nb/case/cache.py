"""Cases made on the way: kept in the user's cache folder, so that a log is taken apart once and asked many times.

EKS_AUDIT_CACHE names another folder, EKS_AUDIT_CACHE_GB how many gigabytes the cases may take (20 by default).
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from tempfile import mkdtemp

import duckdb
import platformdirs

from eks_audit_nb.case.manifest import FORMAT, NAME, is_case
from eks_audit_nb.errors import SourceError

_DEFAULT_GB = 20.0
# A case that was asked lately may be in use, and one that is being made is not abandoned yet.
_IN_USE_SECONDS, _ABANDONED_SECONDS = 3600, 24 * 3600
_BEGUN = ".begun-"


def cached_case(files: Sequence[Path], make: Callable[[Path], object]) -> Path:
    """The case of some files, made where there is none of them as they are now.

    Two processes may make the same case at once: each writes a folder of its own, and the first one that is whole
    is taken by both.

    Args:
        files: What the case is of: their paths, sizes and times of change, in this order.
        make: Fills an empty folder.

    Raises:
        SourceError: The folder cannot be written, or the disk is full.
    """
    root = _root()
    folder = root / _key(files)
    if is_case(folder):
        with suppress(OSError):  # a cache that can only be read drops nothing either
            os.utime(folder / NAME)  # asked now: the last one to be dropped
        return folder
    begun = None
    try:
        root.mkdir(mode=0o700, parents=True, exist_ok=True)  # audit logs are nobody else's business
        begun = Path(mkdtemp(prefix=_BEGUN, dir=root))
        make(begun)
        _put(begun, folder)
    except (OSError, duckdb.IOException) as error:
        if isinstance(error, OSError) and error.filename in {str(path) for path in files}:
            raise  # the log itself
        full = " The disk is full." if isinstance(error, OSError) and error.errno == errno.ENOSPC else ""
        raise SourceError(
            f"The case of this log cannot be written into {root}: {error}.{full} "
            "Name another folder with the environment variable EKS_AUDIT_CACHE."
        ) from None
    finally:
        if begun is not None:
            shutil.rmtree(begun, ignore_errors=True)
    _drop_oldest(root, folder)
    return folder


def case_in_place(facts: Sequence[object], make: Callable[[Path], object]) -> Path:
    """A case that is made in its place in the cache, and may be gone on with or mended there.

    Args:
        facts: What it is of; the same facts lead to the same place.
        make: Makes the case at a path, or makes it whole.

    Raises:
        SourceError: The folder cannot be written.
    """
    root = cache_folder()
    folder = root / hashlib.sha256(json.dumps([FORMAT, *facts]).encode()).hexdigest()[:32]
    make(folder)
    os.utime(folder / NAME)
    _drop_oldest(root, folder)
    return folder


def cache_folder() -> Path:
    """The folder of the cache, made where it is not there.

    Raises:
        SourceError: It cannot be made.
    """
    root = _root()
    try:
        root.mkdir(mode=0o700, parents=True, exist_ok=True)  # audit logs are nobody else's business
    except OSError as error:
        raise SourceError(
            f"Nothing can be kept in {root}: {error}. "
            "Name another folder with the environment variable EKS_AUDIT_CACHE."
        ) from None
    return root


def has_case(files: Sequence[Path]) -> bool:
    """Whether there is a case of some files as they are now."""
    return is_case(_root() / _key(files))


def _put(begun: Path, folder: Path) -> None:
    try:
        begun.rename(folder)
    except OSError:
        if is_case(folder):  # another process was quicker, and made the same
            return
        shutil.rmtree(folder, ignore_errors=True)  # what is left of one that was dropped in part
        begun.rename(folder)


def _root() -> Path:
    named = os.environ.get("EKS_AUDIT_CACHE", "")
    return Path(named).expanduser() if named else platformdirs.user_cache_path("eks-audit", appauthor=False)


def _limit_bytes() -> float:
    text = os.environ.get("EKS_AUDIT_CACHE_GB", "")
    try:
        limit = float(text) if text else _DEFAULT_GB
    except ValueError:
        limit = -1.0
    if not limit >= 0:  # nor is it for what is no number
        raise SourceError(f"EKS_AUDIT_CACHE_GB is {text!r}. Give a number of gigabytes, such as 20.")
    return limit * 1e9


def _key(files: Sequence[Path]) -> str:
    facts = [(str(path.absolute()), status.st_size, status.st_mtime_ns) for path in files for status in [path.stat()]]
    return hashlib.sha256(json.dumps([FORMAT, facts]).encode()).hexdigest()[:32]


def _drop_oldest(root: Path, kept: Path) -> None:
    """Keep the cases below the limit: those that nobody asked for longest go first."""
    now = time.time()
    cases = []
    for folder in root.iterdir():
        try:
            if folder.name.startswith(_BEGUN):
                if now - folder.stat().st_mtime > _ABANDONED_SECONDS:
                    shutil.rmtree(folder, ignore_errors=True)
            elif is_case(folder):
                asked = (folder / NAME).stat().st_mtime
                cases.append((asked, sum(file.stat().st_size for file in folder.iterdir()), folder))
        except OSError:  # another process drops it too
            continue
    total, limit = sum(size for _, size, _ in cases), _limit_bytes()
    for asked, size, folder in sorted(cases):
        if total > limit and folder != kept and now - asked > _IN_USE_SECONDS:
            (folder / NAME).unlink(missing_ok=True)  # no case any more, whatever else can be removed
            shutil.rmtree(folder, ignore_errors=True)
            total -= size
