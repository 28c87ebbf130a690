"""The objects under a prefix: all of them, and which are logs that are wanted."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from eks_audit_nb.errors import S3Error
from eks_audit_nb.insights.nearness import nearest
from eks_audit_nb.reading.finding import WRITE_TEST, is_named_like_a_log
from eks_audit_nb.sources.s3.bucket import Bucket, OddAnswerError
from eks_audit_nb.window import Window

ACTION = "s3:ListBucket"
# An object holds nothing that came after it was written, by clocks that differ by no more than this.
_CLOCKS = timedelta(hours=1)
_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Entry:
    """An object as it was listed; `etag` stands for this very content."""

    key: str
    size: int
    modified: datetime
    etag: str


@dataclass(frozen=True)
class Listed:
    """The objects to be read, by key, and a sentence for each kind that is not."""

    entries: tuple[Entry, ...]
    left_out: tuple[str, ...]


def listed(bucket: Bucket, prefix: str, window: Window | None) -> Listed:
    """The logs under a prefix.

    A prefix is a folder or an object where there is one of that name, else the beginning of names.

    Args:
        bucket: Where.
        prefix: "" for the whole bucket.
        window: What is wanted; None for all.

    Raises:
        S3Error: S3 refuses, or there is no log; the message has the nearest names.
    """
    found = _entries(bucket, prefix)
    if not found:
        raise S3Error(_nothing(bucket, prefix))
    left_out: list[str] = []
    for is_kept, what in _sieves(prefix, found, window):
        passed_over = [entry for entry in found if not is_kept(entry)]
        if passed_over:
            found = [entry for entry in found if is_kept(entry)]
            left_out.append(f"{counted(len(passed_over))} {what}, such as {bucket.uri(passed_over[0].key)}.")
    if not found:
        raise S3Error(f"{bucket.uri(prefix)} holds no log that is wanted. Left out: {' '.join(left_out)}")
    return Listed(tuple(found), tuple(left_out))


def counted(number: int) -> str:
    """So many objects."""
    return "1 object" if number == 1 else f"{number:,} objects"


def _sieves(prefix: str, found: Sequence[Entry], window: Window | None) -> list[tuple[Callable[[Entry], bool], str]]:
    """What is kept, with the words for what is not."""
    folder = prefix if not prefix or prefix.endswith("/") else f"{prefix}/"

    def is_inside(entry: Entry) -> bool:
        return entry.key == prefix or entry.key.startswith(folder)

    sieves: list[tuple[Callable[[Entry], bool], str]] = []
    if any(map(is_inside, found)):
        sieves.append((is_inside, f"whose name only begins with {prefix.rpartition('/')[2]!r}"))
    sieves += [
        (lambda entry: entry.size > 0 or not entry.key.endswith("/"), "that only stands for a folder"),
        (lambda entry: not _named(entry, WRITE_TEST), "that CloudWatch writes to see whether it may"),
        (lambda entry: entry.key == prefix or is_named_like_a_log(_name(entry)), "not named like a log"),
    ]
    if window is not None:
        first = window.start - _CLOCKS
        sieves.append((lambda entry: entry.modified >= first, f"written before {first:%Y-%m-%d %H:%M} UTC"))
    return sieves


def _name(entry: Entry) -> str:
    return entry.key.rpartition("/")[2]


def _named(entry: Entry, name: str) -> bool:
    return _name(entry) == name


# --- pages ----------------------------------------------------------------------------------------------------------


def _entries(bucket: Bucket, prefix: str) -> list[Entry]:
    """All objects whose key begins so, by key; no page is lost, cut or counted twice without a word."""
    found: dict[str, Entry] = {}
    request: dict[str, Any] = {"Bucket": bucket.name, "Prefix": prefix}

    def page() -> tuple[list[Entry], str]:
        answer = bucket.client.list_objects_v2(**request)
        entries = [_entry(each) for each in answer.get("Contents", ())]
        token = answer.get("NextContinuationToken", "")
        if answer.get("KeyCount") != len(entries) or answer.get("IsTruncated") != bool(token):
            raise OddAnswerError(
                f"a page of {len(entries):,} objects says KeyCount {answer.get('KeyCount')}, "
                f"IsTruncated {answer.get('IsTruncated')}"
            )
        repeated = [entry.key for entry in entries if entry.key in found]
        if repeated or (token and token == request.get("ContinuationToken")):
            raise OddAnswerError("a page came twice")
        return entries, token

    while True:
        entries, token = bucket.ask(page, ACTION, prefix)
        found |= {entry.key: entry for entry in entries}
        if not token:
            return [found[key] for key in sorted(found)]
        request["ContinuationToken"] = token


def _entry(answer: dict[str, Any]) -> Entry:
    return Entry(answer["Key"], answer["Size"], answer["LastModified"], answer.get("ETag", ""))


# --- nothing --------------------------------------------------------------------------------------------------------


def _nothing(bucket: Bucket, prefix: str) -> str:
    """That there is no object, and what there is instead."""
    text = f"There is no object under {bucket.uri(prefix)}."
    if any(sign in prefix for sign in "*?["):
        text += " Patterns are not understood here: give a folder, or what the names begin with."
    parent = prefix.rstrip("/")
    while parent:
        parent, _, missing = parent.rpartition("/")
        folder = f"{parent}/" if parent else ""
        try:
            names = _names_in(bucket, folder)
        except S3Error:  # who may list this prefix need not be one who may list what is above it
            return text
        if names:
            near = nearest(missing, names)
            guess = f" Did you mean {bucket.uri(folder + near)}?" if near else ""
            shown = ", ".join(names[:_SHOWN]) + (", ..." if len(names) > _SHOWN else "")
            return f"{text}{guess} Under {bucket.uri(folder)} there are: {shown}"
    return f"{text} The bucket is empty."


def _names_in(bucket: Bucket, folder: str) -> list[str]:
    """The folders in a folder and the objects, as far as one page has them."""

    def page() -> list[str]:
        answer = bucket.client.list_objects_v2(Bucket=bucket.name, Prefix=folder, Delimiter="/")
        found = [each["Prefix"] for each in answer.get("CommonPrefixes", ())]
        found += [each["Key"] for each in answer.get("Contents", ())]
        if answer.get("KeyCount") != len(found):
            raise OddAnswerError(f"a page of {len(found):,} names says KeyCount {answer.get('KeyCount')}")
        return [name for each in found if (name := each.removeprefix(folder))]

    return bucket.ask(page, ACTION, folder)
