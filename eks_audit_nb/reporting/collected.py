"""A report of several notebooks on a cluster collects its events once, and all of them ask that.

Each query of a notebook reads the whole window in the service and is paid for it; a case costs twice the window, once,
and is kept in the cache, so that the same report over the same window asks only for what came late.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from eks_audit_nb.case.cache import case_in_place
from eks_audit_nb.case.manifest import Collected, read_manifest
from eks_audit_nb.collecting import NoEventsError, collect_cluster
from eks_audit_nb.collecting.begun import Begun
from eks_audit_nb.errors import CloudWatchError
from eks_audit_nb.sources.base import CLOUDWATCH, size_text
from eks_audit_nb.sources.cloudwatch import CloudWatchSource
from eks_audit_nb.window import Window, to_text


@dataclass(frozen=True)
class Gathered:
    """What the notebooks are to ask.

    Attributes:
        source: What the user called it.
        said: What was collected and what it cost, or why nothing was, in a sentence or two.
        case: The case; None where each notebook asks the cluster itself.
        window: What was asked for; None without a case.
    """

    source: str
    said: str
    case: Path | None = None
    window: Window | None = None

    @property
    def parameters(self) -> dict[str, str]:
        """What the notebooks get instead of the cluster's name and the times as they were given."""
        if self.case is None or self.window is None:
            return {}
        times = {"start": to_text(self.window.start_ms), "end": to_text(self.window.end_ms)}
        return {"source": str(self.case), **times, "live": "true"}


def collect_for_report(
    source: str,
    start: str,
    end: str,
    say: Callable[[str], object],
    *,
    has_setup: bool = True,
    max_bytes: int | None = None,
) -> Gathered:
    """Collect what a report is about.

    Args:
        source: "cloudwatch:" and what stands behind it.
        start: As for `Source.run`.
        end: As for `Source.run`.
        say: Is told what is done and what it will cost.
        has_setup: Whether a notebook among them says what is wrong with a cluster that has no log.
        max_bytes: Refuse to start what would scan more; whatever keeps it from being collected is an error then.

    Raises:
        CloudWatchError: The service failed on the way, and the same report goes on from there; or there is nothing to
            ask, and no notebook that tells why.
        SourceError: The case cannot be written.
    """
    cluster = CloudWatchSource(source.removeprefix(CLOUDWATCH), max_bytes=max_bytes)
    try:
        window = cluster.window(start, end)
        facts = (cluster.region, *cluster.groups.identifiers, window.start_ms, window.end_ms)
        begun_before: list[int] = []

        def make(folder: Path) -> None:
            try:
                collect_cluster(cluster, folder, to_text(window.start_ms), to_text(window.end_ms), say=say)
            finally:
                begun_before.append(len(Begun(folder).pieces))

        try:
            case = case_in_place(facts, make)
        except KeyboardInterrupt:
            say(_again(window))
            raise
        except CloudWatchError as error:
            if begun_before != [0] and not isinstance(error, NoEventsError):
                raise CloudWatchError(f"{error} {_again(window)}") from None
            if max_bytes is not None or not (has_setup or isinstance(error, NoEventsError)):
                raise
            # No log group yet, or nothing in it: that is for the notebooks to tell, each in its own words.
            return Gathered(source, f"Nothing was collected, and each notebook asked the cluster: {error}")
    finally:
        cluster.close()
    known = read_manifest(case).collected
    assert known is not None  # noqa: S101  # `collect_cluster` wrote it
    return Gathered(source, _said(known, read_manifest(case).events), case, window)


def _again(window: Window) -> str:
    """How a report whose times count from now is gone on with."""
    start, end = (to_text(each).replace(" ", "T") + "Z" for each in (window.start_ms, window.end_ms))
    return f"This window again is: --start {start} --end {end}"


def _said(known: Collected, events: int) -> str:
    text = (
        f"{events:,} events were collected once, and all notebooks asked them: {size_text(known.bytes_scanned)} "
        f"scanned, ${known.dollars:.4f}; {known.agreed:,} of {known.bins:,} bins have as many events as CloudWatch "
        "counts."
    )
    return f"{text} {known.unsettled()}".strip()
