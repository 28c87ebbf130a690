"""A second evaluator of the language, as simple as it can be: dictionaries and the standard library, row by row.

It shares the parser's tree, the order of commands and the names of columns with the package, and nothing of the engine.
Where AWS documents nothing, it follows the table in `eks_audit_nb.insights`.
"""

from __future__ import annotations

import base64
import csv
import hashlib
import ipaddress
import json
import math
import re
import zoneinfo
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone
from decimal import ROUND_HALF_UP, Decimal
from enum import Enum, auto
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote_to_bytes

from eks_audit_nb.errors import QueryError
from eks_audit_nb.insights import functions, order, parse, schema, tree

RawEvent = tuple[int, str, str]  # milliseconds, stream, text
LOG = "log"  # what @log says of every event; @ptr is this and the event's number


@dataclass(frozen=True)
class Answered:
    """Columns by name, and rows of texts; None where there is no value."""

    columns: tuple[str, ...]
    rows: list[tuple[str | None, ...]]


def answer(query: str | tree.Query, events: Sequence[RawEvent], tables: Mapping[str, Path] | None = None) -> Answered:
    """What a query says about events that stand in the order of their lines.

    Raises:
        QueryError: The query cannot be answered.
    """
    parsed = parse(query) if isinstance(query, str) else query
    held = [Event(number, ms, stream, text) for number, (ms, stream, text) in enumerate(events)]
    read = {name: _read_table(path) for name, path in (tables or {}).items()}
    return Run(parsed, held, read).answer()


# --- JSON, keys that stand twice included ---------------------------------------------------------------------------


class Object(list[tuple[str, Any]]):
    """A JSON object as its pairs; of equal keys the first one counts."""

    def find(self, key: str) -> Any:
        """The value of a key; None where there is none."""
        return next((value for name, value in self if name == key), None)


def load_json(text: str) -> Any:
    """What a JSON text says; None for anything else."""
    try:
        return json.loads(text, object_pairs_hook=Object)
    except (ValueError, RecursionError):
        return None


def dump_json(value: Any) -> str:
    """JSON without white space, as it was but for the writing of numbers and escapes."""
    match value:
        case Object():
            return "{" + ",".join(f"{dump_json(key)}:{dump_json(item)}" for key, item in value) + "}"
        case list():
            return "[" + ",".join(map(dump_json, value)) + "]"
        case str():
            escaped = json.dumps(value, ensure_ascii=False)
            return re.sub(r"\\(?:u(..)(..)|.)", lambda f: f"\\u{f[1]}{f[2].upper()}" if f[1] else f[0], escaped)
        case _:
            return json.dumps(value)


@dataclass(frozen=True)
class Structure:
    """A map or a list, and its JSON."""

    text: str
    data: Any = field(compare=False)


def structure_in(text: str | None) -> Structure | None:
    """The map or the list that a text holds."""
    data = None if text is None else load_json(text)
    return Structure(text, data) if text is not None and isinstance(data, list) else None


def leaf(data: Any) -> str | None:
    """What JSON holds, as a text; None for a map, a list and null."""
    if data is None or isinstance(data, list):
        return None
    if isinstance(data, bool):
        return "1" if data else "0"
    return data if isinstance(data, str) else json.dumps(data)


@lru_cache(10_000)
def readings(name: str) -> tuple[tuple[str, ...], ...]:
    """All ways to read a dotted name as keys, the most nested ones first."""
    parts = name.split(".")
    gaps = len(parts) - 1
    found = []
    for joined in sorted(range(2**gaps), key=lambda mask: (mask.bit_count(), mask)):
        keys = [parts[0]]
        for gap, part in enumerate(parts[1:]):
            if joined >> gap & 1:
                keys[-1] += "." + part
            else:
                keys.append(part)
        found.append(tuple(keys))
    return tuple(found)


def at(data: Any, keys: Iterable[str]) -> Any:
    """What lies below keys; an index for a list."""
    for key in keys:
        if isinstance(data, Object):
            data = data.find(key)
        elif isinstance(data, list) and re.fullmatch("0|[1-9][0-9]*", key) and int(key) < len(data):
            data = data[int(key)]
        else:
            return None
    return data


def look_up(data: Any, name: str) -> str | Structure | None:
    """What a dotted name means in JSON: the first reading with a leaf, or else the first with a map or a list."""
    places = [at(data, keys) for keys in readings(name)]
    texts = [text for place in places if (text := leaf(place)) is not None]
    maps = [Structure(dump_json(place), place) for place in places if isinstance(place, list)]
    return texts[0] if texts else maps[0] if maps else None


# --- rows -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Event:
    """One event: its line, time, stream and text."""

    line: int
    timestamp_ms: int
    log_stream: str
    message: str

    @property
    def document(self) -> Any:
        """The message as JSON; None where it is no object."""
        return _document(self.message)


@lru_cache(10_000)
def _document(message: str) -> Any:
    data = load_json(message)
    return data if isinstance(data, Object) else None


@dataclass(frozen=True)
class Row:
    """One row: the event it came from, what was added to it, and its place among the rows of that event."""

    event: Event | None
    named: dict[str, Any]
    places: tuple[int, ...] = ()

    def plus(self, name: str, value: Any) -> Row:
        """The row with one value more."""
        return Row(self.event, {**self.named, name: value}, self.places)


# --- values ---------------------------------------------------------------------------------------------------------


class Kind(Enum):
    """What an expression gives, the same for every row."""

    TEXT = auto()
    MIXED = auto()  # a text, or a map or a list
    NUMBER = auto()
    BOOLEAN = auto()
    TIME = auto()  # milliseconds
    STRUCTURE = auto()


@dataclass(frozen=True)
class Value:
    """An expression: its kind, and how it is computed for a row (for a list of rows where it holds an aggregate)."""

    kind: Kind
    of: Callable[[Any], Any]

    def text(self, row: Any) -> str | None:
        """As a text: a map or a list is none."""
        return as_text(self.kind, self.of(row))

    def printed(self, row: Any) -> str | None:
        """As it stands in a result."""
        value = self.of(row)
        return value.text if isinstance(value, Structure) else as_text(self.kind, value)

    def number(self, row: Any) -> float | None:
        """As a number; None where it is none."""
        value = self.of(row)
        if value is None or isinstance(value, Structure):
            return None
        return number_in(value) if isinstance(value, str) else float(value)

    def structure(self, row: Any) -> Structure | None:
        """The map or the list that it is or that its text holds."""
        value = self.of(row)
        return value if isinstance(value, Structure) else structure_in(as_text(self.kind, value))

    def instant(self, row: Any) -> int | None:
        """As milliseconds."""
        value = self.of(row)
        if value is None or self.kind is Kind.TIME:
            return None if value is None else int(value)
        if isinstance(value, str):
            return bounded(time_in(value))
        return bounded(self.number(row))

    def holds(self, row: Any) -> bool:
        """As a condition."""
        value = self.of(row)
        if isinstance(value, str):
            return value == "true" or number_in(value) not in (None, 0)
        return value is not None and not isinstance(value, Structure) and value != 0


_NUMBER = re.compile(r"[+-]?(\d+(\.\d+)?|\.\d+)(e[+-]?\d+)?", re.ASCII | re.IGNORECASE)


def number_in(text: str) -> float | None:
    """The number that a text is."""
    value = float(text) if _NUMBER.fullmatch(text) else math.inf
    return value if math.isfinite(value) else None


def number_text(value: float) -> str:
    """A number as the service prints it."""
    return str(int(value)) if value == int(value) and abs(value) < 9e18 else repr(value)


def as_text(kind: Kind, value: Any) -> str | None:
    """A value of a kind as a text."""
    if value is None or isinstance(value, Structure):
        return None
    match kind:
        case Kind.NUMBER:
            return number_text(value)
        case Kind.BOOLEAN:
            return "1" if value else "0"
        case Kind.TIME:
            return time_text(value)
        case _:
            return str(value)


