"""What every source does, and what it gives back."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any, Protocol

from eks_audit_nb.markup import facts_table
from eks_audit_nb.window import Window

if TYPE_CHECKING:
    import pandas as pd

# The source that ships with the package.
SAMPLE = "sample"
# What the name of a cluster's log group begins with.
CLOUDWATCH = "cloudwatch:"
# What the name of a bucket and a prefix begins with.
S3 = "s3://"

# AWS's list price for Logs Insights in us-east-1, dollars for a gigabyte of log scanned: the default of all prices.
DOLLARS_PER_GIGABYTE = 0.005

RESULT_MIMETYPE = "application/vnd.eks-audit.result+json"


class Source(Protocol):
    """Anything that answers Insights queries over audit events."""

    @property
    def name(self) -> str:
        """What the user called it: "sample", a path, "cloudwatch:CLUSTER"."""

    @property
    def is_remote(self) -> bool:
        """Whether a query is a request to AWS that costs money."""

    def run(self, query: str, start: str = "", end: str = "", **parameters: object) -> Result:
        """Answer a query: the name of one that ships, or any Insights text.

        Args:
            query: A name from `eks-audit queries`, or the text itself.
            start: "", "-24h", ISO 8601 or "now". Empty means a file whole, a cluster's last 24 hours.
            end: The same; empty means the last event of a file, now for a cluster.
            **parameters: What the query's `{{placeholders}}` stand for.

        Raises:
            EksAuditError: A wrong text, window, parameter or source; the message says what to do.
        """

    def window(self, start: str = "", end: str = "") -> Window | None:
        """The window that two texts mean here, as `run` takes them; None for a log without events."""

    def close(self) -> None:
        """Let go of memory and connections."""


@dataclass(frozen=True)
class Statistics:
    """What answering cost: the events of the window, and the bytes of uncompressed log that were read for them.

    Bytes that were read twice, by a count and for the rows, are counted twice, as they are paid for.
    """

    events_scanned: int = 0
    bytes_scanned: int = 0
    events_matched: int | None = None
    dollars_per_gigabyte: float = DOLLARS_PER_GIGABYTE

    @property
    def dollars(self) -> float:
        """What CloudWatch Logs Insights charges for these bytes, a gigabyte being 10^9 of them."""
        return self.bytes_scanned / 1e9 * self.dollars_per_gigabyte

    @property
    def price(self) -> str:
        """The dollars, and at which price, for people."""
        is_list_price = self.dollars_per_gigabyte == DOLLARS_PER_GIGABYTE
        named = "AWS's us-east-1 list price" if is_list_price else f"${self.dollars_per_gigabyte:g} a GB"
        return f"${self.dollars:.4f} at {named}"


@dataclass(frozen=True)
class Estimate:
    """What a query would scan, before it is asked.

    Attributes:
        bytes_scanned: Of uncompressed log in the window, as the service estimates it.
        is_planned: Whether the window is large enough to be counted by bin first, so that it may be scanned twice.
        dollars_per_gigabyte: The price.
        window: Both ends inclusive.
    """

    bytes_scanned: int
    is_planned: bool
    dollars_per_gigabyte: float
    window: Window

    @property
    def most_bytes(self) -> int:
        """What the query can be expected to scan at most."""
        return self.bytes_scanned * 2 if self.is_planned else self.bytes_scanned

    def summary(self) -> dict[str, str]:
        """The estimate for people, a line each."""
        least, most = (
            Statistics(bytes_scanned=size, dollars_per_gigabyte=self.dollars_per_gigabyte)
            for size in (self.bytes_scanned, self.most_bytes)
        )
        lines = {"Window": str(self.window), "Would scan": f"{size_text(self.bytes_scanned)}, {least.price}"}
        if self.is_planned:
            lines["At most"] = f"{size_text(self.most_bytes)}, {most.price}, if rows lie everywhere in the window"
        return lines


@dataclass(frozen=True, eq=False)
class Result:
    """A frame and everything needed to trust it.

    Attributes:
        frame: The rows, typed; see `frames.from_columns`.
        query: The text as it ran, parameters filled in.
        name: The query's name, "" for a text of the user's own.
        source: What was asked.
        window: Both ends inclusive; None for an empty source, and for a log that was passed over as a whole.
        complete: False where rows of the window may be missing; `reasons` says why.
        reasons: A sentence for each reason to doubt completeness.
        notes: Warnings that do not make the result incomplete.
        is_remote: Whether the bytes were paid for.
        query_id: CloudWatch's id of the query, the first one's where there were several, "" elsewhere.
        console_url: Opens the same query and window in the AWS console; "" elsewhere.
    """

    frame: pd.DataFrame
    query: str
    source: str
    window: Window | None
    statistics: Statistics
    name: str = ""
    reasons: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    is_remote: bool = False
    query_id: str = ""
    console_url: str = ""

    @property
    def complete(self) -> bool:
        """Whether no row of the window can be missing."""
        return not self.reasons

    def __len__(self) -> int:
        return len(self.frame)

    def summary(self) -> dict[str, str]:
        """What a reader has to know about the result, a line each."""
        cost = f", {self.statistics.price}" if self.is_remote else ""
        lines = {
            "Source": self.source,
            "Window": str(self.window) if self.window else self._whole(),
            "Rows": f"{len(self.frame):,} of {self.statistics.events_scanned:,} events read",
            "Scanned": f"{size_text(self.statistics.bytes_scanned)}{cost}",
            "Complete": "yes" if self.complete else "NO. " + " ".join(self.reasons),
        }
        if self.notes:
            lines["Notes"] = " ".join(self.notes)
        if self.query_id:
            lines["Query id"] = self.query_id
        if self.console_url:
            lines["Console"] = self.console_url
        return lines

    def _whole(self) -> str:
        return "the whole log" if self.statistics.events_scanned else "no events"

    def record(self) -> dict[str, Any]:
        """The summary for machines: what the report's index and manifest are made from."""
        return {
            "query": self.query,
            "name": self.name,
            "source": self.source,
            "start": self.window.start.isoformat() if self.window else None,
            "end": self.window.end.isoformat() if self.window else None,
            "rows": len(self.frame),
            "events_scanned": self.statistics.events_scanned,
            "bytes_scanned": self.statistics.bytes_scanned,
            "complete": self.complete,
            "reasons": list(self.reasons),
            "notes": list(self.notes),
            "query_id": self.query_id,
            "dollars": self.statistics.dollars if self.is_remote else 0.0,
            "console_url": self.console_url,
        }

    def __repr__(self) -> str:
        lines = [f"{name + ':':10} {value}" for name, value in self.summary().items()]
        return "\n".join([*lines, "Query:", *(f"    {line}" for line in self.query.strip().splitlines())])

    def _repr_mimebundle_(self, **_: object) -> dict[str, Any]:
        query = f"<details><summary>The query as it ran</summary><pre>{escape(self.query.strip())}</pre></details>"
        facts = {name: value for name, value in self.summary().items() if name != "Console"}
        html = facts_table(facts, self.name or "Query") + query
        if self.console_url:
            html += f'<p><a href="{escape(self.console_url)}">The same query in the AWS console</a></p>'
        return {"text/plain": repr(self), "text/html": html, RESULT_MIMETYPE: self.record()}


def limit_note(limit: int | None, rows: int) -> tuple[str, ...]:
    """What is said where a limit that the user wrote may have cut the rows; that is no incompleteness."""
    if limit is None or rows < limit:
        return ()
    return (f"The limit of {limit:,} in the query was reached; there may be more rows.",)


def size_text(size: int) -> str:
    """A number of bytes for people: 27.8 MB. Units are decimal, as AWS bills them."""
    amount = float(size)
    for unit in ("bytes", "kB", "MB", "GB"):
        if round(amount, 1) < 1000:
            return f"{amount:.0f} {unit}" if unit == "bytes" else f"{amount:.1f} {unit}"
        amount /= 1000
    return f"{amount:.1f} TB"
