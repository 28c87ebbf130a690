"""Find a shipped query by name, and put values in the place of `{{placeholders}}`."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from eks_audit_nb.errors import ParameterError, QueryError
from eks_audit_nb.insights.commands import ANSWERED, UNANSWERED
from eks_audit_nb.insights.invocations import expand
from eks_audit_nb.insights.nearness import nearest
from eks_audit_nb.insights.parameters import Period, fill, refuse_unknown
from eks_audit_nb.insights.rewriting import Rewritten

# A single word that is one of these is no query's name, but a query, whole or unfinished.
_COMMANDS = frozenset(name.lower() for name in (*ANSWERED, *UNANSWERED))
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
    """A query ready to run; `name` is "" for a text of the user's own, `steps` are how that text was made from it."""

    text: str
    name: str
    steps: tuple[Rewritten, ...] = ()

    @contextmanager
    def as_written(self) -> Iterator[None]:
        """Whatever is wrong in the text that runs is told at its place in the text that the user wrote."""
        try:
            yield
        except QueryError as error:
            for step in reversed(self.steps):
                error = step.as_written(error)  # one step back after the other
            raise error from None


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
        near = nearest(name, _library())
        known = f"Did you mean {near!r}? " if near else f"There are: {', '.join(_library())}. "
        hint = f"{known}Or write Insights text, such as: fields @timestamp, verb | limit 20"
        raise QueryError(f"There is no query named {name!r}", name, 0, len(name), hint) from None


def prepare(query: str, parameters: Mapping[str, object]) -> Prepared:
    """A name or a text, with its placeholders filled in and its `$Name(...)` written out.

    Values become literals of the language: text is quoted, a number stands as it is, a list becomes ["a", "b"].

    Raises:
        QueryError: A single word, or a `$Name(...)`, that is no shipped query's name.
        ParameterError: A parameter that the query does not have, or one that it needs and was not given.
    """
    if re.fullmatch(r"\s*[\w-]+\s*", query) and query.strip().lower() not in _COMMANDS:
        shipped = load(query.strip())
        return Prepared(_filled(shipped, parameters), shipped.name)
    _refuse_bare_names(query)
    filled = fill(query, parameters, f"the query {query.strip()[:40]!r}")
    try:
        expanded = expand(filled.text, lambda name, given: _filled(load(name), given))
    except QueryError as error:
        raise filled.as_written(error) from None
    return Prepared(expanded.text, "", (filled, expanded))


def _refuse_bare_names(query: str) -> None:
    """A shipped query that other commands follow is invoked."""
    found = re.match(r"\s*(?P<name>[\w-]+)(?:\s*(?P<given>\([^()|]*\)))?", query)
    if found and found["name"] in _library():
        start, end = found.span("name")
        hint = f"Write: ${found['name']}{found['given'] or '()'}{query[found.end() :].rstrip()}"
        raise QueryError("A query that ships is invoked with a $ inside of another text", query, start, end, hint)


def _filled(shipped: ShippedQuery, parameters: Mapping[str, object]) -> str:
    values = {parameter.name: parameter.default for parameter in shipped.parameters}
    kinds = {parameter.name: parameter.type for parameter in shipped.parameters}
    refuse_unknown(parameters, values, f"the query {shipped.name}")
    for name, value in parameters.items():
        values[name] = _coerced(name, value, kinds[name])
    return fill(shipped.text, values, f"the query {shipped.name}").text


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