_EPOCH = datetime(1970, 1, 1)
_ISO = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)(?:[T ](\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,6})\d*)?)?)?(Z|[+-]\d\d(?::?\d\d)?)?", re.ASCII
)


def time_in(text: str) -> int | None:
    """The milliseconds of a time in ISO 8601."""
    found = _ISO.fullmatch(text)
    if not found:
        return None
    *parts, fraction, zone = found.groups()
    try:
        moment = datetime(*(int(part or 0) for part in parts))  # type: ignore[arg-type]
    except ValueError:
        return None
    minutes = 0
    if zone and zone != "Z":
        digits = zone[1:].replace(":", "")
        minutes = int(digits[:2]) * 60 + int(digits[2:] or 0)
        minutes = -minutes if zone[0] == "-" else minutes
    moment += timedelta(microseconds=int((fraction or "").ljust(6, "0")))
    return (moment - _EPOCH) // timedelta(milliseconds=1) - minutes * 60_000


def bounded(milliseconds: float | None) -> int | None:
    """A time in the years 1 to 9999; None for others."""
    if milliseconds is None or not -62_135_596_800_000 <= milliseconds <= 253_402_300_799_999:
        return None
    return math.floor(milliseconds)


def time_text(milliseconds: int) -> str:
    """A time as @timestamp is printed."""
    moment = _EPOCH + timedelta(milliseconds=milliseconds)
    return f"{moment.year:04d}{moment:-%m-%d %H:%M:%S}.{moment.microsecond // 1000:03d}"


def sort_key(kind: Kind, value: Any) -> tuple[Any, ...]:
    """Where a value stands in an ascending sort: what is missing, text by its runs, numbers."""
    if kind in (Kind.TEXT, Kind.MIXED):
        text = as_text(kind, value)
        if text is None:
            return (0,)
        number = number_in(text)
        return (1, _runs(text)) if number is None else (2, number, text)
    if isinstance(value, Structure):
        return (1, value.text)
    return (0,) if value is None else (1, value)


def _runs(text: str) -> list[tuple[int, int, str]]:
    """Digits stand where the character 0 does, by length and then by value; other characters by their code points."""
    return [
        (ord("0"), len(run), run) if run[0] in "0123456789" else (ord(run[0]), 0, run)
        for run in re.findall("[0-9]+|[^0-9]+", text)
    ]


# --- regular expressions --------------------------------------------------------------------------------------------

