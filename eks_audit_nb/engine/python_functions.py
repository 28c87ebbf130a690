"""What SQL cannot say and the standard library can: addresses, digests, hexadecimal text, histograms.

Each is registered with DuckDB under its own name. They are called for distinct values mostly, so results are kept.
"""

from __future__ import annotations

import csv
import io
import ipaddress
import json
import math
import re
from collections import Counter
from collections.abc import Callable
from functools import lru_cache, wraps
from itertools import pairwise
from typing import Any

import duckdb

_CACHED = 65_536
_LARGEST_BUCKETS = 1_000


@lru_cache(_CACHED)
def ip_version(text: str) -> int | None:
    """4, 6, or None for what is no address."""
    try:
        return ipaddress.ip_address(text).version
    except ValueError:
        return None


@lru_cache(_CACHED)
def ip_in_subnet(text: str, subnet: str) -> bool | None:
    """Whether an address lies in a block in CIDR notation; None where either is not valid."""
    try:
        return ipaddress.ip_address(text) in ipaddress.ip_network(subnet, strict=False)
    except (ValueError, TypeError):
        return None


@lru_cache(_CACHED)
def ip_number(text: str) -> int | None:
    """An IPv4 address as a number."""
    return int(ipaddress.IPv4Address(text)) if ip_version(text) == 4 else None


