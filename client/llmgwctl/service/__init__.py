"""llmgwd as a service that runs from login on, under systemd or launchd.

May import show, api, rules and what is below them.
"""
