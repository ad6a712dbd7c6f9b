"""The url route: local connections carried to a gateway behind an HTTP(S) address.

Each local connection has one upstream connection of its own, so that everything HTTP/1.1 ties to a
connection (keep-alive, 1xx, Expect, upgrades, back-pressure, an abort) means on one side what it
means on the other. Only heads are rewritten; bodies pass as they came, framing included.
"""
