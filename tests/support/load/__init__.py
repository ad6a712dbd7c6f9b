"""Clients that keep asking, and the ledger of what became of each request."""
