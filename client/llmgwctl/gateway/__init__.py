"""What the client knows of the gateway's users: how programs are led to it, and asking it.

May import api, rules and what is below them.
"""
