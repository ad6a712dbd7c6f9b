"""Forwards: each one's state, conditions, health and events, and the manager of all of them.

Imports the doctor's and the routes' floor and all below it; only `control`, `service`, `app` and
`cli` import from here. Deciding (state, conditions, selection) is pure and apart from doing.
"""
