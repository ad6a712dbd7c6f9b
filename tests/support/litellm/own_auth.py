"""A gateway's own check of keys (`general_settings.custom_auth`): one key is good."""

from __future__ import annotations

from fastapi import Request  # noqa: TC002 - read at run time, by LiteLLM
from litellm.proxy._types import UserAPIKeyAuth


async def judge(_request: Request, api_key: str) -> UserAPIKeyAuth:
    if api_key != "sk-own":
        raise ValueError("I do not know you.")
    return UserAPIKeyAuth(api_key=api_key)
