"""CloudWatch Logs Insights, lossless or loud.

`source` is the source; `fetching` gets all rows of a window, `asking` those of one query, `calling` makes one call.
"""

from eks_audit_nb.sources.cloudwatch.source import CloudWatchSource, Fetched, NoEstimateError, Plan

__all__ = ["CloudWatchSource", "Fetched", "NoEstimateError", "Plan"]
