"""Whose network an address is of: private, AWS's, or any other on the internet."""

from __future__ import annotations

import json
from bisect import bisect_right
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from os import PathLike
from pathlib import Path

import pandas as pd

from eks_audit_nb.analysis.distinct import worked_once
from eks_audit_nb.errors import ParameterError

PUBLIC, PRIVATE, AWS, NONE = "public", "private", "AWS", "none"
# RFC 1918, RFC 6598, loopback, link-local, unique local. Networks for documentation are none of these: Python's
# is_private counts them, and would call an example of an attacker's address harmless.
_PRIVATE = (
    *("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16"),
    *("::1/128", "fe80::/10", "fc00::/7"),
)

Ranges = Iterable[str] | str | PathLike[str]


class Networks:
    """Networks that an address can be looked up in, whatever their number."""

    def __init__(self, networks: Iterable[str]) -> None:
        spans: dict[int, list[tuple[int, int]]] = {4: [], 6: []}
        for text in networks:
            network = _network(text)
            spans[network.version].append((int(network.network_address), int(network.broadcast_address)))
        self._starts, self._ends = {}, {}
        for version, found in spans.items():
            merged: list[tuple[int, int]] = []
            for start, end in sorted(found):
                if merged and start <= merged[-1][1] + 1:
                    merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
                else:
                    merged.append((start, end))
            self._starts[version] = [start for start, _ in merged]
            self._ends[version] = [end for _, end in merged]

    def __contains__(self, address: IPv4Address | IPv6Address) -> bool:
        place = bisect_right(self._starts[address.version], int(address)) - 1
        return place >= 0 and int(address) <= self._ends[address.version][place]


def address_kinds(addresses: pd.Series, aws_ranges: Ranges | None = None) -> pd.Series:
    """What each address is: "public", "private", "AWS" or "none", as text.

    private is RFC 1918, RFC 6598, loopback, link-local and unique local; networks for documentation are public. An
    IPv4 address that is written as IPv6 counts as itself. "AWS" takes a list of ranges; "none" is no address.

    Args:
        addresses: Addresses as text.
        aws_ranges: CIDRs, or the path of AWS's ip-ranges.json.

    Raises:
        ParameterError: The ranges cannot be read.
    """
    aws = Networks(read_ranges(aws_ranges)) if aws_ranges is not None else None
    (kinds,) = worked_once([addresses], lambda text: (address_kind(text, aws),), {"address_kind": "string"}).values()
    return kinds


def read_ranges(ranges: Ranges) -> list[str]:
    """The CIDRs themselves, or those of a file in the form of AWS's ip-ranges.json.

    Raises:
        ParameterError: The file cannot be read, or holds no ranges.
    """
    if not isinstance(ranges, str | PathLike):
        return list(ranges)
    try:
        listed = json.loads(Path(ranges).read_text(encoding="utf-8"))
        prefixes = [entry["ip_prefix"] for entry in listed.get("prefixes", [])]
        prefixes += [entry["ipv6_prefix"] for entry in listed.get("ipv6_prefixes", [])]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ParameterError(
            f"AWS's address ranges cannot be read from {str(ranges)!r}: {error}. "
            "Give a list of CIDRs, or the file https://ip-ranges.amazonaws.com/ip-ranges.json."
        ) from error
    if not prefixes:
        raise ParameterError(f"{str(ranges)!r} holds no address ranges; it should be AWS's ip-ranges.json.")
    return prefixes


def _network(text: str) -> IPv4Network | IPv6Network:
    try:
        return ip_network(text, strict=False)
    except ValueError as error:
        raise ParameterError(f"{text!r} is no range of addresses; write it as 203.0.113.0/24.") from error


_PRIVATE_NETWORKS = Networks(_PRIVATE)


def address_kind(text: str | None, aws: Networks | None = None) -> str:
    """What one address is, by the rule of `address_kinds`."""
    try:
        address = ip_address(text or "")
    except ValueError:
        return NONE
    if isinstance(address, IPv6Address) and address.ipv4_mapped:
        address = address.ipv4_mapped
    if address in _PRIVATE_NETWORKS:
        return PRIVATE
    return AWS if aws is not None and address in aws else PUBLIC
