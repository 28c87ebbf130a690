"""One run at a time makes a case or mends it: two would take each other's pieces for their own."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from eks_audit_nb.case.cache import cache_folder
from eks_audit_nb.errors import SourceError


@contextmanager
def alone(out: Path) -> Iterator[None]:
    """Nobody else on this machine collects into the same folder meanwhile.

    The lock lies in the cache, so that nothing is left beside the evidence; it ends with the process that holds it.

    Raises:
        SourceError: Someone does, or the cache cannot be written.
    """
    name = hashlib.sha256(str(out.resolve()).encode()).hexdigest()[:32]
    lock = FileLock(cache_folder() / f"{name}.lock", blocking=False)
    try:
        with lock:
            yield
    except Timeout:
        raise SourceError(
            f"{out} is being collected by another run. Wait until it has ended, and run it again."
        ) from None
