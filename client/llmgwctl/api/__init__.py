"""The daemon's API for the verbs: the client, waiting, following, and which forward is meant.

May import rules, errors, wire and paths; nothing here prints but what it waits for, on stderr.
"""
