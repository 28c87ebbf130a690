"""The functions of the language as SQL, one table row a function; aggregates are in `aggregates`.

Names, arguments and types are in `insights.functions`. Semantics: CloudWatch Logs User Guide, "Boolean, comparison,
numeric, datetime, and other functions" (autumn 2026).
"""

from __future__ import annotations

import ipaddress
import re
import zoneinfo
from collections.abc import Callable

from eks_audit_nb.engine.dates import strftime_pattern, strptime_pattern
from eks_audit_nb.engine.values import Arguments, Kind, Value, common, condition, instant, printed, refusal, structure
from eks_audit_nb.errors import QueryError
from eks_audit_nb.insights import functions, regex, tree

Build = Callable[[Arguments], Value]

_WHITE_SPACE = " \t\n\r\f\v"
_MILLISECONDS = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000, "w": 604_800_000}
_MONTHS = {"mo": 1, "q": 3, "y": 12}


def _numeric(sql: str) -> Build:
    """SQL over the arguments as numbers; what is no number in the end is missing."""
    return lambda given: Value(f"finite({sql.format(*given.numbers, all=', '.join(given.numbers))})", Kind.NUMBER)


def _textual(sql: str, kind: Kind) -> Build:
    """SQL over the arguments as texts."""
    return lambda given: Value(sql.format(*given.texts, all=", ".join(given.texts)), kind)


def _test(sql: str) -> Build:
    """A question about texts; missing text is an answer of no."""
    return _textual(f"coalesce({sql}, false)", Kind.BOOLEAN)


def _in_subnet(sql: str) -> Build:
    def build(given: Arguments) -> Value:
        block = given.nodes[1]
        if isinstance(block, tree.String):
            try:
                ipaddress.ip_network(block.value, strict=False)
            except ValueError:
                message = f"{block.value!r} is no block of addresses"
                raise refusal(given.scope, block, message, 'As in "10.0.0.0/8" or "2001:db8::/32".') from None
        return _test(sql)(given)

    return build


def _trim(name: str) -> Build:
    def build(given: Arguments) -> Value:
        texts = given.texts
        if len(texts) == 1:  # DuckDB's own default is blanks only
            texts.append(given.scope.bind(_WHITE_SPACE))
        return Value(f"{name}({', '.join(texts)})", Kind.TEXT)

    return build


def _substr(given: Arguments) -> Value:
    start, *length = (f"position_of({each})" for each in given.numbers[1:])
    return Value(f"substring({', '.join([given.texts[0], f'{start} + 1', *length])})", Kind.TEXT)


def _contains(given: Arguments) -> Value:
    subject, wanted = given.texts[:2]
    if len(given.nodes) == 3:
        is_folded = given.nodes[2]
        if not (isinstance(is_folded, tree.Field) and is_folded.name in ("true", "false")):
            raise refusal(given.scope, is_folded, "The third argument of strcontains is true or false", "")
        if is_folded.name == "true":
            subject, wanted = f"lower({subject})", f"lower({wanted})"
    return Value(f"coalesce(contains({subject}, {wanted}), false)", Kind.BOOLEAN)


def _regex_replace(given: Arguments) -> Value:
    found = regex.groups(given.constant(1, "The pattern of regexReplace"))
    replacement, node = given.texts[2], given.nodes[2]
    if isinstance(node, tree.String):
        for sign in re.findall(r"\\(.?)", node.value, re.DOTALL):
            if sign != "\\" and not (sign.isdecimal() and int(sign) <= found.count):
                hint = r"A backslash stands before the number of a group, as in \1, or before another backslash."
                raise refusal(given.scope, node, f"The pattern has no group \\{sign}", hint)
    else:  # what an event holds is text, whatever signs it has
        replacement = f"replace({replacement}, '\\', '\\\\')"
    return Value(f"regexp_replace({given.texts[0]}, {given.scope.bind(found.pattern)}, {replacement}, 'g')", Kind.TEXT)


