"""What the daemon knows of LiteLLM: its probe, its key, its models, and errors as clients expect.

Imports `cluster`'s errors, `net`, `config` and `system`; knows neither routes nor forwards.
"""
