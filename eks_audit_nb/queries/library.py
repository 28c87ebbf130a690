"""Find a shipped query by name, and put values in the place of `{{placeholders}}`."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from eks_audit_nb.errors import ParameterError, QueryError
from eks_audit_nb.insights.invocations import expand
from eks_audit_nb.insights.parameters import Period, fill, refuse_unknown

# Commands that are a whole query by themselves, and no query's name.
_COMMANDS_ALONE = ("estimate", "unmask")
_PARAMETER = re.compile(
    r"parameter (?P<name>\w+): (?P<type>string|number|period|list) = (?P<default>\S+|\"[^\"]*\")(  (?P<help>.*))?"
)
_PERIOD = re.compile(r"\d+(ms|s|m|h|d|w|mo|q|y)")


@dataclass(frozen=True)
class QueryParameter:
    """One placeholder of a shipped query."""

    name: str
    type: str
    default: object
    help: str


@dataclass(frozen=True)
class ShippedQuery:
    """A question that ships: its name, what it asks, where it comes from, and its Insights text."""

    name: str
    title: str
    question: str
    origin: str
    parameters: tuple[QueryParameter, ...]
    text: str


@dataclass(frozen=True)
class Prepared:
    """A query ready to run; `name` is "" for a text of the user's own."""

    text: str
    name: str


def list_queries() -> tuple[ShippedQuery, ...]:
    """All shipped queries, by name."""
    return tuple(_library().values())


def load(name: str) -> ShippedQuery:
    """The shipped query of that name.

    Raises:
        QueryError: There is none; the message names the nearest.
    """
    try:
        return _library()[name]
    except KeyError:
        near = difflib.get_close_matches(name, _library(), 1)
        known = f"Did you mean {near[0]!r}? " if near else f"There are: {', '.join(_library())}. "
        hint = f"{known}Or write Insights text, such as: fields @timestamp, verb | limit 20"
        raise QueryError(f"There is no query named {name!r}", name, 0, len(name), hint) from None


def prepare(query: str, parameters: Mapping[str, object]) -> Prepared:
    """A name or a text, with its placeholders filled in and its `$Name(...)` written out.

    Values become literals of the language: text is quoted, a number stands as it is, a list becomes ["a", "b"].

    Raises:
        QueryError: A single word, or a `$Name(...)`, that is no shipped query's name.
        ParameterError: A parameter that the query does not have, or one that it needs and was not given.
    """
    if not re.fullmatch(r"\s*[\w-]+\s*", query) or query.strip().lower() in _COMMANDS_ALONE:
        filled = fill(query, parameters, f"the query {query.strip()[:40]!r}")
        return Prepared(expand(filled, lambda name, given: _filled(load(name), given)), "")
    shipped = load(query.strip())
    return Prepared(_filled(shipped, parameters), shipped.name)


def _filled(shipped: ShippedQuery, parameters: Mapping[str, object]) -> str:
    values = {parameter.name: parameter.default for parameter in shipped.parameters}
    kinds = {parameter.name: parameter.type for parameter in shipped.parameters}
    refuse_unknown(parameters, values, f"the query {shipped.name}")
    for name, value in parameters.items():
        values[name] = _coerced(name, value, kinds[name])
    return fill(shipped.text, values, f"the query {shipped.name}")


def _coerced(name: str, value: object, kind: str) -> object:
    if kind == "string" and not isinstance(value, str):
        raise ParameterError(f"The parameter {name} takes text, not {value!r}.")
    if kind == "number" and isinstance(value, str):
        try:
            return float(value) if "." in value else int(value)
        except ValueError:
            raise ParameterError(f"The parameter {name} takes a number, not {value!r}.") from None
    if kind == "period":
        if not _PERIOD.fullmatch(str(value)):
            raise ParameterError(
                f"The parameter {name} takes a period such as 5m (ms s m h d w mo q y), not {value!r}."
            )
        return Period(value)
    if kind == "list" and isinstance(value, str):
        return [part.strip() for part in value.split(",") if part.strip()]
    return value


@cache
def _library() -> dict[str, ShippedQuery]:
    folder = files("eks_audit_nb.queries")
    found = sorted(entry.name for entry in folder.iterdir() if entry.name.endswith(".cwli"))
    return {name[:-5]: _read(name[:-5], folder.joinpath(name).read_text(encoding="utf-8")) for name in found}


def _read(name: str, content: str) -> ShippedQuery:
    header, _, text = content.partition("\n\n")
    title, *lines = (line.removeprefix("#").strip() for line in header.splitlines())
    values: dict[str, str] = {}
    parameters = []
    for line in lines:
        if found := _PARAMETER.fullmatch(line):
            default = json.loads(found["default"]) if found["type"] != "period" else Period(found["default"])
            parameters.append(QueryParameter(found["name"], found["type"], default, found["help"] or ""))
        else:
            key, _, value = line.partition(": ")
            values[key] = value
    return ShippedQuery(
        name, title, values["question"], values.get("origin", ""), tuple(parameters), text.strip() + "\n"
    )
