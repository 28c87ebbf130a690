"""From a cluster's log group to a lasting case.

`cluster` is the way from the first question to the case, `begun` what is on disk before there is one, `proof` compares
the service's counts with what is held, `finishing` makes the case and mends it, `alone` keeps a second run away.
"""

from eks_audit_nb.collecting.cluster import NoEventsError, collect_cluster

__all__ = ["NoEventsError", "collect_cluster"]
