"""What is recorded and how it is written: the journal of events, the log, timings, redaction.

Imports `system`, `errors` and the client's rules; every room above may record.
"""