# --- general --------------------------------------------------------------------------------------------------------


def _coalesce(given: Arguments) -> Value:
    values, kind = common(given.values)
    return Value(f"coalesce({', '.join(values)})", kind)


def _if(given: Arguments) -> Value:
    when, then, otherwise = given.values
    (yes, no), kind = common([then, otherwise])
    return Value(f"CASE WHEN {condition(when)} THEN {yes} ELSE {no} END", kind)


def _case(given: Arguments) -> Value:
    if len(given.values) > 21:
        raise refusal(given.scope, given.nodes[20], "case() takes at most 10 branches", "Nest another case() in it.")
    has_default = len(given.values) % 2 == 1
    conditions = given.values[0 : len(given.values) - has_default : 2]
    results = [*given.values[1::2], *([given.values[-1]] if has_default else [])]
    values, kind = common(results)
    whens = "".join(f" WHEN {condition(when)} THEN {value}" for when, value in zip(conditions, values, strict=False))
    otherwise = f" ELSE {values[-1]}" if has_default else ""
    return Value(f"CASE{whens}{otherwise} END", kind)


def _moment(name: str, divisor: int = 1) -> Build:
    return lambda given: Value(f"CAST({given.scope.bind(given.scope.moment(name) // divisor)} AS DOUBLE)", Kind.NUMBER)


def _range(given: Arguments) -> Value:
    width = given.scope.moment("end") - given.scope.moment("start")
    return Value(f"CAST({given.scope.bind(width)} AS DOUBLE)", Kind.NUMBER)


def _whole(bits: int) -> Build:
    """A number without its fraction, missing where so many bits cannot hold it."""
    return lambda given: Value(f"whole_of({given.numbers[0]}, {2.0 ** (bits - 1)!r})", Kind.NUMBER)


# --- JSON -----------------------------------------------------------------------------------------------------------


def _json_parse(given: Arguments) -> Value:
    return Value(structure(given.values[0]), Kind.STRUCTURE)


def _json_stringify(given: Arguments) -> Value:
    return Value(f"CAST(TRY(json({structure(given.values[0])})) AS VARCHAR)", Kind.TEXT)


def _json_array_size(given: Arguments) -> Value:
    return Value(f"list_size_of({structure(given.values[0])})", Kind.NUMBER)


def _json_array_contains(given: Arguments) -> Value:
    wanted = given.texts[1]
    return Value(f"coalesce(list_contains(list_texts_of({structure(given.values[0])}), {wanted}), false)", Kind.BOOLEAN)


# --- times ----------------------------------------------------------------------------------------------------------


def _zone(given: Arguments, index: int) -> str | None:
    if len(given.nodes) <= index:
        return None
    name = given.constant(index, "A time zone")
    try:
        zoneinfo.ZoneInfo(name)
    except (ValueError, OSError, zoneinfo.ZoneInfoNotFoundError):
        node = given.nodes[index]
        raise refusal(given.scope, node, f"There is no time zone {name!r}", 'As in "UTC" or "Europe/Berlin".') from None
    return given.scope.bind(name)


def _parse_date(given: Arguments) -> Value:
    java = given.constant(1, "The pattern of parseDate")
    pattern = strptime_pattern(java)
    if pattern is None:
        hint = "Letters of Java's DateTimeFormatter, as in \"yyyy-MM-dd'T'HH:mm:ss.SSS\"."
        raise refusal(given.scope, given.nodes[1], f"The date pattern {java!r} cannot be read here", hint)
    # Java's X reads Z as well as +00:00.
    patterns = [pattern, pattern.replace("%z", "Z")] if "X" in java else [pattern]
    parsed = f"try_strptime({given.texts[0]}, {given.scope.bind(patterns)})"
    zone = _zone(given, 2)
    if zone is not None and "%z" not in pattern:
        parsed = f"timezone({zone}, {parsed})"
    return Value(f"epoch_ms({parsed})", Kind.NUMBER)


