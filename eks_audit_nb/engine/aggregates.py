"""The aggregates of `stats` as SQL. Semantics: CloudWatch Logs User Guide, "stats" and "Time-series functions"."""

from __future__ import annotations

from eks_audit_nb.engine.calls import Build, milliseconds
from eks_audit_nb.engine.values import Arguments, Kind, Value, instant, refusal
from eks_audit_nb.insights import tree


def _count(given: Arguments) -> Value:
    if not given.values:
        return Value("count(*)", Kind.NUMBER)
    return Value(f"count({given.texts[0]})", Kind.NUMBER)


def _of_numbers(sql: str) -> Build:
    return lambda given: Value(sql.format(given.numbers[0]), Kind.NUMBER)


def _extreme(name: str) -> Build:
    def build(given: Arguments) -> Value:
        value = given.values[0]
        if value.kind is Kind.TIME:
            return Value(f"{name}({value.sql})", Kind.TIME)
        if value.kind is Kind.TEXT:  # of ISO 8601 times the first and the last
            numbers, texts = f"{name}({given.numbers[0]})", f"{name}({value.sql})"
            return Value(f"coalesce(number_text({numbers}), {texts})", Kind.TEXT)
        return Value(f"{name}({given.numbers[0]})", Kind.NUMBER)

    return build


def _percentile(given: Arguments) -> Value:
    share = given.nodes[1]
    if not isinstance(share, tree.Number) or not 0 <= share.value <= 100:
        raise refusal(given.scope, share, "pct() takes a percentage from 0 to 100", "As in pct(duration, 95).")
    bound = given.scope.bind(share.value / 100)
    return Value(f"finite(quantile_cont({given.numbers[0]}, {bound}::DOUBLE))", Kind.NUMBER)


def _timestamp(given: Arguments) -> str:
    return instant(given.scope.field(tree.Field(given.nodes[0].span, "@timestamp")))


def _age(given: Arguments, value: str) -> str:
    """What orders rows by time; of equal times the earlier line comes first."""
    return f"({', '.join([_timestamp(given), *given.scope.places(), value])})"


def _by_time(name: str) -> Build:
    def build(given: Arguments) -> Value:
        value = given.values[0]
        present = f"{value.sql} IS NOT NULL AND {_timestamp(given)} IS NOT NULL"
        kind = Kind.NUMBER if value.kind is Kind.BOOLEAN else value.kind  # of no rows it is missing
        sql = f"CAST({value.sql} AS DOUBLE)" if value.kind is Kind.BOOLEAN else value.sql
        return Value(f"{name}({sql}, {_age(given, value.sql)}) FILTER (WHERE {present})", kind)

    return build


def _by_order(name: str) -> Build:
    def build(given: Arguments) -> Value:
        subject = given.texts[0]
        key = f"(number_of({subject}) IS NOT NULL, text_sort_key({subject}), number_of({subject}), {subject})"
        return Value(f"{name}({subject}, {key}) FILTER (WHERE {subject} IS NOT NULL)", Kind.TEXT)

    return build


def _values(given: Arguments) -> Value:
    subject = given.texts[0]
    found = f"list_sort(list(DISTINCT {subject}) FILTER (WHERE {subject} IS NOT NULL))"
    return Value(f"CAST(to_json({found}) AS VARCHAR)", Kind.STRUCTURE)


def _rate(given: Arguments) -> Value:
    period = given.nodes[1]
    width = milliseconds(period) if isinstance(period, tree.Period) else None
    if width is None:
        raise refusal(given.scope, period, "rate() takes a period up to weeks", "As in rate(requests, 1m).")
    value, when = given.numbers[0], _timestamp(given)
    present = f"FILTER (WHERE {value} IS NOT NULL AND {when} IS NOT NULL)"
    age = _age(given, value)
    change = f"(arg_max({value}, {age}) {present} - arg_min({value}, {age}) {present})"
    span = f"(max({when}) {present} - min({when}) {present})"
    return Value(f"finite({change} / ({span} / {given.scope.bind(width)}::DOUBLE))", Kind.NUMBER)


def _histogram(given: Arguments) -> Value:
    buckets = given.nodes[1]
    if not isinstance(buckets, tree.Number):
        raise refusal(given.scope, buckets, "histogram() takes a number of ranges", "As in histogram(latency, 10).")
    return Value(f"histogram_of(list({given.numbers[0]}), {given.numbers[1]})", Kind.STRUCTURE)


def _top(given: Arguments) -> Value:
    how_many = given.nodes[0]
    if not isinstance(how_many, tree.Number):
        raise refusal(given.scope, how_many, "topk() takes a number and a field", "As in topk(5, user.username).")
    return Value(f"top_values(list({given.texts[1]}), {given.numbers[0]})", Kind.STRUCTURE)


AGGREGATES: dict[str, Build] = {
    "count": _count,
    "count_distinct": lambda given: Value(f"count(DISTINCT {given.texts[0]})", Kind.NUMBER),
    "sum": _of_numbers("finite(sum({}))"),
    "avg": _of_numbers("finite(avg({}))"),
    "min": _extreme("min"),
    "max": _extreme("max"),
    "pct": _percentile,
    # Population or sample is not documented for stddev; variance is documented as the population's.
    "stddev": _of_numbers("finite(stddev_pop({}))"),
    "variance": _of_numbers("finite(var_pop({}))"),
    "values": _values,
    "earliest": _by_time("arg_min"),
    "latest": _by_time("arg_max"),
    "sortsFirst": _by_order("arg_min"),
    "sortsLast": _by_order("arg_max"),
    "topk": _top,
    "rate": _rate,
    "count_over_time": lambda given: Value(f"count({given.texts[0]})", Kind.NUMBER),
    "sum_over_time": _of_numbers("finite(sum({}))"),
    "histogram": _histogram,
}
