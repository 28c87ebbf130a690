"""The commands of the language by name: one table row a command."""

from __future__ import annotations

# The commands that are answered, each with an example.
ANSWERED = {
    "fields": "fields @timestamp, verb",
    "display": "display @timestamp, verb",
    "filter": 'filter verb = "get"',
    "where": 'where verb = "get"',
    "filterIndex": 'filterIndex verb = "get"',
    "stats": "stats count(*) by verb",
    "sort": "sort @timestamp desc",
    "limit": "limit 20",
    "dedup": "dedup verb",
    "parse": 'parse userAgent "*/*" as tool, version',
    "json": 'json field=@message "user.username" as username',
    "unnest": "unnest user.groups into member",
    "expand": "expand sourceIPs",
    "lookup": "lookup users name as user.username OUTPUT team",
    "cidrlookup": "cidrlookup networks sourceIPs.0 OUTPUT owner",
    "unmask": "unmask",
    "estimate": "estimate",
    "source": "SOURCE 'log-group'",
}

# The documented commands that are read and not answered, each with what to do instead, as it stands behind "Run it on
# CloudWatch, or instead:". Source: CloudWatch Logs User Guide, "CloudWatch Logs Insights language query syntax" (2026).
_COUNTS = "write stats count(*) as frequency by FIELD | sort frequency desc"
_WINDOWS = "run the query over both windows and compare the frames."
UNANSWERED = {
    "accum": "compute the running sum on the frame, frame[column].cumsum().",
    "addtotals": "add up the frame, frame.sum(numeric_only=True).",
    "anomaly": "compare with a baseline on the frame; the service's model is not published.",
    "appendcols": "run both queries and join the frames, left.join(right).",
    "autoregress": "shift the column on the frame, frame[column].shift(1).",
    "count_frequent": _COUNTS,
    "countfrequent": _COUNTS,
    "diff": _WINDOWS,
    "filldown": "fill the gaps on the frame, frame[column].ffill().",
    "fillmissing": "fill the gaps on the frame, frame.set_index(time).asfreq(width, fill_value=0).",
    "head": "write limit N",
    "join": "run both queries and merge the frames, or write filter FIELD in (filter ... | fields FIELD)",
    "logcompare": _WINDOWS,
    "outlier": "find them on the frame, starting with frame[column].quantile([.25, .75]).",
    "pattern": "group by fields, stats count(*) by verb, userAgent; the service's clustering is not published.",
    "relevantfields": "compare groups, stats count(*) by FIELD, responseStatus.code",
    "search": "write filter @message like /text/",
    "sessionize": "compute the gaps on the frame, frame.groupby(key)[time].diff().",
    "tail": "write sort @timestamp desc | limit N",
    "order": "write sort FIELD",
}