def _format_date(given: Arguments) -> Value:
    written = given.constant(1, "The pattern of formatDate")
    pattern = strftime_pattern(written) if "%" in written else None
    if pattern is None:
        java = strptime_pattern(written) or ""  # which has the same letters as far as it has letters
        meant = java if "%" in java else "%Y-%m-%d %H:%M:%S"
        hint = f'Letters of strftime stand behind %, as in "{meant}".'
        raise refusal(given.scope, given.nodes[1], f"The date pattern {written!r} cannot be written here", hint)
    moment = f"epoch_ms(CAST({instant(given.values[0])} AS BIGINT))"
    zone = _zone(given, 2)
    if zone is not None:
        moment = f"timezone({zone}, timezone('UTC', {moment}))"
    return Value(f"strftime({moment}, {given.scope.bind(pattern)})", Kind.TEXT)


def _period(name: str) -> Build:
    def build(given: Arguments) -> Value:
        last = given.nodes[-1]
        assert isinstance(last, tree.Period)  # noqa: S101  # `usage.check` has seen to it
        source = given.values[0] if given.values else _timestamp(last, given)
        return Value(_binned(instant(source), last, given, up=name == "dateceil"), Kind.TIME)

    return build


def _timestamp(period: tree.Period, given: Arguments) -> Value:
    try:
        return given.scope.field(tree.Field(period.span, "@timestamp"))
    except QueryError as error:
        step = given.scope.query.source_of(period)
        hint = f"Carry it along: stats ..., max(@timestamp) as @t by ... and then datefloor(@t, {step})."
        raise refusal(given.scope, period, error.message, hint) from None


def _binned(moment: str, period: tree.Period, given: Arguments, *, up: bool) -> str:
    count = functions.capped(period)
    if period.unit in _MILLISECONDS:
        width = given.scope.bind(count * _MILLISECONDS[period.unit])
        bins = f"CAST(floor(CAST({moment} AS DOUBLE) / {width}) AS BIGINT)"
        step = f"CASE WHEN {bins} * {width} < {moment} THEN {bins} + 1 ELSE {bins} END" if up else bins
        return f"time_of(({step}) * {width})"
    width = given.scope.bind(count * _MONTHS[period.unit])
    months = f"(floor(datediff('month', TIMESTAMP '1970-01-01', epoch_ms({moment})) / {width}) * {width})"
    floor = f"epoch_ms(TIMESTAMP '1970-01-01' + to_months(CAST({months} AS INTEGER)))"
    if not up:
        return f"time_of({floor})"
    above = f"epoch_ms(TIMESTAMP '1970-01-01' + to_months(CAST({months} + {width} AS INTEGER)))"
    return f"time_of(CASE WHEN {floor} < {moment} THEN {above} ELSE {floor} END)"


def milliseconds(period: tree.Period) -> int | None:
    """The length of a period; None for one in months, which are not all alike."""
    factor = _MILLISECONDS.get(period.unit)
    return None if factor is None else functions.capped(period) * factor


