"""Slips that are made often, told by what stands before and behind the place where a text stops making sense."""

from __future__ import annotations

import re

from eks_audit_nb.insights.lexical import QUOTED, SEARCHED

_NAME = r"[\w@.`/-]+"
_VALUE = rf"(?:{QUOTED}|{_NAME})"

# What stands right before the place, what stands there, and what to write: the first row that fits. Names of groups
# stand for what was found.
_ROWS = (
    (r"", r"[\u2018-\u201f\u00ab\u00bb]", 'Quotes are straight, as in "get".'),
    # other languages' operators
    (r"", r"&", "Write `and`."),
    (r"", r"\|\|", "Write `or`."),
    (r"", r"!\s*like\b", "Write `not like`."),
    (r"", r"!\s*in\b", "Write `not in`."),
    (r"", r"!~", "Write `not like /ab.c/`."),
    (r"<", r">", "Write `!=` for unequal."),
    (r"==?", r"=", "Write `=`."),
    (r"!=", r"=", "Write `!=`."),
    (r"", r"~", "A regular expression is searched for with =~ or like."),
    (rf"(?P<a>{_NAME})", r":", 'Write `=`, as in {a} = "text".'),
    (rf"(?P<a>{_NAME})", r"is\s+not\s+(null|none|empty)\b", "Write ispresent({a})."),
    (rf"(?P<a>{_NAME})", r"is\s+(null|none|empty)\b", "Write not ispresent({a})."),
    (rf"(?P<a>{_NAME})", r"(is\s+)?exists\b", "Write ispresent({a})."),
    (r"", r"(eq|equals|is)\b", "Write `=`."),
    (r"", r"(ne|neq|isnt)\b", "Write `!=`."),
    (r"", r"gt\b", "Write `>`."),
    (r"", r"lt\b", "Write `<`."),
    (r"", r"(ge|gte)\b", "Write `>=`."),
    (r"", r"(le|lte)\b", "Write `<=`."),
    (rf"(?P<a>{_NAME})", r"(not\s+)?(contains|has|includes)\b", 'Write {a} like "text".'),
    (rf"(?P<a>{_NAME})", r"starts_?with\b", "Write {a} like /^text/."),
    (rf"(?P<a>{_NAME})", r"ends_?with\b", "Write {a} like /text$/."),
    (rf"(?P<a>{_NAME})", r"(matches|match|regexp?|rlike)\b", "Write {a} like /ab.c/."),
    (rf"(?P<a>{_NAME})", r"ilike\b", "Write {a} like /(?i)text/."),
    (rf"(?P<a>{_NAME})", r"between\b", "Write {a} >= 1 and {a} <= 5."),
    (
        rf"(?P<a>{_VALUE})\s*(?P<o>[<>]=?|!=|==?)\s*(?P<b>{_VALUE})",
        rf"(?P<p>[<>]=?|!=|==?)\s*(?P<c>{_VALUE})",
        "A comparison has two sides: {a} {o} {b} and {b} {p} {c}",
    ),
    (SEARCHED, r"(?P<f>[imsgux]+)\b", "Flags stand in the pattern, as in /(?{f})text/."),
    # words too many, too few, or in another place
    (r"\b(?P<c>sort|dedup)\s+by", rf"(?P<a>{_NAME})", "Remove `by`: {c} {a}"),
    (r",\s*by", rf"(?P<a>{_NAME})", "Remove the comma before `by`: by {a}"),
    (r"", rf"group\s+by\s+(?P<a>{_NAME})", "Remove `group`: by {a}"),
    (r"\b(asc|desc)", r"(asc|desc)\b", "A key has one direction, `asc` or `desc`."),
    (r"\bsort\s+(?P<d>asc|desc)", rf"(?P<a>{_NAME})", "The direction stands behind the field: sort {a} {d}"),
    (r"(?:\b(?:filter|where|and|or|not)\s+|\()(?P<w>and|or)", r"", "A condition is missing before `{w}`."),
    (r"\bdistinct", rf"(?P<a>{_NAME})", "Write: dedup {a}, or stats count_distinct({a})"),
    (r",", r"\]", "Remove the comma before this bracket."),
    (r",", r"\)", "Remove the comma before this parenthesis."),
    (r",", r"\|", "Remove the comma before this pipe."),
    (
        r"\b(fields|display)",
        r"\*\s*(\Z|[|,])",
        "There is no `*` for all fields. Name them, or take the whole event with @message.",
    ),
    (r"", r"\*", "A name has no asterisks around it; only count(*) has one."),
    (rf"\bparse(\s+{_NAME})?", r"json\b", 'Write: json field=@message "user.username" as username'),
    (r"\bparse\s+json", r"", 'Write: json field=@message "user.username" as username'),
    (rf"\bparse\b[^|]*{QUOTED}", rf"(?P<a>{_NAME})", "Write `as` before the names: as {a}"),
    (rf"\bunnest\s+(?P<a>{_NAME})", rf"(as\s+)?(?P<b>{_NAME})", "Write `into`: unnest {a} into {b}"),
    (
        rf"\bexpand\s+(?P<a>{_NAME})",
        rf"(as|into)\s+(?P<b>{_NAME})",
        "expand keeps the field's name; for another one write: unnest {a} into {b}",
    ),
    (
        r"\blookup\s+\S+\s+output(new)?",
        r"",
        "Name the column that has to be equal first: lookup TABLE COLUMN as FIELD OUTPUT OTHER",
    ),
    # signs of other places
    (r"", r"\{", "Give the parameter a value: {{name}} is a placeholder of a saved query."),
    (r"\bnot\s+in|\bin", r"", ""),  # the list or the query that has to follow is named elsewhere
    (r"", r"\[", "Write `in [...]` for a list of values."),
    (r"", r"\$", 'A saved query stands alone between pipes, as in $Name(parameter="value").'),
    (r"", r";", "Separate commands with `|`."),
    (r"", r"\?", "`?` has no meaning here. Write if(CONDITION, A, B) to choose between two values."),
    (
        r"\blike|=~|\bparse",
        r"/",
        "A regular expression is closed with a second slash; a slash inside it is written \\/.",
    ),
    (r"", r"/", "A regular expression stands behind like, =~ or parse."),
)
_COMPILED = tuple(
    (re.compile(rf"(?:{before})\s*\Z", re.IGNORECASE | re.DOTALL), re.compile(rest, re.IGNORECASE | re.DOTALL), said)
    for before, rest, said in _ROWS
)
# No slip is longer than this.
_NEAR = 200


def slip(before: str, rest: str) -> str:
    """What to write, given what stands before a place and what stands there; "" where nothing is known of it."""
    behind = rest[:_NEAR]
    for pattern, following, said in _COMPILED:
        found = following.match(behind)
        led = pattern.search(before[-_NEAR:]) if found else None
        if found and led:
            words = {**led.groupdict(), **found.groupdict()}
            return re.sub(r"\{(\w)\}", lambda place: words[place[1]] or "", said)  # noqa: B023  # used at once
    return ""
