"""Audit logs made ready for asking: a folder of columns, the lines themselves, and a manifest.

`writer` makes one from files, `store` answers queries over it, `cache` keeps those made on the way, `verify` checks
one.
"""
