"""All audit events of a cluster's window, from CloudWatch Logs into a case.

The same command again goes on where it was broken off, and on a finished case asks only for what came late.

Why Logs Insights and not FilterLogEvents, which charges nothing for bytes (benchmarks/collect.py has the figures):
FilterLogEvents gives 1 MB a call, some 580 events of 1.8 KB, at 5 calls a second in most regions, which the whole
account shares; that is six minutes for a million events, where Insights takes a few hundred calls. It says nothing of
how many events there are, so that a page that was lost is not noticed, and the proof would need Insights' count all the
same, which is half of the price. And log groups of the class Infrequent Access know only Insights.
"""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

import duckdb

from eks_audit_nb.case.manifest import Collected, Manifest, is_case, read_manifest
from eks_audit_nb.case.raw import accounts_of
from eks_audit_nb.collecting.alone import alone
from eks_audit_nb.collecting.begun import Asked, Begun
from eks_audit_nb.collecting.finishing import (
    counts_name,
    counts_of,
    held_by,
    make_case,
    mend_case,
    remove_strays,
)
from eks_audit_nb.collecting.proof import Proof, differing, prove
from eks_audit_nb.errors import CloudWatchError, SourceError
from eks_audit_nb.sources.base import Statistics, size_text
from eks_audit_nb.sources.cloudwatch import UNSETTLED_MS, CloudWatchSource
from eks_audit_nb.sources.cloudwatch.splitting import PERIODS, Period
from eks_audit_nb.window import Window, from_milliseconds, to_milliseconds

QUERY = (
    'fields @timestamp, @ingestionTime, @logStream, @log, @message\n| filter @logStream like "kube-apiserver-audit-"'
)
_FULL = os.strerror(errno.ENOSPC)  # which DuckDB's errors quote
# How many windows are fetched at once: each is some 30 MB until it is on disk.
_AT_ONCE = 5


class NoEventsError(CloudWatchError):
    """The window holds no audit event, so that there is nothing to make a case of."""


def collect_cluster(
    source: CloudWatchSource,
    out: Path,
    start: str = "",
    end: str = "",
    *,
    settle_minutes: float = 0,
    say: Callable[[str], object] = print,
) -> Manifest:
    """Make a case of all audit events of a window, or go on with one.

    Args:
        source: The log groups; its `max_bytes` holds.
        out: A folder that is not there yet or is empty, or a case that this made of the same source and window.
        start: As for `Source.run`.
        end: As for `Source.run`.
        settle_minutes: How long to wait for events that come late, before those are asked for.
        say: Is told what is done and what it will cost.

    Raises:
        NoEventsError: The window holds no audit event.
        CloudWatchError: The service refuses or fails; what was fetched is kept.
        SourceError: There is something else in the folder, it cannot be written, or another run is at it.
    """
    try:
        with alone(out):
            if is_case(out):
                manifest = _mended(source, out, start, end, say)
            else:
                manifest, was_begun = _made(source, out, start, end, say)
                known = manifest.collected
                if was_begun and known and known.unsettled_ms is not None:  # what came since it was begun
                    manifest = _mended(source, out, start, end, say)
            if settle_minutes and manifest.collected and manifest.collected.unsettled_ms is not None:
                say(f"Waiting {settle_minutes:g} minutes for events that come late. The case is there meanwhile.")
                time.sleep(settle_minutes * 60)
                manifest = _mended(source, out, start, end, say)
    except (OSError, duckdb.Error) as error:
        reason = "the disk is full" if _FULL in str(error) else str(error)
        raise SourceError(f"The case cannot be made in {out}: {reason}. {_kept(out)}".strip()) from None
    return manifest


def _kept(out: Path) -> str:
    """Where a run that was broken off is gone on with; "" where nothing was begun."""
    begun = Begun(out)
    return f"What was fetched is kept in {begun.folder}: the same command goes on from there." if begun.asked else ""


