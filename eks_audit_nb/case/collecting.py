"""A lasting case from files: written whole or not at all, with the hashes by which it can be checked later."""

from __future__ import annotations

import shutil
from importlib.metadata import version
from pathlib import Path
from tempfile import mkdtemp

import duckdb

from eks_audit_nb.case.manifest import Manifest, is_case
from eks_audit_nb.case.writer import write_case
from eks_audit_nb.errors import SourceError
from eks_audit_nb.reading.finding import find_files


def collect_files(source: str, out: Path) -> Manifest:
    """Make a case of files in a folder that is not there yet, or is empty.

    Raises:
        SourceError: There is something in the folder, it cannot be written, or the source holds no audit event.
    """
    if is_case(Path(source).expanduser()):
        raise SourceError(f"{source} is a case already. Copy the folder to have another one.")
    files = find_files(source)
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise SourceError(f"{out} is there already. Give --out a folder that is not there, or is empty.")
    begun = None
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        begun = Path(mkdtemp(prefix=f".{out.name}-", dir=out.parent))
        # Absolute, so that the manifest names the inputs wherever the case goes.
        manifest = write_case(
            [path.absolute() for path in files],
            begun,
            source,
            with_hashes=True,
            made_by=f"eks-audit-nb {version('eks-audit-nb')}",
        )
        if out.exists():
            out.rmdir()
        begun.chmod(0o755)
        begun.rename(out)
    except (OSError, duckdb.IOException) as error:
        raise SourceError(f"The case cannot be written to {out}: {error}.") from None
    finally:
        if begun is not None:
            shutil.rmtree(begun, ignore_errors=True)
    return manifest
