"""The gateway's list of models: asked for with its key, kept, and renewed when it has grown old.

A reader never waits: the list is given as it is known, and renewed behind it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Final

import anyio

from llmgwd.errors import LlmgwError
from llmgwd.gateway.answer import Answer, Connect, NotHttp
from llmgwd.gateway.key_question import ask_about

if TYPE_CHECKING:
    from llmgwctl.rules.litellm_answers import KeyVerdict
    from llmgwd.gateway.key import Key

# A gateway's models change by deployment, not by the minute.
KEEP_S: Final = 300.0
# Where it gave no list: soon enough for a person who tries again, too rare to fill its log.
AGAIN_S: Final = 10.0
_ASK_S: Final = 10.0


class ModelList:
    """The list of one gateway. `key` gives the key, or raises that there is none; `judged` is
    called with what each answer proves about it.
    """

    def __init__(
        self,
        key: Callable[[], Awaitable[Key]],
        judged: Callable[[Key, KeyVerdict], None] = lambda _key, _verdict: None,
    ) -> None:
        self.names: tuple[str, ...] = ()
        self._key = key
        self._judged = judged
        self._got_at: float | None = None
        self._tried_at: float | None = None

    @property
    def age_s(self) -> float | None:
        """How old the list is; None while there is none."""
        return None if self._got_at is None else anyio.current_time() - self._got_at

    def is_due(self) -> bool:
        """Is it time to ask again?"""
        now = anyio.current_time()
        if self._tried_at is not None and now - self._tried_at < AGAIN_S:
            return False
        return self._got_at is None or now - self._got_at >= KEEP_S

    async def renew(self, connect: Connect) -> None:
        """Ask the gateway; where it gives no list, what was known stays. Raises nothing of it."""
        self._tried_at = anyio.current_time()
        try:
            with anyio.fail_after(_ASK_S):
                key = await self._key()
                judgement, answer = await ask_about(connect, key.value)
        except (LlmgwError, TimeoutError, NotHttp, OSError, EOFError):
            # Status and doctor report a gateway or a key that fails; this is a convenience.
            return
        self._judged(key, judgement.verdict)
        if answer.status == 200 and answer.is_whole:
            self.names, self._got_at = tuple(names_in(answer)), anyio.current_time()


def names_in(answer: Answer) -> list[str]:
    """Read the answer to GET /v1/models."""
    body = answer.json
    entries = body.get("data") if isinstance(body, dict) else None
    return sorted(str(each.get("id")) for each in entries or () if isinstance(each, dict))
