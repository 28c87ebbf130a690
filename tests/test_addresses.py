"""Whose network an address is of."""

from __future__ import annotations

import json
from ipaddress import IPv4Address, ip_address, ip_network
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eks_audit_nb.analysis.addresses import Networks, address_kinds
from eks_audit_nb.errors import ParameterError


def kind(address: str | None, aws_ranges: list[str] | str | Path | None = None) -> str:
    (found,) = address_kinds(pd.Series([address], dtype="string"), aws_ranges)
    return str(found)


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        *((text, "private") for text in ("10.0.0.0", "10.255.255.255", "172.16.0.1", "172.31.255.255", "192.168.1.1")),
        *((text, "private") for text in ("100.64.0.1", "100.127.255.255", "127.0.0.1", "169.254.169.254")),
        *((text, "private") for text in ("::1", "fe80::1", "fe80::1%eth0", "fd00:ec2::254", "::ffff:10.0.1.11")),
        *((text, "public") for text in ("192.0.2.9", "198.51.100.21", "203.0.113.66", "2001:db8::1")),  # documentation
        *((text, "public") for text in ("9.255.255.255", "11.0.0.0", "172.15.255.255", "172.32.0.0", "192.169.0.0")),
        *((text, "public") for text in ("100.63.255.255", "100.128.0.0", "198.18.0.1", "240.0.0.1", "::ffff:8.8.8.8")),
        *((text, "none") for text in (None, "", "unknown", "10.0.0", "10.0.0.1:443", "[::1]", "10.0.0.1, 10.0.0.2")),
    ],
)
def test_kind(address: str | None, expected: str) -> None:
    """Private is RFC 1918, RFC 6598, loopback, link-local and unique local; documentation is public."""
    assert kind(address) == expected


def test_aws_ranges(tmp_path: Path) -> None:
    """An address in a list of AWS's ranges is AWS's, whether they are given as CIDRs or as its ip-ranges.json."""
    path = tmp_path / "ip-ranges.json"
    listed = {
        "syncToken": "1",
        "prefixes": [{"ip_prefix": "3.5.140.0/22", "region": "ap-northeast-2", "service": "AMAZON"}],
        "ipv6_prefixes": [{"ipv6_prefix": "2600:1f00::/24", "service": "AMAZON"}],
    }
    path.write_text(json.dumps(listed), encoding="utf-8")
    for ranges in (["3.5.140.0/22", "2600:1f00::/24"], path, str(path)):
        assert kind("3.5.143.255", ranges) == "AWS"
        assert kind("::ffff:3.5.140.1", ranges) == "AWS"
        assert kind("2600:1f00:1::1", ranges) == "AWS"
        assert kind("3.5.144.0", ranges) == "public"
        assert kind("10.0.0.1", ranges) == "private"
    assert kind("3.5.140.1", []) == "public"


@pytest.mark.parametrize("content", [None, "{", "[]", "{}", '{"prefixes": [{}]}', '{"prefixes": 7}'])
def test_unreadable_ranges(tmp_path: Path, content: str | None) -> None:
    """A file that is not there, or is not AWS's, is named in the error."""
    path = tmp_path / "ip-ranges.json"
    if content is not None:
        path.write_text(content, encoding="utf-8")
    with pytest.raises(ParameterError, match=r"ip-ranges\.json"):
        kind("3.5.140.1", path)


def test_a_range_that_is_none() -> None:
    """A text that is no range of addresses is an error that names it."""
    with pytest.raises(ParameterError, match=r"'3\.5\.140'"):
        kind("3.5.140.1", ["3.5.140"])


SMALL = st.integers(0, 2**12).map(IPv4Address)


@given(st.lists(st.tuples(SMALL, st.integers(20, 32)), max_size=8), SMALL)
def test_networks(pairs: list[tuple[IPv4Address, int]], address: IPv4Address) -> None:
    """An address is in a set of networks exactly when it is in one of them, overlapping or not."""
    texts = [f"{start}/{length}" for start, length in pairs]
    assert (address in Networks(texts)) == any(address in ip_network(text, strict=False) for text in texts)
    assert ip_address("::1") not in Networks(texts)
