"""CloudWatch Logs Insights, lossless or loud.

`source` is the source; `fetching` gets all rows of a window, `asking` those of one query, `calling` makes one call by
the `client`; `arranging` puts what came into the query's order, `cost` says what it will scan.
"""

from eks_audit_nb.sources.cloudwatch.source import UNSETTLED_MS, CloudWatchSource, Fetched, Plan

__all__ = ["UNSETTLED_MS", "CloudWatchSource", "Fetched", "Plan"]
