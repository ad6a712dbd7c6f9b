"""The thin client of llmgwd, and the contract both sides share."""

__version__ = "0.1.0"