def _made(
    source: CloudWatchSource, out: Path, start: str, end: str, say: Callable[[str], object]
) -> tuple[Manifest, bool]:
    """A new case, and whether it had been begun before."""
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise SourceError(f"{out} is there already. Give --out a folder that is not there, or is empty.")
    out.parent.mkdir(parents=True, exist_ok=True)
    begun = Begun(out)
    was_begun = begun.asked is not None
    if begun.asked:
        window = _same(source, start, end, begun.asked, str(begun.folder))
        left = begun.left()
        say(f"Going on with what was begun. Windows that are here: {len(begun.pieces):,}, left: {len(left):,}.")
    else:
        window = source.window(start, end)
        _plan(source, begun, window, start, end, say)
    asked = begun.asked
    assert asked  # noqa: S101  # it was read or made
    try:
        before = 0
        for part in source.fetch(QUERY, begun.left(), at_once=_AT_ONCE):
            begun.add(part.window, part.frame, part.bytes_scanned - before, part.reasons)
            before = part.bytes_scanned
        proof = prove(source, QUERY, begun, window, _period(asked.bin_ms), asked.counts)
    except CloudWatchError as error:
        raise CloudWatchError(f"{error}\n{_kept(out)}") from None
    accounts = accounts_of(begun.stretches())
    if len(accounts) > 1 and _is_one_account(source):
        raise SourceError(
            f"{begun.folder} holds events of the accounts {' and '.join(accounts)}: it was gone on with by another "
            "AWS_PROFILE. Remove that folder and begin anew."
        )
    if not any(piece.rows for piece in begun.pieces):
        if proof.doubts:
            raise CloudWatchError(f"No audit event came from {window}. {' '.join(proof.doubts)} Run it again.")
        begun.clear()
        raise NoEventsError(f"There is no audit event in {window}. {' '.join(source.about_nothing())}")
    account = accounts[0] if len(accounts) == 1 else ""
    collected = _collected(source, asked, proof, begun, asked.asked_ms, account)
    return make_case(begun, out, collected, _counts(proof), _doubts(proof, begun)), was_begun


def _mended(source: CloudWatchSource, out: Path, start: str, end: str, say: Callable[[str], object]) -> Manifest:
    """A case with what came since it was asked for; only what was unsettled then is asked again."""
    before = read_manifest(out)
    known = before.collected
    if known is None:
        raise SourceError(f"{out} is a case of {before.source}. Give --out another folder.")
    asked = Asked(before.source, known.region, known.start, known.end, known.window, known.bin_ms, (), None, 0, 0)
    _same(source, start, end, asked, str(out))
    remove_strays(before, out)
    begun = Begun(out, held_by(before, out))
    begun.clear()
    tail = _doubtful(before, known)
    if tail is None:
        say(f"{out} is whole: it was asked for when no event could come late any more.")
        return before
    size = source.size(QUERY, tail)
    _say_cost(source, f"Asking again for {tail}", size, "for counting, and what grew once more", say)
    asked_ms = to_milliseconds(datetime.now(UTC))
    proof = prove(source, QUERY, begun, tail, _period(known.bin_ms), None)
    others = [account for account in accounts_of(begun.stretches()) if account != known.account]
    if others and known.account and _is_one_account(source):
        begun.clear()
        raise SourceError(
            f"{out} is of the account {known.account}, and these credentials are of {' and '.join(others)}. Nothing "
            "was changed. Choose the profile of that account with AWS_PROFILE, or give --out another folder."
        )
    counted = None
    if proof.counted is not None:
        first = tail.start_ms // known.bin_ms * known.bin_ms
        earlier = {each: number for each, number in counts_of(before, out).items() if each < first}
        counted = earlier | dict(proof.counted)
    whole = Proof(known.window, known.bin_ms, counted, begun.counts(known.window, known.bin_ms), proof.bytes_scanned)
    collected = _collected(source, asked, whole, begun, asked_ms, known.account, before)
    return mend_case(before, out, begun, collected, _counts(whole), _doubts(whole, begun))


