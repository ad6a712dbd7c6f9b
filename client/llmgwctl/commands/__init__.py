"""The verbs, one file each: arguments, help and what is done.

May import every other room; no room but the entry point imports a verb.
"""
