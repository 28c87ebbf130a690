"""The answer of notebook 05: on what grounds calls were allowed."""

from __future__ import annotations

import pandas as pd

from eks_audit_nb.reporting.sentences.words import count


def authorization_decisions(decisions: pd.DataFrame, refused: pd.DataFrame) -> str:
    """On what grounds requests were allowed, and how many were refused and by what.

    Args:
        decisions: Rows of `stated_decisions`: decision, grounds, requests.
        refused: Rows of `attribute` for refused requests.
    """
    if decisions.empty:
        return "No request was decided on in this window."
    by_grounds = decisions[decisions["decision"] == "allow"].groupby("grounds")["requests"].sum()
    allowed = ", ".join(f"{int(n):,} by {grounds}" for grounds, n in by_grounds.sort_values(ascending=False).items())
    text = f"The authorizers allowed {count(int(by_grounds.sum()), 'request')}" + (
        f": {allowed}. " if allowed else ". "
    )
    outcomes = refused["outcome"].value_counts()
    later = int(outcomes.get("refused by admission", 0))
    if later:
        text += f"Of these {later:,} {'was' if later == 1 else 'were'} then refused by admission. "
    others = outcomes.drop("refused by admission", errors="ignore")
    total = int(others.sum())
    if not total:
        return text + "No other request was turned away."
    listed = ", ".join(f"{n:,} {outcome}" for outcome, n in others.items())
    return text + f"{count(total, 'request')} {'was' if total == 1 else 'were'} turned away: {listed}."
