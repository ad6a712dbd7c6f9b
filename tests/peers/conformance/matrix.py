"""The whole matrix: each module of rows adds its own when it is imported."""

from __future__ import annotations

from peers.conformance import cases_of_logins, cases_of_text, cases_of_users  # noqa: F401
from peers.conformance.cases import CASES

__all__ = ["CASES"]
