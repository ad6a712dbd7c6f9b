"""The local ports: bound before anything else, accepted from, and let go last.

It may import the relay, which takes each accepted connection, and what lies below it.
"""
