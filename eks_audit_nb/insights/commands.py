"""The documented commands that are read and not answered, each with what to use instead: one table row a command."""

from __future__ import annotations

# Source: CloudWatch Logs User Guide, "CloudWatch Logs Insights language query syntax" (autumn 2026).
UNANSWERED = {
    "accum": "Compute the running sum on the frame: frame[column].cumsum().",
    "addtotals": "Add up the frame: frame.sum(numeric_only=True).",
    "anomaly": "Its model is not published; compare with a baseline on the frame.",
    "appendcols": "Run both queries and join the frames: left.join(right).",
    "autoregress": "Shift on the frame: frame[column].shift(1).",
    "count_frequent": "Write: stats count(*) as frequency by FIELD | sort frequency desc",
    "countfrequent": "Write: stats count(*) as frequency by FIELD | sort frequency desc",
    "diff": "Run the query over both windows and compare the frames.",
    "filldown": "Fill on the frame: frame[column].ffill().",
    "fillmissing": "Fill on the frame: frame.set_index(time).asfreq(width, fill_value=0).",
    "head": "Write: limit N",
    "join": "Run both queries and merge the frames, or write: filter FIELD in (fields FIELD | filter ...)",
    "logcompare": "Run the query over both windows and compare the frames.",
    "outlier": "Compute it on the frame: frame[column].quantile([.25, .75]).",
    "pattern": "Its clustering is not published; group instead: stats count(*) by verb, objectRef.resource",
    "relevantfields": "Compare groups with stats: stats count(*) by FIELD, responseStatus.code",
    "search": "Write: filter @message like /text/",
    "sessionize": "Compute gaps on the frame: frame.groupby(key)[time].diff().",
    "tail": "Write: sort @timestamp desc | limit N",
    "order": "Write: sort FIELD",
}
