"""From frames to something to read: sentences, tables, figures; and from notebooks to a folder of HTML reports."""

from eks_audit_nb.reporting import sentences, why_tables
from eks_audit_nb.reporting.copyable import closings, copyable
from eks_audit_nb.reporting.path_figure import path_figure
from eks_audit_nb.reporting.plots import activity_over_time, ranked, timeline
from eks_audit_nb.reporting.provenance import provenance
from eks_audit_nb.reporting.shown import figure, headline
from eks_audit_nb.reporting.tables import (
    ACT,
    CHAIN,
    DECISION,
    DEED,
    FINDING,
    IDENTITY,
    PLACE,
    REQUEST,
    SESSION,
    TIE,
    WHO,
    table,
)
from eks_audit_nb.reporting.writeup import write_up

__all__ = [
    "ACT",
    "CHAIN",
    "DECISION",
    "DEED",
    "FINDING",
    "IDENTITY",
    "PLACE",
    "REQUEST",
    "SESSION",
    "TIE",
    "WHO",
    "activity_over_time",
    "closings",
    "copyable",
    "figure",
    "headline",
    "path_figure",
    "provenance",
    "ranked",
    "sentences",
    "table",
    "timeline",
    "why_tables",
    "write_up",
]
