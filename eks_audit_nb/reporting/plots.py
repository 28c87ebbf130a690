"""Figures, each with the alt text that says the same in words. Colours differ in lightness too, and patterns help."""

from __future__ import annotations

import pandas as pd
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from matplotlib.figure import Figure

from eks_audit_nb.reporting.shown import Shown, figure

# Okabe and Ito's palette: told apart with every kind of colour vision.
_COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#999999")
_HATCHES = ("", "///", "", "xx", "...", "", "")
_MARKERS = ("o", "s", "^", "D", "v", "P", "X")
_OTHERS = "others"
_BINS = ("1s", "10s", "1min", "5min", "15min", "1h", "6h", "1D", "7D", "30D", "365D")
_MOST_BINS = 120
_MOST_KINDS = 6
_MOST_LANES = 12
# A log can claim any time. Lines without one stand at the beginning of 1970; nothing later than 2100 can be right.
_EARLIEST, _LATEST = pd.Timestamp("1970-01-01", tz="UTC"), pd.Timestamp("2100-01-01", tz="UTC")
_LONG_SPAN, _NEAR = pd.Timedelta(days=400), pd.Timedelta(days=1)


def activity_over_time(rows: pd.DataFrame, by: str, title: str, label: str = "") -> Shown:
    """Stacked bars of how many rows fall into each span of time, told apart by a column.

    Rows whose times lie far outside the rest are told in words instead: one forged line must not hide the others.

    Args:
        rows: Has `time` (tz-aware UTC) and the column `by`. The six most frequent kinds are shown, the rest as others.
        by: The column whose values are told apart.
        title: What is counted.
        label: What the column is called in the text that stands for the figure; by default its name.
    """
    drawable = rows[_is_drawable(rows["time"])]
    outside = _outside(len(rows) - len(drawable))
    if drawable.empty:
        return _nothing(title, outside)
    width = _bin_width(drawable["time"])
    counts = counts_over_time(drawable, by, width)
    drawn = Figure(figsize=(9.5, 3.4))
    axes = drawn.add_subplot()
    days = pd.Timedelta(width) / pd.Timedelta("1D")
    bottom = pd.Series(0.0, index=counts.index)
    for index, kind in enumerate(counts.columns):
        axes.bar(
            pd.DatetimeIndex(counts.index).to_pydatetime(),
            counts[kind].to_numpy(dtype=float),
            width=days,
            bottom=bottom.to_numpy(),
            align="edge",
            label=_shortened(kind),
            color=_COLOURS[index],
            hatch=_HATCHES[index],
            edgecolor="white",
            linewidth=0.4,
        )
        bottom += counts[kind]
    locator = AutoDateLocator(tz="UTC")
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(ConciseDateFormatter(locator, tz="UTC"))
    axes.set_xlabel("Time (UTC)")
    axes.set_ylabel(f"per {_spoken(width)}")
    axes.set_title(f"{title} ({outside})" if outside else title, loc="left")
    axes.legend(loc="upper left", bbox_to_anchor=(1, 1), frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
    peak = counts.sum(axis=1)
    totals = ", ".join(f"{kind} {int(total):,}" for kind, total in counts.sum().items())
    alt = (
        f"Stacked bars: {title} per {_spoken(width)}, {len(drawable):,} in all. The most are {int(peak.max()):,} at "
        f"{peak.idxmax():%Y-%m-%d %H:%M:%S} UTC. By {label or by.replace('_', ' ')}: {totals}."
    )
    if outside:
        alt += f" Not counted: {outside}."
    return figure(drawn, alt)


def counts_over_time(rows: pd.DataFrame, by: str, width: str) -> pd.DataFrame:
    """How many rows fall into each span of time and kind; every span between the first and the last is there."""
    frequent = rows[by].fillna("none").replace("", "none").value_counts().index[:_MOST_KINDS]
    kinds = _frequent(rows[by], _MOST_KINDS)
    spans = rows["time"].dt.floor(width)
    counts = pd.crosstab(spans, kinds)
    every = pd.date_range(spans.min(), spans.max(), freq=width)
    order = [kind for kind in [*frequent, _OTHERS] if kind in counts.columns]
    return counts.reindex(every, fill_value=0)[order]


def timeline(rows: pd.DataFrame, lane: str, by: str, title: str, label: str = "") -> Shown:
    """A mark a row along time, in a lane for each kind, its colour and shape telling another column's values apart.

    Args:
        rows: Has `time` (tz-aware UTC) and the columns `lane` and `by`. The twelve most frequent lanes are shown, the
            first seen on top, and the six most frequent values of `by`; the rest as others.
        lane: The column that has a lane for each value.
        by: The column whose values are told apart in a lane.
        title: What the rows are.
        label: What the column `by` is called in the text that stands for the figure; by default its name.
    """
    drawable = rows[_is_drawable(rows["time"])]
    outside = _outside(len(rows) - len(drawable))
    if drawable.empty:
        return _nothing(title, outside)
    lanes = _frequent(drawable[lane], _MOST_LANES)
    kinds = _frequent(drawable[by], _MOST_KINDS)
    order = list(dict.fromkeys(lanes))[::-1]
    drawn = Figure(figsize=(9.5, 1.3 + 0.32 * len(order)))
    axes = drawn.add_subplot()
    for index, kind in enumerate(kinds.value_counts().index):
        seen = kinds == kind
        axes.scatter(
            drawable.loc[seen, "time"].dt.to_pydatetime(),
            [order.index(each) for each in lanes[seen]],
            label=_shortened(kind),
            color=_COLOURS[index],
            marker=_MARKERS[index],
            s=60,
            alpha=0.85,
            edgecolor="white",
            linewidth=0.5,
        )
    axes.set_yticks(range(len(order)), [_shortened(each) for each in order])
    axes.set_ylim(-0.6, len(order) - 0.4)
    axes.grid(axis="y", color="#dddddd")
    axes.set_axisbelow(True)
    locator = AutoDateLocator(tz="UTC")
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(ConciseDateFormatter(locator, tz="UTC"))
    axes.set_xlabel("Time (UTC)")
    axes.set_title(f"{title} ({outside})" if outside else title, loc="left")
    axes.legend(loc="upper left", bbox_to_anchor=(1, 1), frameon=False)
    axes.spines[["top", "right", "left"]].set_visible(False)
    counted = "; ".join(f"{each} {int((lanes == each).sum()):,}" for each in order[::-1])
    told = ", ".join(f"{kind} {int(number):,}" for kind, number in kinds.value_counts().items())
    alt = (
        f"A timeline: {title}, {len(drawable):,} in all, from {drawable['time'].min():%Y-%m-%d %H:%M:%S} to "
        f"{drawable['time'].max():%Y-%m-%d %H:%M:%S} UTC. Lanes: {counted}. By {label or by.replace('_', ' ')}: {told}."
    )
    return figure(drawn, f"{alt} Not drawn: {outside}." if outside else alt)


def ranked(counts: pd.Series, title: str) -> Shown:
    """Horizontal bars of counts by kind, the longest first; the twelve highest are shown."""
    if counts.empty:
        return _nothing(title)
    top = counts.sort_values(ascending=False).head(12)
    drawn = Figure(figsize=(9.5, 0.6 + 0.32 * len(top)))
    axes = drawn.add_subplot()
    bars = axes.barh([_shortened(kind) for kind in top.index][::-1], top.to_numpy(dtype=float)[::-1], color=_COLOURS[0])
    axes.bar_label(bars, labels=[f"{int(value):,}" for value in top[::-1]], padding=3)
    axes.set_title(title, loc="left")
    axes.spines[["top", "right", "bottom"]].set_visible(False)
    axes.xaxis.set_visible(False)
    listed = ", ".join(f"{kind} {int(value):,}" for kind, value in top.items())
    return figure(drawn, f"Bars: {title}. {listed}.")


def _frequent(values: pd.Series, most: int) -> pd.Series:
    """The most frequent values as they are, all others as one."""
    kinds = values.fillna("none").replace("", "none")
    return kinds.where(kinds.isin(kinds.value_counts().index[:most]), _OTHERS)


def _nothing(title: str, outside: str = "") -> Shown:
    text = f"{title}: {outside or 'nothing in the window'}"
    drawn = Figure(figsize=(9.5, 1.0))
    drawn.text(0.5, 0.5, text, ha="center", va="center")
    return figure(drawn, f"An empty figure: {text}.")


def _is_drawable(times: pd.Series) -> pd.Series:
    is_sane = times.between(_EARLIEST, _LATEST)
    sane = times[is_sane]
    if sane.empty or sane.max() - sane.min() <= _LONG_SPAN:
        return is_sane
    usual = sane[sane.between(sane.quantile(0.001), sane.quantile(0.999))]
    if usual.empty:
        return is_sane
    # What lies near the usual times is no outlier; so in a log that does reach over years nothing is left out.
    margin = max(usual.max() - usual.min(), _NEAR)
    return is_sane & times.between(usual.min() - margin, usual.max() + margin)


def _outside(number: int) -> str:
    if not number:
        return ""
    return f"{number:,} {'row has a time' if number == 1 else 'rows have times'} out of range"


def _bin_width(times: pd.Series) -> str:
    span = times.max() - times.min()
    return next((width for width in _BINS if span / pd.Timedelta(width) <= _MOST_BINS), _BINS[-1])


def _spoken(width: str) -> str:
    return {"1s": "second", "10s": "10 seconds", "1min": "minute", "1h": "hour", "1D": "day", "7D": "week"}.get(
        width, width.replace("min", " minutes").replace("h", " hours").replace("D", " days")
    )


def _shortened(kind: object) -> str:
    # A dollar sign would start mathematics in matplotlib, and labels are text of the log.
    text = str(kind).replace("$", r"\$")
    return text if len(text) <= 60 else text[:57] + "…"
