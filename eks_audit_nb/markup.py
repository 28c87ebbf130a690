"""The few pieces of HTML that results and reports share; all text is escaped."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape

# JupyterLab sets cells flush right, in which long text is hard to read.
LEFT_ALIGNED = (
    "<style>:is(.eks-audit-table, .eks-audit-result) :is(th, td, caption) "
    "{ text-align: left !important; vertical-align: top; }</style>"
)


def facts_table(facts: Mapping[str, str], caption: str) -> str:
    """Names and values, a row each."""
    rows = "".join(
        f'<tr><th scope="row">{escape(name)}</th><td>{escape(value)}</td></tr>' for name, value in facts.items()
    )
    return (
        f'{LEFT_ALIGNED}<table class="eks-audit-result"><caption>{escape(caption)}</caption>'
        f"<tbody>{rows}</tbody></table>"
    )
