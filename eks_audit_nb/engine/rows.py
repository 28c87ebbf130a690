"""JSON lines to rows of events in SQL: what is asked most is taken apart once, and what SQL cannot read is marked.

A line is *plain* where it is one JSON object with an auditID, a stageTimestamp as the API server writes it, and no
escaped half of a surrogate pair. Any other line is marked `odd` here, and read by `sources.lines`, which drops nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from eks_audit_nb.engine.columns import Columns, columns_of

# Fields that have a column of their own in a case: those that questions about access filter and group by.
FIELDS = (
    *("verb", "stage", "level", "auditID", "requestURI", "userAgent", "sourceIPs.0"),
    *("user.username", "user.groups.0", "user.extra.arn.0", "user.extra.canonicalArn.0"),
    *("user.extra.sessionName.0", "user.extra.accessKeyId.0", "impersonatedUser.username"),
    *("objectRef.resource", "objectRef.subresource", "objectRef.namespace", "objectRef.name", "objectRef.apiGroup"),
    *("responseStatus.code", "responseStatus.reason", "requestReceivedTimestamp", "stageTimestamp"),
    *("annotations.authorization.k8s.io/decision", "annotations.authorization.k8s.io/reason"),
)
EVERY_READING = columns_of(FIELDS)
COLUMNS = EVERY_READING.by_field
# For events without a key that joins names, as the API server writes them.
NESTED = EVERY_READING.without_joined()
NO_COLUMNS = columns_of(())

ODD = "odd"

# The beginning of every event that the API server writes itself: it proves an object with an auditID that is a text.
_BEGINNINGS = [
    f'{{"kind":"Event","apiVersion":"audit.k8s.io/v1","level":"{level}","auditID":"'
    for level in ("Metadata", "Request", "RequestResponse")
]
_TIME = r"(19[7-9]\d|2\d{3})-\d\d-\d\dT([01]\d|2[0-3]):[0-5]\d:[0-5]\d(\.\d{1,6})?Z"
# The signs of audit events, the most frequent first (counted over the sample).
_COMMON = '"eats:oinrc,u-dlpm21b.0{}f43/86kvy57g9h RT[]AwPICVSxqZzEFBDUjONM'
_SHORTEST = 4
# What Go's encoder does not write: an escaped slash, and escapes by number of other signs than <, > and &.
_ESCAPES = r"\\(/|u([^0]|0[^0]|00[^23]|002[^6]|003[^ce]))"
TRUNCATED = b"audit.k8s.io/truncated"  # the annotation of an event that was cut when it was written
_TRUNCATED = "/annotations/audit.k8s.io~1truncated"
_STAGED = "/stageTimestamp"

# What tells whether a line is plain, and when it was written; it comes first in every list of pointers.
_MARKS = [_STAGED, _TRUNCATED]

# The longest line that the database is told to expect; a longer one raises the bound for its own file.
_LONGEST = 16 * 1024 * 1024


@dataclass(frozen=True)
class Segment:
    """The lines of one input within a file of lines, from `first_line` on, with what the input says about them all."""

    first_line: int
    log: str
    log_stream: str


def of_lines(
    name: str,
    path: str,
    first_line: int,
    longest: int,
    segments: Sequence[Segment],
    *,
    columns: Columns = NO_COLUMNS,
    literals: Sequence[Sequence[str]] = (),
    has_surrogates: bool = True,
) -> tuple[str, dict[str, object]]:
    """The rows of a file of lines, each line one of JSON: SQL, and the parameters that it names.

    Args:
        name: Tells the parameters from those of other files.
        path: The file, whose name ends in .zst where it is compressed so.
        first_line: The number of its first line.
        longest: The length of its longest line, bytes.
        segments: The inputs that its lines came from.
        columns: The fields that are taken apart.
        literals: Lines without them are left out; see `can_count`.
        has_surrogates: Whether a line can hold escaped surrogates.

    Returns:
        Columns line, timestamp_ms, ingestion_ms, log_stream, log, condition, size and json, NULL where the line is no
        JSON, and those of the fields.
    """
    read = (
        f"read_json_objects($path_{name}, format = 'newline_delimited', ignore_errors = true, "
        f"maximum_object_size = $longest_{name})"
    )
    # Numbered here, so that files are read side by side.
    lines = f"SELECT CAST(json AS VARCHAR) AS json, row_number() OVER () - 1 + $first_{name} AS line FROM {read}"
    parameters: dict[str, object] = {
        f"path_{name}": path,
        f"first_{name}": first_line,
        f"longest_{name}": max(longest, _LONGEST),
    }
    if literals:
        holds, texts = can_count("json", literals, name)
        lines = f"SELECT * FROM ({lines}) WHERE {holds}"
        parameters |= texts
    sql, named = of_relation(name, f"({lines})", segments, columns=columns, has_surrogates=has_surrogates)
    return sql, parameters | named


def of_relation(
    name: str,
    relation: str,
    segments: Sequence[Segment],
    *,
    columns: Columns = NO_COLUMNS,
    has_surrogates: bool = True,
) -> tuple[str, dict[str, object]]:
    """The rows of a relation with the columns line and json; see `of_lines`."""
    log, logs = _by_segment(segments, [each.log for each in segments], f"log_{name}_")
    stream, streams = _by_segment(segments, [each.log_stream for each in segments], f"stream_{name}_")
    taken = f"SELECT *, TRY(json_extract_string(json, $pointers_{name})) AS found FROM {relation}"
    time = f"coalesce({timestamp('found')}, 0)"
    wanted = pointers_of(columns)
    state = condition("json", "found", has_surrogates=has_surrogates)
    sql = (
        f"SELECT line, {time} AS timestamp_ms, {time} AS ingestion_ms, {stream} AS log_stream, {log} AS log, "
        f"{state} AS condition, CAST(strlen(json) AS BIGINT) AS size, json"
        f"{', ' + columns.sql('json', 'found', wanted) if columns.by_field else ''} FROM ({taken})"
    )
    return sql, {f"pointers_{name}": wanted, **logs, **streams}


def can_count(json: str, literals: Sequence[Sequence[str]], name: str) -> tuple[str, dict[str, object]]:
    """Whether a line can hold, for each entry, at least one of its texts: SQL, and the parameters that it names.

    A line that escapes more than it has to can hold a text in other signs, so it always can.
    """
    parameters: dict[str, object] = {}
    terms = []
    for number, alternatives in enumerate(literals):
        found = []
        for index, text in enumerate(alternatives):
            parameters[f"literal_{name}_{number}_{index}"] = _needle(text)
            found.append(f"contains({json}, $literal_{name}_{number}_{index})")
        terms.append(f"({' OR '.join(found)})")
    has_them = " AND ".join(terms) or "true"
    return rf"({has_them} OR (contains({json}, '\') AND regexp_matches({json}, '{_ESCAPES}')))", parameters


def condition(json: str, found: str, *, has_surrogates: bool = True) -> str:
    """Empty for a plain line, "truncated" for one that was cut when it was written, "odd" for the rest."""
    begins = " OR ".join(f"starts_with({json}, '{beginning}')" for beginning in _BEGINNINGS)
    is_event = f"({begins} OR TRY(json_type({json}, '/auditID')) = 'VARCHAR')"
    is_sound = rf"NOT contains({json}, '\ud') AND NOT contains({json}, '\uD')" if has_surrogates else "true"
    return (
        f"CASE WHEN {timestamp(found)} IS NOT NULL AND {is_sound} AND {is_event} "
        f"THEN CASE WHEN {_mark(found, _TRUNCATED)} = 'true' THEN 'truncated' ELSE '' END ELSE '{ODD}' END"
    )


def timestamp(found: str) -> str:
    """When the event was written, milliseconds; NULL where that is not written as the API server does."""
    text = _mark(found, _STAGED)
    return f"CASE WHEN regexp_full_match({text}, '{_TIME}') THEN epoch_us(TRY_CAST({text} AS TIMESTAMPTZ)) // 1000 END"


def pointers_of(columns: Columns) -> list[str]:
    """What is looked up in each event: its marks, and the readings of the columns."""
    return list(dict.fromkeys([*_MARKS, *columns.pointers]))


def _mark(found: str, pointer: str) -> str:
    return f"{found}[{_MARKS.index(pointer) + 1}]"


def _needle(text: str) -> str:
    """The end of a text that is found soonest: a search looks for the first sign, so it should be a rare one."""
    return max((text[start:] for start in range(max(1, len(text) - _SHORTEST + 1))), key=lambda end: rarity(end[:1]))


def rarity(sign: str) -> int:
    """The greater, the rarer a sign is in audit events."""
    place = _COMMON.find(sign)
    return len(_COMMON) if place < 0 else place


def _by_segment(segments: Sequence[Segment], values: Sequence[str], name: str) -> tuple[str, dict[str, object]]:
    parameters: dict[str, object] = {f"{name}{number}": value for number, value in enumerate(values)}
    cases = ""
    for number in reversed(range(1, len(segments))):
        parameters[f"{name}from{number}"] = segments[number].first_line
        cases += f"WHEN line >= ${name}from{number} THEN ${name}{number} "
    return (f"CASE {cases}ELSE ${name}0 END" if cases else f"${name}0"), parameters
