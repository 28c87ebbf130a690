"""A field that no event can have is told, with the name that was probably meant."""

from __future__ import annotations

import json

import pytest

from eks_audit_nb.events import FIELDS
from eks_audit_nb.insights import parse
from eks_audit_nb.insights.spelling import misspelt
from eks_audit_nb.sources.files import FileSource


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ('filter objectRef.resouce = "secrets"', "Did you mean objectRef.resource?"),
        ('filter objectref.resource = "secrets"', "Did you mean objectRef.resource?"),
        ("stats count(*) by user.userName", "Did you mean user.username?"),
        ("fields @mesage", "Did you mean @message?"),
        ("fields responseStatus.codes as code | sort code", "Did you mean responseStatus.code?"),
        ("parse @message /(?<agent>x)/ | filter agnet = 1", "Did you mean agent?"),
        ("fields sourceIPs", "sourceIPs.0 and so on"),
        ("fields user.groups", "user.groups.0 and so on"),
        ("fields objectRef", "objectRef.resource, objectRef.namespace, objectRef.name and so on"),
        ("filter verb in (filter vreb = 1 | fields verb)", "Did you mean verb?"),
        ("filter namespace = 'x'", "Did you mean objectRef.namespace?"),
        ("fields Resource", "Did you mean objectRef.resource?"),
        ("filter code >= 400", "Did you mean responseStatus.code?"),
        ("stats count(*) by username", "Did you mean user.username?"),
        ("fields groups", "Did you mean user.groups.0?"),
        ("expand sourceIP", "Did you mean sourceIPs.0?"),
        ("filter verb = get", 'write verb = "get"'),
        ("filter verb != get", 'write verb != "get"'),
        ("filter user.username = null", "write not ispresent(user.username)"),
        ("filter user.username != null", "write ispresent(user.username)"),
        (
            'filter jsonArrayContains(user.groups, "system:masters")',
            'write jsonArrayContains(jsonParse(@message).user.groups, "system:masters")',
        ),
        ("fields jsonParse(objectRef) as o", "write jsonParse(@message).objectRef"),
    ],
)
def test_told(query: str, told: str) -> None:
    """A name near one that events have, a list, a map and a text without quotes are told, in nested queries too."""
    (sentence,) = misspelt(parse(query), FIELDS)
    assert told in sentence


@pytest.mark.parametrize(
    "query",
    [
        "fields sourceIPs.3, user.groups.12, user.extra.anything.0, annotations.`a.b/c`, requestObject.spec.x",
        "fields @timestamp, @message, @logStream, @log, @ptr, @ingestionTime",
        "parse @message /(?<verbs>x)/ | fields verbs, 1 as stages | filter stages = 1",
        "fields jsonParse(@message) as user2 | fields user2.name",
        "stats count(*) as vreb by verb | filter vreb > 1 | sort vreb",
        "fields controller, msg",
        "filter x = true",
        "expand sourceIPs",
        "unnest user.groups into member | filter member = 'system:masters'",
        "unnest jsonParse(@message).user.groups into member",
        "fields jsonArrayContains(jsonParse(@message).user.groups, 'a')",
        "filter verb = level",
        "fields 'get' as wanted | filter verb = wanted",
        "parse @message /(?<wanted>x)/ | filter verb = wanted",
        "fields jsonParse(a) as groups | filter jsonArrayContains(groups, 'x')",
    ],
)
def test_left_alone(query: str) -> None:
    """Fields of events, what the query makes itself, and names near nothing are left alone."""
    assert misspelt(parse(query), FIELDS) == ()


def test_the_field_to_use_instead_has_the_list(sample: FileSource) -> None:
    """What the note on a list in jsonArrayContains says to write finds what is in the list."""
    query = 'filter jsonArrayContains(jsonParse(@message).user.groups, "system:masters") | stats count(*) as n'
    assert sample.run(query).frame["n"].to_list() > [0]


def test_every_field_of_the_sample_is_known(sample: FileSource) -> None:
    """No shipped or recorded field is doubted: every name that stands in an event of the sample is in the list."""
    result = sample.run("fields @message | limit 2000")
    names = {name for text in result.frame["@message"] for name in _names(text)}
    assert len(names) > 25
    for name in sorted(names):
        assert misspelt(parse(f"fields `{name}`"), FIELDS) == (), name


def _names(text: str) -> set[str]:
    return {name for key, value in json.loads(text).items() for name in _below(key, value)}


def _below(name: str, value: object) -> set[str]:
    if isinstance(value, dict):
        return {each for key, item in value.items() for each in _below(f"{name}.{key}", item)}
    if isinstance(value, list):
        return {each for number, item in enumerate(value) for each in _below(f"{name}.{number}", item)}
    return {name}
