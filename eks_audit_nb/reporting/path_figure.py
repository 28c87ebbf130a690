"""A figure of ways: a row of boxes from the caller to the rule that allowed it, or from a credential to its origin."""

from __future__ import annotations

import textwrap

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch

from eks_audit_nb.analysis.inert import inert
from eks_audit_nb.reporting.shown import Shown, figure

_INK, _SURE, _OPEN, _LINE = "#1b1f24", "#dcebf7", "#fdf1dc", "#57606a"
_MOST_WAYS = 6
_MOST_BOXES = 6  # caller, acts as, subject, binding, role, rules; more are drawn smaller
_WIDTH, _GAP, _HEIGHT = 1.75, 0.3, 1.0
_WIDEST = 2 * _WIDTH  # of boxes that are few
_SIGNS = 10  # that one unit of a box's width takes


def path_figure(steps: pd.DataFrame, title: str) -> Shown:
    """The steps of each way as boxes, left to right; what is not proven has a dashed frame and another colour.

    Args:
        steps: What `paths.paths` gives, or `issuers.chain_steps`; the first six ways are drawn.
        title: What the ways are.
    """
    ways = list(steps["way"].drop_duplicates())[:_MOST_WAYS]
    if not ways:
        return _nothing(title)
    drawn = Figure(figsize=(9.5, 0.6 + 1.25 * len(ways)))
    axes = drawn.add_subplot()
    rows = [_joined(steps[steps["way"] == way].to_dict("records")) for way in ways]
    longest = max(map(len, rows))
    width = min(max(_MOST_BOXES * (_WIDTH + _GAP) / longest - _GAP, _WIDTH), _WIDEST)
    told = []
    for row, (way, members) in enumerate(zip(ways, rows, strict=True)):
        top = -row * (_HEIGHT + 0.45)
        for place, step in enumerate(members):
            _box(drawn, place * (width + _GAP), top, width, step)
            if place:
                end = (place * (width + _GAP) - 0.02, top + _HEIGHT / 2)
                begin = (end[0] - _GAP + 0.04, end[1])
                axes.annotate("", xy=end, xytext=begin, arrowprops={"arrowstyle": "-|>", "color": _LINE})
        told.append(f"{way}: " + ", then ".join(_said(step) for step in members))
    axes.set_xlim(-0.1, max(_MOST_BOXES, longest) * (_WIDTH + _GAP))
    axes.set_ylim(-(len(ways) - 1) * (_HEIGHT + 0.45) - 0.1, _HEIGHT + 0.3)
    axes.set_title(title, loc="left")
    axes.axis("off")
    left_out = steps["way"].nunique() - len(ways)
    more = f" {left_out} more are in the table only." if left_out > 0 else ""
    return figure(drawn, f"Boxes from left to right: {title}. {'. '.join(told)}.{more}")


def _joined(members: list[dict[str, object]]) -> list[dict[str, object]]:
    """The steps of a way, all its rules and permissions in one box at the end."""
    ends = [step for step in members if step["part"] in ("rule", "permission")]
    if len(ends) < 2:
        return members
    names = f"{len(ends)} rules, such as: {ends[0]['name']}"
    is_sure = all(step["basis"] == "proven" for step in ends)
    last: dict[str, object] = {"part": "rules", "name": names, "basis": "proven" if is_sure else "not known"}
    return [*(step for step in members if step not in ends), last]


def _box(drawn: Figure, left: float, bottom: float, width: float, step: dict[str, object]) -> None:
    axes = drawn.axes[0]
    is_sure = step["basis"] == "proven"
    axes.add_patch(
        FancyBboxPatch(
            (left, bottom),
            width,
            _HEIGHT,
            boxstyle="round,pad=0,rounding_size=0.06",
            facecolor=_SURE if is_sure else _OPEN,
            edgecolor=_LINE,
            linestyle="-" if is_sure else "--",
        )
    )
    axes.text(left + 0.07, bottom + _HEIGHT + 0.04, str(step["part"]), fontsize=7.5, color=_LINE)
    lines = textwrap.wrap(inert(str(step["name"])), int(_SIGNS * width), max_lines=6, placeholder=" …") or ["–"]
    axes.text(
        left + 0.07, bottom + _HEIGHT / 2, "\n".join(lines), fontsize=6.5, color=_INK, va="center", parse_math=False
    )


def _said(step: dict[str, object]) -> str:
    sure = "" if step["basis"] == "proven" else f" ({step['basis']})"
    return f"{step['part']} {inert(str(step['name']))}{sure}"


def _nothing(title: str) -> Shown:
    text = f"{title}: there is none"
    drawn = Figure(figsize=(9.5, 1.0))
    drawn.text(0.5, 0.5, text, ha="center", va="center")
    return figure(drawn, f"An empty figure: {text}.")