_PRIVATE = tuple(map(ipaddress.ip_network, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")))


@lru_cache(_CACHED)
def ip_range(text: str) -> str | None:
    """The range of an address: private (RFC 1918), public (routable), reserved (the rest); None for no address."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    if any(address in network for network in _PRIVATE if network.version == address.version):
        return "private"
    return "public" if address.is_global and not address.is_multicast else "reserved"


@lru_cache(_CACHED)
def hex_to_ascii(text: str) -> str | None:
    """The text that hexadecimal digits spell in ASCII, with or without 0x; None for anything else."""
    try:
        return bytes.fromhex(text.removeprefix("0x")).decode("ascii")
    except ValueError:
        return None


@lru_cache(_CACHED)
def hex_to_decimal(text: str) -> float | None:
    """The number that hexadecimal digits spell, with or without a sign and 0x."""
    sign, digits = (-1.0, text[1:]) if text.startswith("-") else (1.0, text)
    digits = digits.removeprefix("0x").removeprefix("0X")
    if not digits or not all(digit in "0123456789abcdefABCDEF" for digit in digits) or len(digits) > 255:
        return None
    return sign * float(int(digits, 16))


@lru_cache(_CACHED)
def decimal_to_hex(number: float) -> str:
    """A number without its fraction as 0x and lower-case digits, a negative one as -0x."""
    return hex(int(number))


def histogram(values: list[float | None], buckets: float) -> str | None:
    """How many values lie in each of so many ranges of equal width, as a JSON map from the range to the count."""
    numbers = [value for value in values if value is not None]
    count = int(buckets) if 1 <= buckets <= _LARGEST_BUCKETS else 0
    if not numbers or not count:
        return None
    low, high = min(numbers), max(numbers)
    width = (high - low) / count or 1.0
    if math.isinf(width):
        return None
    counts = [0] * count
    for value in numbers:
        counts[min(int((value - low) / width), count - 1)] += 1
    edges = [low + width * i for i in range(count + 1)]
    for digits in range(6, 18):  # as many as tell the ranges apart
        labels = [f"{start:.{digits}g}-{end:.{digits}g}" for start, end in pairwise(edges)]
        if len(set(labels)) == count:
            break
    return json.dumps(dict(zip(labels, counts, strict=True)), separators=(",", ":"))


def top_values(values: list[str | None], most: float) -> str | None:
    """The most frequent values as a JSON list, the most frequent first, equally frequent ones in their own order."""
    counts = Counter(value for value in values if value is not None)
    if not counts:
        return None
    ranked = sorted(counts, key=lambda value: (-counts[value], value))
    return json.dumps(ranked[: max(0, int(most))], ensure_ascii=False, separators=(",", ":"))


@lru_cache(_CACHED)
def csv_fields(line: str) -> list[str]:
    """The values of a line of CSV, quotes taken off."""
    rows = list(csv.reader(io.StringIO(line, newline="")))
    return rows[0] if rows else []


_PAIR = re.compile(r'([^\s=]+)(?:(=)("(?:\\.|[^"\\])*"|\S*))?')


@lru_cache(_CACHED)
def logfmt_map(line: str) -> str:
    """The key=value pairs of a line as a JSON map; a key without a value is true."""
    pairs = {}
    for key, sign, written in _PAIR.findall(line):
        is_quoted = len(written) > 1 and written[0] == written[-1] == '"'
        value = re.sub(r"\\(.)", r"\1", written[1:-1]) if is_quoted else written
        pairs[key] = value if sign else True
    return json.dumps(pairs, ensure_ascii=False, separators=(",", ":"))


def first_fields(document: str, count: int) -> str:
    """An event cut down to its first leaves in the order of the text, which are all that the service discovers."""
    left = count

    def cut(value: Any) -> str:
        nonlocal left
        if isinstance(value, dict):
            pairs = (f"{_json(key)}:{cut(each)}" for key, each in value.items() if left > 0)
            return f"{{{','.join(pairs)}}}"
        if isinstance(value, list):
            return f"[{','.join(cut(each) for each in value if left > 0)}]"
        left -= 1
        return str(value) if isinstance(value, _NumberText) else _json(value)

    return cut(json.loads(document, object_pairs_hook=_first_ones, parse_int=_NumberText, parse_float=_NumberText))


class _NumberText(str):
    """A number as it is written, which a double may not hold."""

    __slots__ = ()


def _first_ones(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Of equal keys the first one, which is the one that is read."""
    found: dict[str, Any] = {}
    for key, value in pairs:
        found.setdefault(key, value)
    return found


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


_FUNCTIONS: dict[str, tuple[Callable[..., Any], list[str], str]] = {
    "ip_version": (ip_version, ["VARCHAR"], "INTEGER"),
    "ip_in_subnet": (ip_in_subnet, ["VARCHAR", "VARCHAR"], "BOOLEAN"),
    "ip_number": (ip_number, ["VARCHAR"], "BIGINT"),
    "ip_range": (ip_range, ["VARCHAR"], "VARCHAR"),
    "hex_to_ascii": (hex_to_ascii, ["VARCHAR"], "VARCHAR"),
    "hex_to_decimal": (hex_to_decimal, ["VARCHAR"], "DOUBLE"),
    "decimal_to_hex": (decimal_to_hex, ["DOUBLE"], "VARCHAR"),
    "histogram_of": (histogram, ["DOUBLE[]", "DOUBLE"], "VARCHAR"),
    "top_values": (top_values, ["VARCHAR[]", "DOUBLE"], "VARCHAR"),
    "csv_fields": (csv_fields, ["VARCHAR"], "VARCHAR[]"),
    "logfmt_map": (logfmt_map, ["VARCHAR"], "VARCHAR"),
    "first_fields": (first_fields, ["VARCHAR", "INTEGER"], "VARCHAR"),
}


def register(connection: duckdb.DuckDBPyConnection) -> None:
    """Make the functions known to a connection."""
    for name, (function, arguments, returned) in _FUNCTIONS.items():
        # Without "special" DuckDB takes no NULL for an answer; with it, it asks about NULL too.
        of_present: Any = _of_present(function)
        types: Any = (arguments, returned)  # by their names
        handling: Any = "special"
        connection.create_function(name, of_present, *types, null_handling=handling)


def _of_present(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function where all arguments are there, None elsewhere."""

    @wraps(function)  # DuckDB counts the arguments
    def call(*arguments: Any) -> Any:
        return None if any(argument is None for argument in arguments) else function(*arguments)

    return call
