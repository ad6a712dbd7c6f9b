"""The control API: HTTP over a Unix socket of this user alone, described by one table of endpoints.

Sees the daemon only through `daemon.Daemon`; imports what forwards and doctor give, never `app`.
"""