FUNCTIONS: dict[str, Build] = {
    # numbers
    "abs": _numeric("abs({0})"),
    "ceil": _numeric("ceil({0})"),
    "floor": _numeric("floor({0})"),
    "greatest": _numeric("greatest({all})"),
    "least": _numeric("least({all})"),
    "log": _numeric("log_of({0})"),
    "round": lambda given: Value(
        f"finite(round({given.numbers[0]}, places_of({given.numbers[1] if len(given.values) > 1 else '0'})))",
        Kind.NUMBER,
    ),
    "sqrt": _numeric("root_of({0})"),
    "haversine": _numeric("distance_of({all})"),
    "toNumber": _numeric("{0}"),
    "toInt": _whole(32),
    "toLong": _whole(64),
    "toDouble": _numeric("{0}"),
    # times
    "bin": _period("bin"),
    "datefloor": _period("datefloor"),
    "dateceil": _period("dateceil"),
    "fromMillis": lambda given: Value(f"time_of({given.numbers[0]})", Kind.TIME),
    "toMillis": lambda given: Value(instant(given.values[0]), Kind.NUMBER),
    "now": _moment("now", 1000),
    "parseDate": _parse_date,
    "formatDate": _format_date,
    # general
    "ispresent": lambda given: Value(f"({printed(given.values[0])} IS NOT NULL)", Kind.BOOLEAN),
    "coalesce": _coalesce,
    "case": _case,
    "if": _if,
    "isNumeric": lambda given: Value(f"({given.numbers[0]} IS NOT NULL)", Kind.BOOLEAN),
    "messageSize": _textual("strlen({0})", Kind.NUMBER),
    "queryStartTime": _moment("start"),
    "queryEndTime": _moment("end"),
    "queryTimeRange": _range,
    "unmask": lambda given: given.values[0],
    # JSON
    "jsonParse": _json_parse,
    "jsonStringify": _json_stringify,
    "jsonArraySize": _json_array_size,
    "jsonArrayContains": _json_array_contains,
    # addresses
    "isValidIp": _textual("(ip_version({0}) IS NOT NULL)", Kind.BOOLEAN),
    "isValidIpV4": _test("ip_version({0}) = 4"),
    "isValidIpV6": _test("ip_version({0}) = 6"),
    "isIpInSubnet": _in_subnet("ip_in_subnet({0}, {1})"),
    "isIpv4InSubnet": _in_subnet("ip_version({0}) = 4 AND ip_in_subnet({0}, {1})"),
    "isIpv6InSubnet": _in_subnet("ip_version({0}) = 6 AND ip_in_subnet({0}, {1})"),
    "ipv4ToNumber": _textual("ip_number({0})", Kind.NUMBER),
    "isPrivateIP": _test("ip_range({0}) = 'private'"),
    "isPublicIP": _test("ip_range({0}) = 'public'"),
    "isReservedIP": _test("ip_range({0}) = 'reserved'"),
    # text
    "isempty": _textual("(coalesce({0}, '') = '')", Kind.BOOLEAN),
    "isblank": _textual(r"regexp_full_match(coalesce({0}, ''), '\s*')", Kind.BOOLEAN),
    "concat": _textual("concat({all})", Kind.TEXT),
    "ltrim": _trim("ltrim"),
    "rtrim": _trim("rtrim"),
    "trim": _trim("trim"),
    "strlen": _textual("length({0})", Kind.NUMBER),
    "toupper": _textual("upper({0})", Kind.TEXT),
    "tolower": _textual("lower({0})", Kind.TEXT),
    "substr": _substr,
    "replace": _textual("replace({0}, {1}, {2})", Kind.TEXT),
    "regexReplace": _regex_replace,
    "strcontains": _contains,
    "startsWith": _test("starts_with({0}, {1})"),
    "endsWith": _test("ends_with({0}, {1})"),
    "urlencode": _textual("url_encode({0})", Kind.TEXT),
    "urldecode": _textual("TRY(url_decode({0}))", Kind.TEXT),
    "base64encode": _textual("to_base64(encode({0}))", Kind.TEXT),
    "base64decode": _textual("TRY(decode(from_base64({0})))", Kind.TEXT),
    "split": _textual("CAST(to_json(parts_of({0}, {1})) AS VARCHAR)", Kind.STRUCTURE),
    "hexToAscii": _textual("hex_to_ascii({0})", Kind.TEXT),
    "hexToDec": _textual("finite(hex_to_decimal({0}))", Kind.NUMBER),
    "decToHex": lambda given: Value(f"decimal_to_hex({given.numbers[0]})", Kind.TEXT),
    "md5": _textual("md5({0})", Kind.TEXT),
    "sha256": _textual("sha256({0})", Kind.TEXT),
}
