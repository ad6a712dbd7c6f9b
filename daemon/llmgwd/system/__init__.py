"""What the daemon needs of the machine and of time: retries, wake-ups, supervision, files, signals.

Imports `errors` and the client's wire and paths; nothing of the daemon's that forwards anything.
"""
