"""The answer of notebook 10: who had a credential issued."""

from __future__ import annotations

import pandas as pd

from eks_audit_nb.analysis.issuers import PROVEN
from eks_audit_nb.analysis.token_use import OTHER_NODE, OUTSIDE
from eks_audit_nb.reporting.sentences.words import listed


def credential_chain(credential: str, chain: pd.DataFrame, findings: pd.DataFrame) -> str:
    """Who had a credential issued, how far back that could be followed, and what is used away from its place.

    Args:
        credential: The id that was asked for; "" where none was.
        chain: What `credential_chain` makes of it.
        findings: What `credential_findings` gives.
    """
    return f"{_way_back(credential, chain)} {_away(findings)}".strip()


def _way_back(credential: str, chain: pd.DataFrame) -> str:
    if not credential.strip():
        return ""
    if chain.empty:
        return f"The credential {credential} is not in this log."
    first = chain.iloc[0]
    steps = chain[chain["basis"] == PROVEN]
    whose = f"{first['credential']}, the {first['kind']} of {_or(first['holder'], 'an unknown holder')},"
    if steps.empty:
        return f"{whose} was issued at the request of nobody whom this log shows."
    addresses = (" from " + steps["source_ip"]).fillna("")
    callers = (steps["username"].fillna("an unnamed caller") + addresses).tolist()
    others = f", whose own credential came from {', and before that from '.join(callers[1:])}" if callers[1:] else ""
    return f"{whose} was issued at the request of {callers[0]}{others}."


def _away(findings: pd.DataFrame) -> str:
    outside = findings[findings["finding"] == OUTSIDE]
    other = findings[findings["finding"] == OTHER_NODE]
    text = "No credential of a pod or a node was used from outside"
    if len(outside):
        were = "credential of a pod or a node was" if len(outside) == 1 else "credentials of pods and nodes were"
        whose = listed(dict.fromkeys(outside["username"]))
        text = f"{len(outside):,} {were} used from outside ({whose})"
    return text + (f", and {len(other):,} from another node." if len(other) else ".")


def _or(value: object, otherwise: str) -> str:
    return otherwise if pd.isna(value) else str(value)  # type: ignore[call-overload]
