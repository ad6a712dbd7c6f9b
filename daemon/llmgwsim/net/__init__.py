"""The simulated network: wires with round trips and black holes, TLS, and an HTTP/1.1 server.

Imports no other room.
"""
