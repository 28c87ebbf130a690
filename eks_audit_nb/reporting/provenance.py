"""What a reader needs to check or repeat a result: queries, windows, sizes, versions."""

from __future__ import annotations

import platform
from datetime import UTC, datetime
from html import escape
from importlib.metadata import version

from eks_audit_nb.markup import facts_table
from eks_audit_nb.reporting.shown import Shown
from eks_audit_nb.sources.base import Result

_PACKAGES = ("eks-audit-nb", "pandas", "duckdb", "boto3", "papermill")


def provenance(*results: Result) -> Shown:
    """The queries as they ran, with what each read, and the versions of what ran them."""
    versions = ", ".join(f"{name} {version(name)}" for name in _PACKAGES)
    now = f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC"
    made = f"Run at {now} with Python {platform.python_version()}, {versions}."
    plain = "\n\n".join([made, *(repr(result) for result in results)])
    html = f"<p>{escape(made)}</p>" + "".join(_block(result) for result in results)
    return Shown({"text/plain": plain, "text/html": html})


def _block(result: Result) -> str:
    return facts_table(result.summary(), result.name or "Query") + f"<pre>{escape(result.query.strip())}</pre>"
