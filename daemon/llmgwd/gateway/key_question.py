"""Asking the gateway about a key: GET /v1/models is free, and needs a key in every release."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llmgwctl.rules.litellm_answers import judge_key
from llmgwd.gateway.answer import exchange

if TYPE_CHECKING:
    from llmgwctl.rules.litellm_answers import Judgement
    from llmgwd.gateway.answer import Answer, Connect


async def ask_about(connect: Connect, key: str) -> tuple[Judgement, Answer]:
    """Give what the gateway's answer proves about the key, and the answer: its list of models.

    The caller bounds the time.

    Raises:
        NotHttp, OSError, EOFError, LlmgwError: there was no answer.
    """
    answer = await exchange(connect, "/v1/models", {"Authorization": f"Bearer {key}"})
    return judge_key(answer.status, answer.content, key), answer
