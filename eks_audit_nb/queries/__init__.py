"""The questions: one .cwli file each, Insights text under a header of comments; and the loader that binds parameters.

A header's first line is the title. `# key: value` lines follow: `question`, `origin`, and one `parameter` line for each
placeholder, `# parameter NAME: TYPE = DEFAULT  help`, with TYPE one of string, number, period, list.
"""

from eks_audit_nb.queries.library import ShippedQuery, list_queries, load, prepare

__all__ = ["ShippedQuery", "list_queries", "load", "prepare"]
