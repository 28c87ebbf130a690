"""The link to the AWS console holds the query, the window and the log groups, whatever signs are in them."""

from __future__ import annotations

import re
import string
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eks_audit_nb.sources.cloudwatch.console import console_url
from eks_audit_nb.window import Window

WINDOW = Window(1_795_514_400_000, 1_795_518_000_123)


def decoded(url: str) -> Any:
    """What the console reads out of a link: JSURL, by the rules of its own reference and not by our code."""
    text = url.partition("queryDetail$3D")[2]
    place = 0

    def value() -> Any:
        nonlocal place
        assert text[place] == "~"
        place += 1
        if text[place] == "'":
            begin = place = place + 1
            while place < len(text) and text[place] not in "~)":
                place += 1
            units = re.sub(
                r"\*\*(....)|\*(..)", lambda m: chr(int(m[1] or m[2], 16)), text[begin:place].replace("!", "$")
            )
            return units.encode("utf-16-be", "surrogatepass").decode("utf-16-be", "replace")
        assert text[place] == "("
        place += 1
        if text[place] == "~":
            items = []
            while text[place] == "~":
                items.append(value())
            place += 1
            return items
        members = {}
        while True:
            begin = place
            while text[place] not in "~)":
                place += 1
            name = text[begin:place]
            members[name] = value()
            place += 1
            if text[place - 1] == ")":
                return members

    found = value()
    assert place == len(text)
    return found


@given(query=st.text(max_size=40).filter(lambda text: max(text, default="") < "\ud800" or max(text) > "\udfff"))
def test_there_and_back(query: str) -> None:
    """Every text comes back as it was, and no sign of it is one that an address gives a meaning to."""
    url = console_url("eu-west-1", ["/aws/eks/prod/cluster"], query, WINDOW)
    assert decoded(url) == {
        "end": "2026-11-24T11:00:00.123Z",
        "start": "2026-11-24T10:00:00.000Z",
        "timeType": "ABSOLUTE",
        "tz": "UTC",
        "editorString": query,
        "source": ["/aws/eks/prod/cluster"],
        "lang": "CWLI",
    }
    assert set(url) <= set(string.ascii_letters + string.digits + "-._~:/?#$*'()=")


def test_form() -> None:
    """The form is that of links which the console makes itself."""
    url = console_url(
        "eu-west-1", ["/aws/a", "arn:aws:logs:eu-west-1:1:log-group:b"], "fields @message\n| limit 2", WINDOW
    )
    assert url == (
        "https://eu-west-1.console.aws.amazon.com/cloudwatch/home?region=eu-west-1#logsV2:logs-insights$3FqueryDetail$3D"
        "~(end~'2026-11-24T11*3a00*3a00.123Z~start~'2026-11-24T10*3a00*3a00.000Z~timeType~'ABSOLUTE~tz~'UTC"
        "~editorString~'fields*20*40message*0a*7c*20limit*202"
        "~source~(~'*2faws*2fa~'arn*3aaws*3alogs*3aeu-west-1*3a1*3alog-group*3ab)~lang~'CWLI)"
    )


@pytest.mark.parametrize(
    ("region", "host"),
    [
        ("us-east-1", "us-east-1.console.aws.amazon.com"),
        ("cn-north-1", "console.amazonaws.cn"),
        ("us-gov-west-1", "console.amazonaws-us-gov.com"),
    ],
)
def test_hosts(region: str, host: str) -> None:
    """Each partition of AWS has a console of its own."""
    assert console_url(region, ["g"], "limit 1", WINDOW).startswith(f"https://{host}/cloudwatch/home?region={region}#")