_PIECE = re.compile(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|\(\?P?<([^>=!]+)>|\(\??|\$", re.DOTALL)


@lru_cache(10_000)
def compiled(pattern: str) -> tuple[re.Pattern[str], tuple[str, ...]]:
    """A pattern for Python's `re`, and the names of its groups in their order, "" for one without a name."""
    names: list[str] = []

    def translate(found: re.Match[str]) -> str:
        piece = found[0]
        if found[1] or piece == "(":
            names.append(found[1] or "")
            return "("
        return r"\Z" if piece == "$" else piece

    translated = _PIECE.sub(translate, pattern)
    return re.compile(translated, re.ASCII), tuple(names)


def glob_parts(glob: str, text: str) -> list[str] | None:
    """What the stars of a glob stand for: each as little as can be, the last one at the end all that is left."""
    head, *tails = glob.split("*")
    start = text.find(head)
    if start < 0:
        return None
    place, found = start + len(head), []
    for number, tail in enumerate(tails, 1):
        end = len(text) if number == len(tails) and not tail else text.find(tail, place)
        if end < 0:
            return None
        found.append(text[place:end])
        place = end + len(tail)
    return found


# --- formats --------------------------------------------------------------------------------------------------------


def csv_values(line: str) -> list[str]:
    """The values of the first line of a CSV text."""
    values: list[str] = []
    value, is_quoted, place = "", False, 0
    while place < len(line):
        sign = line[place]
        if is_quoted:
            if sign != '"':
                value += sign
            elif line[place + 1 : place + 2] == '"':
                value += '"'
                place += 1
            else:
                is_quoted = False
        elif sign == '"' and (place == 0 or line[place - 1] == ","):
            is_quoted = True
        elif sign == ",":
            values.append(value)
            value = ""
        elif sign in "\r\n":
            break
        else:
            value += sign
        place += 1
    return [*values, value] if line[:1] not in ("", "\r", "\n") else []


def logfmt_pairs(line: str) -> dict[str, str | bool]:
    """The pairs of a logfmt line."""
    pairs: dict[str, str | bool] = {}
    rest = line
    while rest := rest.lstrip().lstrip("="):
        if rest[0].isspace():
            continue
        key = re.split(r"[\s=]", rest, maxsplit=1)[0]
        rest = rest[len(key) :]
        if not rest.startswith("="):
            pairs[key] = True
            continue
        rest = rest[1:]
        quoted = re.match(r'"((?:\\.|[^"\\])*)"', rest)
        if quoted:
            pairs[key] = re.sub(r"\\(.)", r"\1", quoted[1])
            rest = rest[quoted.end() :]
        else:
            plain = re.split(r"\s", rest, maxsplit=1)[0]
            pairs[key] = plain
            rest = rest[len(plain) :]
    return pairs


@dataclass(frozen=True)
class Table:
    """A lookup table."""

    names: list[str]
    rows: list[list[str | None]]


def _read_table(path: Path) -> Table:
    with path.open(encoding="utf-8", newline="") as lines:
        names, *rows = csv.reader(lines)
    return Table(names, [[value or None for value in row] for row in rows if row])


# --- addresses ------------------------------------------------------------------------------------------------------


def address_in(text: str | None) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """The address that a text is."""
    try:
        return None if text is None else ipaddress.ip_address(text)
    except ValueError:
        return None


def lies_in(text: str | None, block: str | None) -> bool:
    """Whether an address lies in a block."""
    address = address_in(text)
    try:
        return address is not None and block is not None and address in ipaddress.ip_network(block, strict=False)
    except ValueError:
        return False


def range_of(text: str | None) -> str:
    """Private as RFC 1918 says, public, or reserved; "" for no address."""
    address = address_in(text)
    if address is None:
        return ""
    if any(lies_in(text, block) for block in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")):
        return "private"
    return "public" if address.is_global and not address.is_multicast else "reserved"


# --- functions: values to a value -----------------------------------------------------------------------------------


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None


def calculate(operator: str, left: float | None, right: float | None) -> float | None:
    """Arithmetic; what has no result is missing."""
    if left is None or right is None:
        return None
    try:
        match operator:
            case "+":
                return _finite(left + right)
            case "-":
                return _finite(left - right)
            case "*":
                return _finite(left * right)
            case "/":
                return _finite(left / right)
            case "%":
                return _finite(math.fmod(left, right))
            case _:
                return _finite(math.pow(left, right))
    except (ArithmeticError, ValueError):
        return None


def rounded(value: float | None, places: float | None) -> float | None:
    """Half away from zero."""
    if value is None or places is None:
        return None
    whole = int(max(-300, min(300, places)))
    scale = 10.0 ** abs(whole)
    shifted = value * scale if whole >= 0 else value / scale
    if not math.isfinite(shifted):
        return value
    nearest = float(Decimal(shifted).quantize(Decimal(1), ROUND_HALF_UP)) if abs(shifted) < 1e20 else shifted
    return _finite(nearest / scale if whole >= 0 else nearest * scale)


def _whole(bits: int) -> Callable[[float | None], float | None]:
    def cut(value: float | None) -> float | None:
        bound = 2.0 ** (bits - 1)
        return None if value is None or not -bound <= math.trunc(value) < bound else float(math.trunc(value))

    return cut


def distance(*places: float | None) -> float | None:
    """The great circle in kilometres."""
    if any(place is None for place in places):
        return None
    lat, lon, lat2, lon2 = (math.radians(place) for place in places if place is not None)
    part = math.sin((lat2 - lat) / 2) ** 2 + math.cos(lat) * math.cos(lat2) * math.sin((lon2 - lon) / 2) ** 2
    return 2 * 6371 * math.asin(math.sqrt(min(1, part)))


def _extreme(pick: Callable[[Iterable[float]], float]) -> Callable[..., float | None]:
    def choose(*values: float | None) -> float | None:
        present = [value for value in values if value is not None]
        return pick(present) if present else None

    return choose


def _place(value: float | None) -> int | None:
    return None if value is None else int(min(max(value, 0), 1e9))


def substring(text: str, start: str, length: str | None = None) -> str | None:
    """A part of a text, counted from 0."""
    first = _place(number_in(start))
    if first is None:
        return None
    if length is None:
        return text[first:]
    count = _place(number_in(length))
    return None if count is None else text[first : first + count]


def _decoded(data: bytes) -> str | None:
    try:
        return data.decode()
    except ValueError:
        return None


def base64_text(text: str) -> str | None:
    """What base64 says; None where it is none, or no UTF-8."""
    try:
        return _decoded(base64.b64decode(text, validate=True))
    except ValueError:
        return None


def hex_number(text: str) -> float | None:
    """The number of hexadecimal digits."""
    found = re.fullmatch(r"(-?)(?:0x|0X)?([0-9a-fA-F]{1,255})", text)
    return None if not found else (-1 if found[1] else 1) * float(int(found[2], 16))


def hex_ascii(text: str) -> str | None:
    """The text of hexadecimal digits."""
    try:
        return bytes.fromhex(text.removeprefix("0x")).decode("ascii")
    except ValueError:
        return None


def _each(text: str, change: Callable[[str], str]) -> str:
    """Upper or lower case, character by character: one character stays one."""
    return "".join(changed if len(changed := change(sign)) == 1 else sign for sign in text)


def split_text(text: str, separator: str) -> Structure:
    """The parts of a text."""
    parts = text.split(separator) if separator else list(text)
    return listed(parts)


def listed(texts: Sequence[str]) -> Structure:
    """Texts as a list."""
    return Structure(dump_json(list(texts)), list(texts))


def replaced(text: str, old: str, new: str) -> str:
    """A text with all of one text changed into another."""
    return text.replace(old, new) if old else text


_WHITE = " \t\n\r\f\v"
# Of texts, where one that is missing makes the result missing.
TEXTS: dict[str, tuple[Callable[..., Any], Kind]] = {
    "messageSize": (lambda text: len(text.encode()), Kind.NUMBER),
    "ipv4ToNumber": (
        lambda text: int(found) if (found := address_in(text)) and found.version == 4 else None,
        Kind.NUMBER,
    ),
    "ltrim": (lambda text, signs=_WHITE: text.lstrip(signs) if signs else text, Kind.TEXT),
    "rtrim": (lambda text, signs=_WHITE: text.rstrip(signs) if signs else text, Kind.TEXT),
    "trim": (lambda text, signs=_WHITE: text.strip(signs) if signs else text, Kind.TEXT),
    "strlen": (len, Kind.NUMBER),
    "toupper": (lambda text: _each(text, str.upper), Kind.TEXT),
    "tolower": (lambda text: _each(text, str.lower), Kind.TEXT),
    "substr": (substring, Kind.TEXT),
    "replace": (replaced, Kind.TEXT),
    "urlencode": (lambda text: quote(text, safe=""), Kind.TEXT),
    "urldecode": (lambda text: _decoded(unquote_to_bytes(text)), Kind.TEXT),
    "base64encode": (lambda text: base64.b64encode(text.encode()).decode(), Kind.TEXT),
    "base64decode": (base64_text, Kind.TEXT),
    "split": (split_text, Kind.STRUCTURE),
    "hexToAscii": (hex_ascii, Kind.TEXT),
    "hexToDec": (hex_number, Kind.NUMBER),
    "md5": (lambda text: hashlib.md5(text.encode(), usedforsecurity=False).hexdigest(), Kind.TEXT),
    "sha256": (lambda text: hashlib.sha256(text.encode()).hexdigest(), Kind.TEXT),
}
# Of texts that may be missing.
OPEN_TEXTS: dict[str, tuple[Callable[..., Any], Kind]] = {
    "isempty": (lambda text: not text, Kind.BOOLEAN),
    "isblank": (lambda text: not (text or "").strip(" \t\n\r\f"), Kind.BOOLEAN),
    "concat": (lambda *texts: "".join(text for text in texts if text is not None), Kind.TEXT),
    "startsWith": (lambda text, part: None not in (text, part) and text.startswith(part), Kind.BOOLEAN),
    "endsWith": (lambda text, part: None not in (text, part) and text.endswith(part), Kind.BOOLEAN),
    "isValidIp": (lambda text: address_in(text) is not None, Kind.BOOLEAN),
    "isValidIpV4": (lambda text: isinstance(address_in(text), ipaddress.IPv4Address), Kind.BOOLEAN),
    "isValidIpV6": (lambda text: isinstance(address_in(text), ipaddress.IPv6Address), Kind.BOOLEAN),
    "isIpInSubnet": (lies_in, Kind.BOOLEAN),
    "isIpv4InSubnet": (
        lambda text, block: isinstance(address_in(text), ipaddress.IPv4Address) and lies_in(text, block),
        Kind.BOOLEAN,
    ),
    "isIpv6InSubnet": (
        lambda text, block: isinstance(address_in(text), ipaddress.IPv6Address) and lies_in(text, block),
        Kind.BOOLEAN,
    ),
    "isPrivateIP": (lambda text: range_of(text) == "private", Kind.BOOLEAN),
    "isPublicIP": (lambda text: range_of(text) == "public", Kind.BOOLEAN),
    "isReservedIP": (lambda text: range_of(text) == "reserved", Kind.BOOLEAN),
}
# Of numbers that may be missing.
NUMBERS: dict[str, tuple[Callable[..., Any], Kind]] = {
    "abs": (lambda value: None if value is None else abs(value), Kind.NUMBER),
    "ceil": (lambda value: None if value is None else float(math.ceil(value)), Kind.NUMBER),
    "floor": (lambda value: None if value is None else float(math.floor(value)), Kind.NUMBER),
    "greatest": (_extreme(max), Kind.NUMBER),
    "least": (_extreme(min), Kind.NUMBER),
    "log": (lambda value: math.log(value) if value is not None and value > 0 else None, Kind.NUMBER),
    "round": (lambda value, places=0: rounded(value, places), Kind.NUMBER),
    "sqrt": (lambda value: math.sqrt(value) if value is not None and value >= 0 else None, Kind.NUMBER),
    "haversine": (distance, Kind.NUMBER),
    "toNumber": (lambda value: value, Kind.NUMBER),
    "toDouble": (lambda value: value, Kind.NUMBER),
    "toInt": (_whole(32), Kind.NUMBER),
    "toLong": (_whole(64), Kind.NUMBER),
    "fromMillis": (bounded, Kind.TIME),
    "isNumeric": (lambda value: value is not None, Kind.BOOLEAN),
    "decToHex": (lambda value: None if value is None else hex(int(value)), Kind.TEXT),
}

_LENGTHS = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000, "w": 604_800_000}
_MONTHS = {"mo": 1, "q": 3, "y": 12}


def period_length(period: tree.Period) -> int | None:
    """Milliseconds of a period; None for months and longer."""
    length = _LENGTHS.get(period.unit)
    return None if length is None else length * functions.capped(period)


def binned(moment: int | None, period: tree.Period, *, up: bool) -> int | None:
    """The beginning of the range of time in which a moment lies, or the end where it lies behind the beginning."""
    if moment is None:
        return None
    width = period_length(period)
    if width is not None:
        return bounded(-(-moment // width) * width if up else moment // width * width)
    date = _EPOCH + timedelta(milliseconds=moment)
    step = _MONTHS[period.unit] * functions.capped(period)
    months = ((date.year - 1970) * 12 + date.month - 1) // step * step
    start = _month_start(months)
    return _month_start(months + step) if up and (start is None or start < moment) else start


def _month_start(months: int) -> int | None:
    year = 1970 + months // 12
    if not 1 <= year <= 9999:
        return None
    return (datetime(year, months % 12 + 1, 1) - _EPOCH) // timedelta(milliseconds=1)


_JAVA = {
    "yyyy": r"(?P<year>\d{4})",
    "MM": r"(?P<month>\d\d)",
    "dd": r"(?P<day>\d\d)",
    "HH": r"(?P<hour>\d\d)",
    "mm": r"(?P<minute>\d\d)",
    "ss": r"(?P<second>\d\d)",
    "SSS": r"(?P<milli>\d{3})",
    "SSSSSS": r"(?P<micro>\d{6})",
    "XXX": r"(?P<zone>Z|[+-]\d\d:\d\d)",
}


def parse_date(text: str | None, pattern: str, zone: str | None) -> int | None:
    """The milliseconds that a text means by a pattern of Java."""
    pieces = re.findall(r"'([^']*)'|(([A-Za-z])\3*)|([^A-Za-z']+)", pattern)
    wanted = "".join(_JAVA[letters] if letters else re.escape(quoted or other) for quoted, letters, _, other in pieces)
    found = re.fullmatch(wanted, text or "", re.ASCII)
    if not found:
        return None
    parts = found.groupdict()
    micro = int(parts.get("micro") or int(parts.get("milli") or 0) * 1000)
    hour, minute, second = (int(parts.get(name) or 0) for name in ("hour", "minute", "second"))
    try:
        moment = datetime(int(parts["year"]), int(parts["month"]), int(parts["day"]), hour, minute, second, micro, UTC)
    except ValueError:
        return None
    written = parts.get("zone")
    if written and written != "Z":
        sign = -1 if written[0] == "-" else 1
        shift = timedelta(hours=int(written[1:3]), minutes=int(written[4:]))
        moment = moment.replace(tzinfo=timezone(sign * shift))
    elif zone and not written:
        moment = moment.replace(tzinfo=zoneinfo.ZoneInfo(zone))
    return (moment - _EPOCH.replace(tzinfo=UTC)) // timedelta(milliseconds=1)


def format_date(moment: int | None, pattern: str, zone: str | None) -> str | None:
    """A time as a pattern of strftime says."""
    if moment is None:
        return None
    date = (_EPOCH + timedelta(milliseconds=moment)).replace(tzinfo=UTC)
    return date.astimezone(zoneinfo.ZoneInfo(zone) if zone else UTC).strftime(pattern)


# --- aggregates over the values of a group --------------------------------------------------------------------------


def percentile(numbers: list[float], share: float) -> float | None:
    """Between the two nearest values in proportion."""
    if not numbers:
        return None
    ranked = sorted(numbers)
    place = (len(ranked) - 1) * share / 100
    low = math.floor(place)
    high = min(low + 1, len(ranked) - 1)
    return _finite(ranked[low] + (ranked[high] - ranked[low]) * (place - low))


def variance(numbers: list[float]) -> float | None:
    """Of a population."""
    if not numbers:
        return None
    try:
        mean = math.fsum(numbers) / len(numbers)
        return _finite(math.fsum((number - mean) ** 2 for number in numbers) / len(numbers))
    except OverflowError:
        return None


def _total(numbers: list[float]) -> float | None:
    try:
        return math.fsum(numbers) if numbers else None
    except OverflowError:
        return None


def _mean(numbers: list[float]) -> float | None:
    total = _total(numbers)
    return None if total is None else total / len(numbers)


def _root(value: float | None) -> float | None:
    return None if value is None else math.sqrt(value)


def histogram(numbers: list[float], buckets: float) -> Structure | None:
    """Counts by ranges of equal width."""
    count = int(buckets)
    if not numbers or not 1 <= buckets <= 1000:
        return None
    low = min(numbers)
    width = (max(numbers) - low) / count or 1.0
    if not math.isfinite(width):
        return None
    hits = Counter(min(int((number - low) / width), count - 1) for number in numbers)
    edges = [low + width * number for number in range(count + 1)]
    for digits in range(6, 18):
        labels = [f"{start:.{digits}g}-{end:.{digits}g}" for start, end in pairwise(edges)]
        if len(set(labels)) == count:
            break
    counted = Object((label, hits[number]) for number, label in enumerate(labels))
    return Structure(dump_json(counted), counted)


def top(texts: list[str], most: float) -> Structure | None:
    """The most frequent texts."""
    ranked = sorted(Counter(texts).items(), key=lambda item: (-item[1], item[0]))
    return listed([text for text, _ in ranked[: int(most)]]) if texts else None


OVER_NUMBERS: dict[str, Callable[[list[float]], float | None]] = {
    "sum": _total,
    "sum_over_time": _total,
    "avg": _mean,
    "stddev": lambda numbers: _root(variance(numbers)),
    "variance": variance,
}


# --- the run --------------------------------------------------------------------------------------------------------

SYSTEM: dict[str, tuple[Kind, Callable[[Event], Any]]] = {
    "@timestamp": (Kind.TIME, lambda event: event.timestamp_ms),
    "@ingestionTime": (Kind.TIME, lambda event: event.timestamp_ms),
    "@message": (Kind.TEXT, lambda event: event.message),
    "@logStream": (Kind.TEXT, lambda event: event.log_stream),
    "@log": (Kind.TEXT, lambda _event: LOG),
    "@ptr": (Kind.TEXT, lambda event: f"{LOG}:{event.line}"),
}
Names = Callable[[tree.Field], Value]
Columns = Callable[[tree.Call], Value | None]


@dataclass(frozen=True)
class Scope:
    """How names are found: fields, columns of an earlier stats by their text, and both inside of an aggregate."""

    field: Names
    column: Columns
    inside: Scope | None = None


@dataclass
class Run:
    """One query over events: the rows so far, and the kinds of what was named."""

    query: tree.Query
    events: list[Event]
    tables: Mapping[str, Table]
    rows: list[Row] = field(default_factory=list)
    kinds: dict[str, Kind] = field(default_factory=dict)
    is_raw: bool = True
    sorted_by: tuple[tree.SortKey, ...] = ()

    def answer(self) -> Answered:
        """All commands, then the order, the cap and the columns."""
        self.rows = [Row(event, {}) for event in self.events]
        plan = order.effective(self.query)
        for command in plan.steps:
            self.apply(command)
        names = [column.name for column in schema.columns(self.query)]
        shown = [self.find(tree.Field(self.query.span, name)) for name in names]
        rows = self.ordered(self.rows, plan.keys)[: plan.limit]
        return Answered(tuple(names), [tuple(value.printed(row) for value in shown) for row in rows])

    def apply(self, command: tree.Command) -> None:
        """One command."""
        match command:
            case tree.Fields() | tree.Display():
                self.select(command.selections)
            case tree.Filter():
                condition = self.compile(command.condition)
                self.rows = [row for row in self.rows if condition.holds(row)]
            case tree.Stats():
                self.stats(command)
            case tree.Sort():
                named = [key for key in command.keys if key.name]
                self.select(tuple(tree.Selection(k.span, k.expression, k.name, is_aliased=True) for k in named))
                self.sorted_by = command.keys
            case tree.Dedup():
                self.dedup(command)
            case tree.Parse():
                self.parse(command)
            case tree.ParseCsv() | tree.ParseLogfmt() | tree.ParseJson():
                self.parse_format(command)
            case tree.Unnest(expression=expression, name=name):
                self.unnest(expression, name)
            case tree.Expand(source=source):
                self.unnest(source, source.name)
            case tree.Lookup() | tree.CidrLookup():
                self.lookup(command)
            case tree.Estimate():
                size = sum(len(event.message.encode()) for event in self.events)
                self.rows, self.kinds = [Row(None, {schema.ESTIMATE: size})], {schema.ESTIMATE: Kind.NUMBER}
                self.is_raw = False
            case tree.Unanswered():
                raise self.refuse(command, "this command is not answered")

    def refuse(self, node: tree.Node, why: str) -> QueryError:
        """The error for a place of the query."""
        return QueryError(why, self.query.text, node.span.start, node.span.end)

    def add(self, name: str, value: Value) -> None:
        """Give a value a name."""
        self.rows = [row.plus(name, value.of(row)) for row in self.rows]
        self.kinds[name] = value.kind

    def select(self, selections: tuple[tree.Selection, ...]) -> None:
        """Name values, one after the other."""
        for item in selections:
            value = self.compile(item.expression)
            if item.is_aliased or not isinstance(item.expression, tree.Field):
                self.add(item.name, value)

    # --- names ---

    def find(self, node: tree.Field) -> Value:
        """What a name means here."""
        name = node.name
        if name in self.kinds:
            return Value(self.kinds[name], lambda row: row.named[name])
        parts = name.split(".")
        for count in range(len(parts) - 1, 0, -1):
            alias = ".".join(parts[:count])
            if self.kinds.get(alias) in (Kind.STRUCTURE, Kind.MIXED):
                return self.accessed(node, self.find(tree.Field(node.span, alias)), ".".join(parts[count:]))
        if not self.is_raw:
            raise self.refuse(node, f"{name!r} is not visible after stats")
        if name in SYSTEM:
            kind, of = SYSTEM[name]
            return Value(kind, lambda row: of(row.event))
        self.check_dots(node, name)
        key = name.removeprefix("@") if name.startswith("@@") else name
        return Value(Kind.TEXT, lambda row: _only_text(look_up(row.event.document, key)))

    def check_dots(self, node: tree.Node, name: str) -> None:
        """A name with many dots has too many readings."""
        if name.count(".") > 9:
            raise self.refuse(node, "too many dots")

    def accessed(self, node: tree.Node, value: Value, path: str) -> Value:
        """What lies in a map or a list."""
        self.check_dots(node, path)

        def of(row: Any) -> Any:
            found = value.structure(row)
            return None if found is None else look_up(found.data, path)

        return Value(Kind.MIXED, of)

    def column(self, node: tree.Call) -> Value | None:
        """The column of the last stats that a call names by its text."""
        if self.is_raw:
            return None
        typed = self.query.source_of(node)
        same = [name for name in self.kinds if tree.label(name) == tree.label(typed)]
        name = typed if typed in self.kinds else next(iter(same), None)
        return None if name is None else self.find(tree.Field(node.span, name))

    def held(self, node: tree.Field) -> Value:
        """The map or list of a name: of the event too, where a map is no value otherwise."""
        value = self.find(node)
        is_of_event = self.is_raw and node.name not in self.kinds and node.name not in SYSTEM
        key = node.name.removeprefix("@") if node.name.startswith("@@") else node.name

        def of(row: Row) -> Any:
            if is_of_event and row.event is not None:
                places = (at(row.event.document, keys) for keys in readings(key))
                found = next((place for place in places if isinstance(place, list)), None)
                if found is not None:
                    return Structure(dump_json(found), found)
            return value.structure(row)

        return Value(Kind.STRUCTURE, of)

    # --- commands that add or drop rows ---

    def dedup(self, command: tree.Dedup) -> None:
        """The first row of each combination; rows that lack a value are all kept."""
        keys = [self.compile(key) for key in command.keys]
        seen: set[tuple[str | None, ...]] = set()
        kept = []
        for row in self.ordered(self.rows, self.sorted_by):
            values = tuple(key.text(row) for key in keys)
            if None in values or values not in seen:
                kept.append(row)
            seen.add(values)
        self.rows = kept

    def parse(self, command: tree.Parse) -> None:
        """Take values out of a text."""
        source = self.find(command.source)
        find: Callable[[str], list[list[str]]]
        if isinstance(command.pattern, tree.Regex):
            pattern, names = self.regex(command.pattern)
            is_by_place = len(command.names) == len(names)
            numbers = [i if is_by_place else names.index(name) for i, name in enumerate(command.names)]

            def find(text: str) -> list[list[str]]:
                matches = [[found[number + 1] or "" for number in numbers] for found in pattern.finditer(text)]
                return matches if command.is_multi else matches[:1]
        else:
            glob = command.pattern.value

            def find(text: str) -> list[list[str]]:
                parts = glob_parts(glob, text)
                return [] if parts is None else [parts]

        rows = []
        for row in self.rows:
            text = source.text(row)
            matches: list[Any] = find(text) if text is not None else []
            for place, match in enumerate(matches or [[None] * len(command.names)], 1):
                named = {**row.named, **dict(zip(command.names, match, strict=True))}
                rows.append(Row(row.event, named, (*row.places, place)))
        self.rows = rows
        self.kinds.update(dict.fromkeys(command.names, Kind.TEXT))

    def parse_format(self, command: tree.ParseCsv | tree.ParseLogfmt | tree.ParseJson) -> None:
        """CSV, logfmt and JSON."""
        source = self.find(command.source)
        match command:
            case tree.ParseCsv(names=names):
                lines = [csv_values(text) if (text := source.text(row)) is not None else [] for row in self.rows]
                for index, name in enumerate(names):
                    self.rows = [
                        row.plus(name, line[index] if index < len(line) else None)
                        for row, line in zip(self.rows, lines, strict=True)
                    ]
                    self.kinds[name] = Kind.TEXT
            case tree.ParseLogfmt(name=name):
                self.add(name, Value(Kind.STRUCTURE, lambda row: _logfmt(source.text(row))))
            case tree.ParseJson(paths=paths):
                # The field is read once: a path's name may be the field's own.
                root = [self.held(command.source).of(row) for row in self.rows]
                for path in paths:
                    self.check_dots(path, path.path)
                    self.rows = [
                        row.plus(path.name, None if held is None else look_up(held.data, path.path))
                        for row, held in zip(self.rows, root, strict=True)
                    ]
                    self.kinds[path.name] = Kind.MIXED

    def unnest(self, expression: tree.Node, name: str) -> None:
        """A row for each item."""
        value = self.compile(expression)
        held = self.held(expression) if isinstance(expression, tree.Field) else None
        rows = []
        for row in self.rows:
            found = held.of(row) if held else value.structure(row)
            if found is None:
                items: list[Any] = [value.text(row)]
            else:
                items = [found.data] if isinstance(found.data, Object) else found.data
            for place, item in enumerate(items, 1):
                kept = Structure(dump_json(item), item) if isinstance(item, list) else leaf(item)
                rows.append(Row(row.event, {**row.named, name: kept}, (*row.places, place)))
        self.rows = rows
        self.kinds[name] = Kind.MIXED

    def lookup(self, command: tree.Lookup | tree.CidrLookup) -> None:
        """Columns of a table."""
        table = self.tables.get(command.table)
        if table is None:
            raise self.refuse(command, "there is no such table")

        def index(column: str) -> int:
            if column not in table.names:
                raise self.refuse(command, "there is no such column")
            return table.names.index(column)

        wanted = [(index(output.column), output.name) for output in command.outputs]
        match: Callable[[Row], list[str | None] | None]
        if isinstance(command, tree.Lookup):
            keys = [(index(column), self.find(name)) for column, name in command.keys]

            def match(row: Row) -> list[str | None] | None:
                asked = [(number, value.text(row)) for number, value in keys]
                return next(
                    (line for line in table.rows if all(t is not None and line[n] == t for n, t in asked)), None
                )
        else:
            address, number = self.find(command.address), index(command.column) if command.column else 0

            def match(row: Row) -> list[str | None] | None:
                text = address.text(row)
                lines = [line for line in table.rows if lies_in(text, line[number])]
                widths = [ipaddress.ip_network(line[number] or "", strict=False).prefixlen for line in lines]
                return lines[widths.index(max(widths))] if lines else None

        before = {name: self.find_or_nothing(tree.Field(command.span, name)) for _, name in wanted}
        rows = []
        for row in self.rows:
            line = match(row)
            added = {name: None if line is None else line[number] for number, name in wanted}
            if command.keeps:
                added = {
                    name: kept if (kept := before[name].text(row)) is not None else new for name, new in added.items()
                }
            rows.append(Row(row.event, {**row.named, **added}, row.places))
        self.rows = rows
        self.kinds.update(dict.fromkeys(before, Kind.TEXT))

    def find_or_nothing(self, node: tree.Field) -> Value:
        """What a name means; nothing where it is not visible."""
        try:
            return self.find(node)
        except QueryError:
            return Value(Kind.TEXT, lambda _row: None)

    def stats(self, command: tree.Stats) -> None:
        """Groups and their aggregates."""
        groups: dict[str, Value] = {}
        aggregates: dict[str, Value] = {}
        by = Scope(lambda node: groups.get(node.name) or self.find(node), self.column)
        over = Scope(lambda node: aggregates.get(node.name) or by.field(node), lambda _node: None, by)
        keys: list[Value] = []
        for item in command.groups:
            value = self.compile(item.expression, by)
            if command.offset is not None and value.kind is Kind.TIME:
                value = self.shifted(value, command.offset)
            groups[item.name] = value
            keys.append(value)
        values: list[Value] = []
        for item in command.aggregates:
            aggregates[item.name] = self.compile(item.expression, over)
            values.append(aggregates[item.name])
        if (
            command.offset is not None
            and period_length(command.offset) is None
            and any(key.kind is Kind.TIME for key in keys)
        ):
            raise self.refuse(command.offset, "no length")
        found: dict[tuple[Any, ...], list[Row]] = {}
        for row in self.rows:
            found.setdefault(tuple(_plain(key, key.of(row)) for key in keys), []).append(row)
        if not keys:
            found = {(): self.rows}
        names = [item.name for item in (*command.groups, *command.aggregates)]
        self.rows = [
            Row(None, dict(zip(names, [*held, *(_plain(value, value.of(rows)) for value in values)], strict=True)))
            for held, rows in found.items()
        ]
        kinds = [Kind.TEXT if value.kind is Kind.MIXED else value.kind for value in (*keys, *values)]
        self.kinds = dict(zip(names, kinds, strict=True))
        self.is_raw, self.sorted_by = False, ()

    def shifted(self, value: Value, offset: tree.Period) -> Value:
        """A time moved by a period."""
        length = period_length(offset)
        if length is None:
            raise self.refuse(offset, "no length")
        return Value(Kind.TIME, lambda row: None if (moment := value.of(row)) is None else moment + length)

    def ordered(self, rows: list[Row], keys: tuple[tree.SortKey, ...]) -> list[Row]:
        """By the keys; then the newest event and its later line, or by all columns behind stats."""
        values = [(self.compile(key.expression), key.direction is tree.Direction.DESCENDING) for key in keys]
        rows = sorted(rows, key=lambda row: row.places)
        if self.is_raw:
            rows.sort(key=lambda row: (row.event.timestamp_ms, row.event.line) if row.event else (), reverse=True)
        else:
            rows.sort(key=lambda row: [_plain_key(kind, row.named[name]) for name, kind in self.kinds.items()])
        for value, is_descending in reversed(values):
            rows.sort(key=lambda row, value=value: sort_key(value.kind, value.of(row)), reverse=is_descending)  # type: ignore[misc]
        return rows

    # --- expressions ---

    def regex(self, node: tree.Regex) -> tuple[re.Pattern[str], tuple[str, ...]]:
        """A pattern of the query."""
        if re.search(r"\(\?<?[=!]|\\[1-9]", node.pattern):
            raise self.refuse(node, "RE2 has no look-around and no back-references")
        try:
            return compiled(node.pattern)
        except re.error:
            raise self.refuse(node, "no regular expression") from None

    def compile(self, node: tree.Node, scope: Scope | None = None) -> Value:
        """An expression."""
        scope = scope or Scope(self.find, self.column)
        match node:
            case tree.Field():
                return scope.field(node)
            case tree.String(value=text):
                return Value(Kind.TEXT, lambda _row: text)
            case tree.Number(value=number):
                return Value(Kind.NUMBER, lambda _row: number)
            case tree.Minus(operand=operand):
                negated = self.compile(operand, scope)
                return Value(Kind.NUMBER, lambda row: None if (n := negated.number(row)) is None else -n)
            case tree.Arithmetic(operator=operator):
                left, right = self.compile(node.left, scope), self.compile(node.right, scope)
                return Value(Kind.NUMBER, lambda row: calculate(operator, left.number(row), right.number(row)))
            case tree.Not() | tree.AllOf() | tree.AnyOf() | tree.Compared() | tree.Like() | tree.In() | tree.InQuery():
                return self.condition(node, scope)
            case tree.Access(operand=operand, path=path):
                return self.accessed(node, self.compile(operand, scope), path)
            case tree.Call():
                return scope.column(node) or self.call(node, scope)
            case _:
                raise self.refuse(node, "this cannot be computed")

    def condition(self, node: tree.Node, scope: Scope) -> Value:
        """What is true or false."""
        match node:
            case tree.Not(operand=operand):
                value = self.compile(operand, scope)
                return Value(Kind.BOOLEAN, lambda row: not value.holds(row))
            case tree.AllOf(terms=terms):
                all_of = [self.compile(term, scope) for term in terms]
                return Value(Kind.BOOLEAN, lambda row: all(term.holds(row) for term in all_of))
            case tree.AnyOf(terms=terms):
                any_of = [self.compile(term, scope) for term in terms]
                return Value(Kind.BOOLEAN, lambda row: any(term.holds(row) for term in any_of))
            case tree.Compared():
                return self.compared(node, scope)
            case tree.Like(operand=operand, pattern=pattern, is_negated=is_negated):
                subject = self.compile(operand, scope)
                if isinstance(pattern, tree.Regex):
                    search = self.regex(pattern)[0].search
                    return _negatable(lambda row: (t := subject.text(row)) is not None and bool(search(t)), is_negated)
                part = pattern.value
                return _negatable(lambda row: part in t if (t := subject.text(row)) is not None else False, is_negated)
            case tree.In(is_negated=is_negated):
                return _negatable(self.member(node, scope), is_negated)
            case tree.InQuery(operand=operand, is_negated=is_negated):
                subject, found = self.compile(operand, scope), self.subquery(node)
                numbers = {value for text in found if (value := number_in(text)) is not None}
                return _negatable(lambda row: subject.text(row) in found or subject.number(row) in numbers, is_negated)
        raise self.refuse(node, "no condition")

    def compared(self, node: tree.Compared, scope: Scope) -> Value:
        """Numbers where both sides are, texts otherwise; only != holds where a side is missing."""
        left, right = self.side(node.left, scope), self.side(node.right, scope)
        kinds = (left.kind, right.kind)
        words = [s for s in (node.left, node.right) if isinstance(s, tree.String) and number_in(s.value) is None]
        texts_only = bool(words) or (Kind.TIME in kinds and not {Kind.TEXT, Kind.MIXED}.isdisjoint(kinds))
        numbers_only = {Kind.TEXT, Kind.MIXED}.isdisjoint(kinds)
        sides = ((node.left, right), (node.right, left)) if node.operator in ("=", "!=") else ()
        # The bare words equal the texts of the same letters too.
        truths = [
            (word.name, other)
            for word, other in sides
            if isinstance(word, tree.Field) and word.name in ("true", "false") and other.kind in (Kind.TEXT, Kind.MIXED)
        ]

        def of(row: Any) -> bool:
            if isinstance(left.of(row), Structure) or isinstance(right.of(row), Structure):
                return node.operator == "!="  # a map or a list compares with nothing, not even as different
            if any(other.text(row) == word for word, other in truths):
                return True
            one, two = left.number(row), right.number(row)
            if not texts_only and None not in (one, two):
                return _compare(node.operator, one, two)
            first, second = left.text(row), right.text(row)
            if (numbers_only and not texts_only) or None in (first, second):
                return False
            return _compare(node.operator, first, second)

        return _negatable(of, node.operator == "!=")

    def side(self, node: tree.Node, scope: Scope) -> Value:
        """A side of a comparison: the bare words true and false are JSON's."""
        if isinstance(node, tree.Field) and node.name in ("true", "false"):
            number = 1.0 if node.name == "true" else 0.0
            return Value(Kind.NUMBER, lambda _row: number)
        return self.compile(node, scope)

    def member(self, node: tree.In, scope: Scope) -> Callable[[Any], bool]:
        """Whether a value is one of a list."""
        subject = self.compile(node.operand, scope)
        words: set[str] = set()
        numbers: set[float] = set()
        for member in node.members:
            match member:
                case tree.String(value=text):
                    words.add(text)
                    numbers |= {number} if (number := number_in(text)) is not None else set()
                case tree.Number(value=value):
                    numbers.add(value)
                case tree.Minus(operand=tree.Number(value=value)):
                    numbers.add(-value)
                case _:
                    raise self.refuse(member, "no constant")
        return lambda row: subject.text(row) in words or subject.number(row) in numbers

    def subquery(self, node: tree.InQuery) -> set[str]:
        """The values of a query in a list."""
        if any(isinstance(part, tree.InQuery) for command in node.query.commands for part in command.walk()):
            raise self.refuse(node, "a query in a query in a query")
        found = Run(node.query, self.events, self.tables).answer()
        if len(found.columns) != 1:
            raise self.refuse(node, "one column is needed")
        return {row[0] for row in found.rows if row[0] is not None}

    def call(self, node: tree.Call, scope: Scope) -> Value:
        """A function."""
        name = functions.of(node).name
        if functions.of(node).is_aggregate:
            return self.aggregate(name, node, scope.inside or scope)
        values = [self.compile(arg, scope) for arg in node.arguments if not isinstance(arg, tree.Period | tree.Star)]
        if name in NUMBERS:
            compute, kind = NUMBERS[name]
            return Value(kind, lambda row: compute(*(value.number(row) for value in values)))
        if name in OPEN_TEXTS:
            if name.endswith("InSubnet"):
                self.check_block(node.arguments[1])
            compute, kind = OPEN_TEXTS[name]
            return Value(kind, lambda row: compute(*(value.text(row) for value in values)))
        if name in TEXTS:
            compute, kind = TEXTS[name]
            return Value(kind, lambda row: None if None in (t := [v.text(row) for v in values]) else compute(*t))
        return self.special(name, node, values, scope)

    def special(self, name: str, node: tree.Call, values: list[Value], scope: Scope) -> Value:
        """The functions that are neither of texts nor of numbers alone."""
        first = values[0] if values else None
        times = [event.timestamp_ms for event in self.events]
        start, end = (min(times), max(times)) if times else (0, 0)
        match name:
            case "now" | "queryStartTime" | "queryEndTime" | "queryTimeRange":
                moments = {
                    "now": end // 1000,
                    "queryStartTime": start,
                    "queryEndTime": end,
                    "queryTimeRange": end - start,
                }
                return Value(Kind.NUMBER, lambda _row: moments[name])
            case "bin" | "datefloor" | "dateceil":
                moment = first or scope.field(tree.Field(node.span, "@timestamp"))
                period = node.arguments[-1]
                assert isinstance(period, tree.Period)
                return Value(Kind.TIME, lambda row: binned(moment.instant(row), period, up=name == "dateceil"))
            case "case":
                return self.choice(node, values)
        assert first is not None
        match name:
            case "toMillis":
                return Value(Kind.NUMBER, first.instant)
            case "parseDate":
                pattern, zone = self.constant(node, 1), self.zone(node)
                return Value(Kind.NUMBER, lambda row: parse_date(first.text(row), pattern, zone))
            case "formatDate":
                pattern, zone = self.constant(node, 1), self.zone(node)
                if "%" not in pattern:
                    raise self.refuse(node, "no letter of a date")
                return Value(Kind.TEXT, lambda row: format_date(first.instant(row), pattern, zone))
            case "ispresent":
                return Value(Kind.BOOLEAN, lambda row: first.printed(row) is not None)
            case "coalesce":
                same, kind = common(values)
                return Value(kind, lambda row: next((v for s in same if (v := s(row)) is not None), None))
            case "if":
                (yes, no), kind = common(values[1:])
                return Value(kind, lambda row: yes(row) if first.holds(row) else no(row))
            case "unmask":
                return first
            case "jsonParse":
                return Value(Kind.STRUCTURE, first.structure)
            case "jsonStringify":
                return Value(Kind.TEXT, lambda row: dump_json(s.data) if (s := first.structure(row)) else None)
            case "jsonArraySize":
                return Value(Kind.NUMBER, lambda row: _size(first.structure(row)))
            case "jsonArrayContains":
                wanted = values[1]
                return Value(Kind.BOOLEAN, lambda row: _contains(first.structure(row), wanted.text(row)))
            case "strcontains":
                fold = self.folding(node)
                part = values[1]
                return Value(
                    Kind.BOOLEAN,
                    lambda row: None not in (t := (part.text(row), first.text(row))) and fold(t[0]) in fold(t[1]),
                )
            case "regexReplace":
                replacement = values[2]
                self.constant(node, 1)
                pattern_node = node.arguments[1]
                assert isinstance(pattern_node, tree.String)
                search = self.regex(tree.Regex(pattern_node.span, pattern_node.value))[0]
                return Value(Kind.TEXT, lambda row: _replace_all(search, first.text(row), replacement.text(row)))
        raise NotImplementedError(name)

    def constant(self, node: tree.Call, index: int) -> str:
        """An argument that has to be quoted text."""
        argument = node.arguments[index]
        if not isinstance(argument, tree.String):
            raise self.refuse(argument, "no quoted text")
        return argument.value

    def check_block(self, node: tree.Node) -> None:
        """Refuse a constant that is no block of addresses."""
        try:
            ipaddress.ip_network(node.value if isinstance(node, tree.String) else "::/0", strict=False)
        except ValueError:
            raise self.refuse(node, "no block") from None

    def zone(self, node: tree.Call) -> str | None:
        """The name of a time zone."""
        if len(node.arguments) < 3:
            return None
        name = self.constant(node, 2)
        try:
            zoneinfo.ZoneInfo(name)
        except (ValueError, OSError, zoneinfo.ZoneInfoNotFoundError):
            raise self.refuse(node, "no time zone") from None
        return name

    def folding(self, node: tree.Call) -> Callable[[Any], str]:
        """How strcontains compares: its third argument asks for no difference of case."""
        if len(node.arguments) == 3:
            word = node.arguments[2]
            if not (isinstance(word, tree.Field) and word.name in ("true", "false")):
                raise self.refuse(word, "true or false")
            if word.name == "true":
                return lambda text: _each(text, str.lower)
        return str

    def choice(self, node: tree.Call, values: list[Value]) -> Value:
        """`case(condition, value, ..., default)`."""
        if len(values) > 21:
            raise self.refuse(node, "at most 10 branches")
        pairs = list(zip(values[0::2], values[1::2], strict=False))
        default = values[-1:] if len(values) % 2 else []
        results, kind = common([value for _, value in pairs] + default)
        otherwise = results[-1] if default else (lambda _row: None)
        branches = [(when, result) for (when, _), result in zip(pairs, results, strict=False)]
        return Value(kind, lambda row: next((then for when, then in branches if when.holds(row)), otherwise)(row))

    def aggregate(self, name: str, node: tree.Call, scope: Scope) -> Value:
        """A function of all rows of a group."""
        values = [self.compile(arg, scope) for arg in node.arguments if not isinstance(arg, tree.Period | tree.Star)]
        if name == "count" and not values:
            return Value(Kind.NUMBER, len)
        first = values[0]

        def texts(rows: list[Row], value: Value = first) -> list[str]:
            return [text for row in rows if (text := value.text(row)) is not None]

        def numbers(rows: list[Row]) -> list[float]:
            return [number for row in rows if (number := first.number(row)) is not None]

        if name in OVER_NUMBERS:
            over = OVER_NUMBERS[name]
            return Value(Kind.NUMBER, lambda rows: over(numbers(rows)))
        match name:
            case "count" | "count_over_time":
                return Value(Kind.NUMBER, lambda rows: len(texts(rows)))
            case "count_distinct":
                return Value(Kind.NUMBER, lambda rows: len(set(texts(rows))))
            case "min" | "max":
                return self.extreme(min if name == "min" else max, first, texts, numbers)
            case "pct":
                share = self.written_number(node, 1)
                if share > 100:
                    raise self.refuse(node, "0 to 100")
                return Value(Kind.NUMBER, lambda rows: percentile(numbers(rows), share))
            case "values":
                return Value(Kind.STRUCTURE, lambda rows: listed(sorted(set(t))) if (t := texts(rows)) else None)
            case "topk":
                most, subject = self.written_number(node, 0), values[1]
                return Value(Kind.STRUCTURE, lambda rows: top(texts(rows, subject), most))
            case "histogram":
                buckets = self.written_number(node, 1)
                return Value(Kind.STRUCTURE, lambda rows: histogram(numbers(rows), buckets))
            case "sortsFirst" | "sortsLast":
                pick = min if name == "sortsFirst" else max
                return Value(
                    Kind.TEXT,
                    lambda rows: pick(texts(rows), key=lambda text: sort_key(Kind.TEXT, text), default=None),
                )
            case "earliest" | "latest":
                return self.by_time(first, scope, node, is_last=name == "latest")
            case "rate":
                return self.rate(first, scope, node)
        raise NotImplementedError(name)

    def written_number(self, node: tree.Call, index: int) -> float:
        """An argument that has to be a number as it stands."""
        argument = node.arguments[index]
        if not isinstance(argument, tree.Number):
            raise self.refuse(argument, "a number")
        return argument.value

    def extreme(
        self,
        pick: Callable[..., Any],
        value: Value,
        texts: Callable[[list[Row]], list[str]],
        numbers: Callable[[list[Row]], list[float]],
    ) -> Value:
        """Over the values that are numbers; over text where none is."""
        if value.kind is Kind.TIME:
            return Value(
                Kind.TIME, lambda rows: pick((v for row in rows if (v := value.of(row)) is not None), default=None)
            )
        if value.kind in (Kind.TEXT, Kind.MIXED):
            return Value(
                Kind.TEXT,
                lambda rows: number_text(pick(n)) if (n := numbers(rows)) else pick(texts(rows), default=None),
            )
        return Value(Kind.NUMBER, lambda rows: pick(numbers(rows), default=None))

    def dated(
        self, value: Callable[[Row], Any], scope: Scope, node: tree.Call
    ) -> Callable[[list[Row]], list[tuple[Any, Any]]]:
        """Values with their times, in the order of time, of lines and of the rows of one event."""
        when = scope.field(tree.Field(node.span, "@timestamp"))

        def of(rows: list[Row]) -> list[tuple[Any, Any]]:
            found = [
                ((moment, row.event.line if row.event else 0, row.places, _plain_key(Kind.TEXT, kept)), moment, kept)
                for row in rows
                if (kept := value(row)) is not None and (moment := when.instant(row)) is not None
            ]
            return [(moment, kept) for _, moment, kept in sorted(found, key=lambda each: each[0])]

        return of

    def by_time(self, value: Value, scope: Scope, node: tree.Call, *, is_last: bool) -> Value:
        """The value of the first or the last row that has one."""
        dated = self.dated(lambda row: _plain(value, value.of(row)), scope, node)
        kind = Kind.TEXT if value.kind is Kind.MIXED else value.kind
        return Value(kind, lambda rows: None if not (found := dated(rows)) else found[-1 if is_last else 0][1])

    def rate(self, value: Value, scope: Scope, node: tree.Call) -> Value:
        """The change from the first value to the last one, by a period."""
        period = node.arguments[1]
        length = period_length(period) if isinstance(period, tree.Period) else None
        if length is None:
            raise self.refuse(node, "a period up to weeks")
        dated = self.dated(value.number, scope, node)

        def of(rows: list[Row]) -> float | None:
            found = dated(rows)
            if not found:
                return None
            span = (found[-1][0] - found[0][0]) / length
            return calculate("/", found[-1][1] - found[0][1], span)

        return Value(Kind.NUMBER, of)


# --- small parts ----------------------------------------------------------------------------------------------------


def common(values: list[Value]) -> tuple[list[Callable[[Any], Any]], Kind]:
    """Several values as one kind: their own where they share it, text otherwise."""
    kinds = {value.kind for value in values}
    if len(kinds) == 1 and kinds.isdisjoint({Kind.BOOLEAN, Kind.MIXED}):
        return [value.of for value in values], kinds.pop()
    return [value.printed for value in values], Kind.TEXT


def _negatable(of: Callable[[Any], bool], is_negated: bool) -> Value:
    return Value(Kind.BOOLEAN, lambda row: of(row) != is_negated)


def _compare(operator: str, left: Any, right: Any) -> bool:
    match operator:
        case "<":
            return bool(left < right)
        case "<=":
            return bool(left <= right)
        case ">":
            return bool(left > right)
        case ">=":
            return bool(left >= right)
        case _:
            return bool(left == right)


def _only_text(value: Any) -> Any:
    return None if isinstance(value, Structure) else value


def _plain(value: Value, found: Any) -> Any:
    """What stats keeps of a value: of one that may be a map or a text only the text."""
    return _only_text(found) if value.kind is Kind.MIXED else found


def _plain_key(kind: Kind, value: Any) -> tuple[Any, ...]:
    if value is None or (kind is Kind.MIXED and isinstance(value, Structure)):
        return (0,)
    return (1, value.text if isinstance(value, Structure) else value)


def _logfmt(text: str | None) -> Structure | None:
    if text is None:
        return None
    pairs = Object(logfmt_pairs(text).items())
    return Structure(dump_json(pairs), pairs)


def _size(value: Structure | None) -> int | None:
    return None if value is None or isinstance(value.data, Object) else len(value.data)


def _contains(value: Structure | None, wanted: str | None) -> bool:
    if value is None or isinstance(value.data, Object) or wanted is None:
        return False
    return wanted in [item if isinstance(item, str) else dump_json(item) for item in value.data if item is not None]


def _replace_all(pattern: re.Pattern[str], text: str | None, replacement: str | None) -> str | None:
    if text is None or replacement is None:
        return None
    return pattern.sub(lambda _found: replacement, text)
