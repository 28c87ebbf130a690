"""A lasting case: written whole or not at all, with the hashes by which it can be checked later."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from tempfile import mkdtemp

import duckdb

from eks_audit_nb.case.manifest import Manifest, is_case
from eks_audit_nb.case.writer import write_case
from eks_audit_nb.errors import SourceError
from eks_audit_nb.reading.finding import find_files


def made_by() -> str:
    """Which version makes a case, as its manifest says it."""
    return f"eks-audit-nb {version('eks-audit-nb')}"


def collect_files(source: str, out: Path) -> Manifest:
    """Make a case of files in a folder that is not there yet, or is empty.

    Raises:
        SourceError: There is something in the folder, it cannot be written, or the source holds no audit event.
    """
    if is_case(Path(source).expanduser()):
        raise SourceError(f"{source} is a case already. Copy the folder to have another one.")
    # Absolute, so that the manifest names the inputs wherever the case goes.
    files = [path.absolute() for path in find_files(source)]
    refuse_taken(out)
    with begun_case(out) as begun:
        return write_case(files, begun.case, source, with_hashes=True, made_by=made_by())


class BegunCase:
    """The folders of a case that is being made: `case` takes the place that was asked for, `scratch` goes."""

    def __init__(self, folder: Path) -> None:
        self.case, self.scratch = folder / "case", folder / "scratch"
        self.case.mkdir(mode=0o755)
        self.scratch.mkdir()


def refuse_taken(out: Path) -> None:
    """Refuse a place where a case cannot be put, before anything is read.

    Raises:
        SourceError: There is something.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise SourceError(f"{out} is there already. Give --out a folder that is not there, or is empty.")


@contextmanager
def begun_case(out: Path) -> Iterator[BegunCase]:
    """A folder to make a case in, on the disk of `out`, whose place it takes when it is whole; else nothing is left.

    Raises:
        SourceError: It cannot be written.
    """
    folder = None
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        folder = Path(mkdtemp(prefix=f".{out.name}-", dir=out.parent))
        begun = BegunCase(folder)
        yield begun
        if out.exists():
            out.rmdir()
        begun.case.chmod(0o755)
        begun.case.rename(out)
    except (OSError, duckdb.IOException) as error:
        raise SourceError(f"The case cannot be written to {out}: {error}.") from None
    finally:
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)
