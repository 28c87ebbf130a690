"""Texts as long as the service takes, and as hostile as their length permits: for a test and for a benchmark."""

from __future__ import annotations

TEXTS = {
    "fields of one letter": "fields " + ",".join(["a", "b"] * 2495),
    "groups of stats": "stats count(*) by " + ",".join(f"a{i}" for i in range(1850)),
    "keys of a sort": "sort " + ",".join("a" for _ in range(4990)),
    "negative numbers": "fields " + ",".join("-a" for _ in range(3300)),
    "arguments of one function": "fields greatest(" + ",".join("a" for _ in range(4990)) + ")",
    "calls": "fields " + ",".join("abs(a)" for _ in range(1420)),
    "sums as deep as they may be": "fields " + ",".join("+".join("a" * 60) for _ in range(80)),
    "parentheses": "filter " + "(" * 4990 + "a" + ")" * 4990,
    "commands": "|".join("limit 5" for _ in range(1240)),
    "parts of a map": "fields " + ",".join("a[1]" for _ in range(1990)),
    "a command that is not taken apart": "pattern a" + "(" * 9980,
    "or chain, terms of 4 characters": "filter " + " or ".join(f"{chr(97 + i % 26)}={i % 10}" for i in range(1400)),
    "and chain over dotted names": "filter " + " and ".join("user.extra.sessionName.0 = 'x'" for _ in range(280)),
    "list of texts": "filter verb in [" + ", ".join(f'"{i:04}"' for i in range(1240)) + "]",
    "one filter a command": " | ".join("filter a = 1" for _ in range(660)),
    "arithmetic in parentheses": "fields " + ", ".join("((a+1)*(b-2))/3 as c" for _ in range(430)),
    "one long text": 'filter @message like "' + "x" * 9970 + '"',
}
