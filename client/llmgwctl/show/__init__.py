"""What is shown on a terminal: tables, charts, events, logs, the live view. Pure but for `live`.

May import api (only `live` does), rules and wire.
"""
