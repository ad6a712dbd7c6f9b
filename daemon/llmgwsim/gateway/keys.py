"""Which key a request shows, and how LiteLLM answers one that it does not accept.

A wrong key without a database is a 400, as LiteLLM 1.80.0 has it; from 1.100 an expired key is a
401 and a spent budget a 429.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from llmgwsim.gateway.errors import error

if TYPE_CHECKING:
    from llmgwsim.gateway.settings import GatewaySettings
    from llmgwsim.net.request import Request


def presented_key(request: Request) -> str | None:
    """The key a request shows, in LiteLLM's order of headers; None: none at all."""
    headers = request.headers
    named = headers.get("x-litellm-api-key")
    if named:
        return named.removeprefix("Bearer ")
    authorization = headers.get("authorization")
    if authorization:
        scheme, _, key = authorization.partition(" ")
        return key.strip() if scheme.lower() in ("bearer", "basic") else ""
    for name in ("api-key", "x-api-key", "x-goog-api-key", "ocp-apim-subscription-key"):
        if headers.get(name):
            return headers[name]
    return None


def key_hash(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()


def refuse_key(key: str | None, settings: GatewaySettings) -> tuple[int, object] | None:
    """The answer to a key that is not accepted; None: it is."""
    if not settings.master_key and not settings.has_database:
        return None
    if key is None:
        return error(401, "Authentication Error, No api key passed in.", "auth_error")
    if key == "":
        text = "Malformed API Key passed in. Ensure Key has `Bearer ` prefix."
        return error(401, f"Authentication Error, {text}", "auth_error")
    if key == settings.master_key:
        return None
    if not settings.has_database:
        return error(400, "No connected db.", "no_db_connection", None)
    if not settings.is_database_reachable:
        text = "Authentication Error, All connection attempts failed"
        return error(401, text, "auth_error")
    if key in settings.keys:
        return _refuse_known(key, settings)
    if not key.startswith("sk-"):
        text = f"LiteLLM Virtual Key expected. Received={key}, expected to start with 'sk-'."
        return error(401, f"Authentication Error, {text}", "auth_error")
    digest = key_hash(key)
    text = (
        "Authentication Error, Invalid proxy server token passed. "
        f"Received API Key = sk-...{key[-4:]}, Key Hash (Token) ={digest[:4]}...{digest[-4:]}. "
        "Unable to find token in cache or `LiteLLM_VerificationTokenTable`"
    )
    return error(401, text, "token_not_found_in_db", "key")


def _refuse_known(key: str, settings: GatewaySettings) -> tuple[int, object] | None:
    entry = settings.keys[key]
    if entry.is_blocked:
        text = "Authentication Error, Key is blocked. Update via `/key/unblock` if you're admin."
        return error(401, text, "auth_error")
    if entry.is_expired:
        text = (
            "Authentication Error - Expired Key. Key Expiry time 2026-01-01 00:00:00+00:00 "
            "and current time 2026-11-23 00:00:00+00:00"
        )
        return error(401 if settings.is_newer else 400, text, "expired_key", key_hash(key))
    return None


def over_budget(key: str | None, settings: GatewaySettings) -> tuple[int, object] | None:
    entry = settings.keys.get(key or "")
    if entry is None or entry.max_budget is None or entry.spend <= entry.max_budget:
        return None
    text = f"Budget has been exceeded! Current cost: {entry.spend}, Max budget: {entry.max_budget}"
    return error(429 if settings.is_newer else 400, text, "budget_exceeded", None)
