"""The answer of notebook 03: who knocked without an identity."""

from __future__ import annotations

import pandas as pd

from eks_audit_nb.reporting.sentences.words import count


def failed_anonymous_requests(requests: pd.DataFrame) -> str:
    """How many requests came without a valid identity, and from where; `requests` are rows of `attribute`."""
    if requests.empty:
        return "No request without a valid identity was turned away in this window."
    forbidden, unauthorized = (requests["code"] == 403).sum(), (requests["code"] == 401).sum()
    addresses = requests["source_ip"].value_counts()
    return (
        f"{count(len(requests), 'request')} without a valid identity {'was' if len(requests) == 1 else 'were'} turned "
        f"away: {forbidden} anonymous (403) and {unauthorized} whose credential was not accepted (401), from "
        f"{count(len(addresses), 'address', 'addresses')}; the most, {addresses.iloc[0]}, from {addresses.index[0]}."
    )
