"""The simulated API server: who asks, whether they may, what they get, which upgrades it takes.

Imports portforward, world and net.
"""