def _doubtful(case: Manifest, known: Collected) -> Window | None:
    """What of a case has to be asked again: all where something may be missing, else where events could come late."""
    if case.doubts:
        return known.window
    if known.unsettled_ms is None:
        return None
    # From the beginning of a bin on, so that the counts of before can be replaced.
    return Window(max(known.unsettled_ms // known.bin_ms * known.bin_ms, known.start_ms), known.end_ms)


def _plan(
    source: CloudWatchSource, begun: Begun, window: Window, start: str, end: str, say: Callable[[str], object]
) -> None:
    size = source.size(QUERY, window)
    # Once for the rows, and once for counting them.
    _say_cost(source, str(window), None if size is None else 2 * size, "for the rows and for counting them", say)
    period = source.period(window)
    asked_ms = to_milliseconds(datetime.now(UTC))
    plan = source.plan(QUERY, window, size, period)
    counts = {each.beginning: each.rows for each in plan.counted.bins} if plan.counted else None
    begun.plan(
        Asked(
            source.name,
            source.region,
            start,
            end,
            window,
            period.milliseconds,
            plan.windows,
            counts,
            plan.bytes_scanned,
            asked_ms,
        )
    )


def _say_cost(
    source: CloudWatchSource, what: str, size: int | None, purpose: str, say: Callable[[str], object]
) -> None:
    """Say what will be scanned, or refuse it."""
    if size is None:
        say(f"{what}: the service gives no estimate of what this scans.")
        return
    source.refuse_above(size)
    price = Statistics(bytes_scanned=size, dollars_per_gigabyte=source.dollars_per_gigabyte).price
    say(f"{what}: this scans about {size_text(size)}, {price}, {purpose}.")


def _same(source: CloudWatchSource, start: str, end: str, asked: Asked, where: str) -> Window:
    """The window that was begun, where the same is asked for again.

    A relative time means what it meant then: the same words go on with the same window.
    """
    if (source.name, source.region) != (asked.source, asked.region):
        raise SourceError(
            f"{where} is of {asked.source} in {asked.region}, and not of {source.name} in {source.region}. "
            "Give --out another folder."
        )
    if (start, end) != (asked.start, asked.end) and source.window(start, end) != asked.window:
        given = " ".join(f"--{name} {text}" for name, text in (("start", asked.start), ("end", asked.end)) if text)
        raise SourceError(
            f"{where} is of {asked.window}, asked for {f'with {given}' if given else 'without --start and --end'}. "
            "Give the same again to go on with it, or give --out another folder."
        )
    return asked.window


def _is_one_account(source: CloudWatchSource) -> bool:
    """Whether all events are of the caller's account; clusters of two accounts may have one name.

    ARNs name theirs, and with other credentials they are the same.
    """
    return not any(each.startswith("arn:") for each in source.groups.identifiers)


def _collected(
    source: CloudWatchSource,
    asked: Asked,
    proof: Proof,
    begun: Begun,
    asked_ms: int,
    account: str,
    before: Manifest | None = None,
) -> Collected:
    known = before.collected if before else None
    bins = (proof.counted or {}).keys() | proof.held.keys()
    scanned = begun.bytes_scanned + proof.bytes_scanned
    dollars = Statistics(bytes_scanned=scanned, dollars_per_gigabyte=source.dollars_per_gigabyte).dollars
    unsettled_ms = asked_ms - UNSETTLED_MS
    return Collected(
        start=asked.start,
        end=asked.end,
        start_ms=asked.window.start_ms,
        end_ms=asked.window.end_ms,
        region=asked.region,
        account=account,
        log_groups=known.log_groups if known else source.arns(account),
        query=QUERY,
        bin_ms=asked.bin_ms,
        bins=len(bins),
        agreed=0 if proof.counted is None else len(bins) - len(differing(proof.counted, proof.held)),
        counts="" if proof.counted is None else counts_name(before),
        asked=from_milliseconds(asked_ms).isoformat(timespec="milliseconds"),
        unsettled_ms=max(unsettled_ms, asked.window.start_ms) if asked.window.end_ms >= unsettled_ms else None,
        bytes_scanned=scanned + (known.bytes_scanned if known else 0),
        dollars=dollars + (known.dollars if known else 0),
    )


def _counts(proof: Proof) -> dict[int, int] | None:
    return None if proof.counted is None else dict(proof.counted)


def _doubts(proof: Proof, begun: Begun) -> Sequence[str]:
    """What the counts do not prove; without them also what was said of each window."""
    said = [reason for piece in begun.added for reason in piece.reasons] if proof.counted is None else []
    return [*proof.doubts, *said]


def _period(milliseconds: int) -> Period:
    return next(each for each in PERIODS if each.milliseconds == milliseconds)
