"""The embedded engine: answers an Insights query over audit events with DuckDB.

`store` holds the events, `compiler` turns a tree into one SQL statement whose every constant is a bound parameter,
`expressions` does so for a single expression, `fields` finds a dotted name in an event, `macros` are the rules of the
language as SQL. No text of a query ever becomes SQL.
"""
