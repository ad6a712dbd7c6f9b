"""The gateway's key, put in place of a placeholder on the way to the gateway.

Programs are given the placeholder, so that the key lies in no environment, file or process list; it
stays in this process. During a rotation two keys are valid, each at some pods: a pod reads its
Secret when it starts. Both are kept, and which pod refused which.
"""

from __future__ import annotations

import asyncio
import json
from collections import OrderedDict
from typing import TYPE_CHECKING, Final, NoReturn

from llmgwctl.rules.litellm_answers import KeyVerdict, judge_key
from llmgwctl.rules.placeholder import PLACEHOLDER
from llmgwd.errors import LlmgwError
from llmgwd.net.http1_heads import Head
from llmgwd.relay.http.web_guard import is_from_another_site
from llmgwd.system.wakeup import Wakeup

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from llmgwd.relay.http.answer import Withheld

# The headers in which LiteLLM looks for a key; the first two may say "Bearer" before it.
_KEY_HEADERS: Final = frozenset(
    (b"authorization", b"x-litellm-api-key", b"x-api-key", b"x-goog-api-key", b"api-key")
)
_PLACEHOLDER: Final = PLACEHOLDER.encode()
# The new key and the one before it.
KEYS_KEPT: Final = 2
PODS_KEPT: Final = 256
# A client with a placeholder and a wrong source would have it read at each of its requests.
READ_AGAIN_S: Final = 1.0
# With the old key and the new one, at an old pod and a new one.
KEY_TRIES: Final = 4


def takes_key(head: Head) -> bool:
    """Does it hold the placeholder, and is it of a program of this machine?

    A link on another site's page may lead here; nothing of ours goes along with it.
    """
    is_programs = not is_from_another_site(head)
    return is_programs and any(_holds_placeholder(name, value) for name, value in head.fields)


def with_key(head: Head, key: str) -> Head:
    """Give the head with the key wherever the placeholder stands as one; nothing else changes."""
    return Head(
        head.first,
        tuple(
            (name, _replaced(value, key) if _holds_placeholder(name, value) else value)
            for name, value in head.fields
        ),
    )


def rejects_key(status: int, content: bytes) -> bool:
    """Does this answer say that the key is unknown or expired, so that nothing was executed?"""
    try:
        body: object = json.loads(content)
    except (ValueError, RecursionError):
        return False
    return judge_key(status, body).verdict is KeyVerdict.REJECTED


class KeyInjector:
    """`read` gives the key; with True it asks the source anew. `run` must be running."""

    def __init__(self, read: Callable[[bool], Awaitable[str]]) -> None:
        self._read = read
        self._keys: list[str] = []  # the newest first
        self._refused: OrderedDict[str | None, set[str]] = OrderedDict()  # by pod
        self._waiting: list[Callable[[LlmgwError | None], None]] = []
        self._wakeup = Wakeup()
        self._read_at = float("-inf")
        self._clock = asyncio.get_running_loop().time

    def key_for(self, pod: str | None) -> str | None:
        """Give the newest key that this pod has not refused; None before one was read."""
        refused = self._refused.get(pod, set())
        known = [key for key in self._keys if key not in refused]
        return next(iter(known or self._keys), None)

    def prepare(self, done: Callable[[LlmgwError | None], None]) -> None:
        """Call `done` once a key is known, or with the reason why there is none."""
        if self._keys:
            done(None)
        else:
            self._ask(done)

    def accepted(self, pod: str | None, key: str) -> None:
        self._refused.get(pod, set()).discard(key)

    def refused(self, pod: str | None, key: str, done: Callable[[LlmgwError | None], None]) -> None:
        """A pod did not take this key: find another, and call `done` when it was looked for."""
        self._refused.setdefault(pod, set()).add(key)
        self._refused.move_to_end(pod)
        while len(self._refused) > PODS_KEPT:
            self._refused.popitem(last=False)
        if self.key_for(pod) != key or self._clock() - self._read_at < READ_AGAIN_S:
            done(None)
        else:
            self._ask(done)

    async def run(self) -> NoReturn:
        """Read the key whenever it is asked for."""
        while True:
            await self._wakeup.wait(float("inf"))
            if not self._waiting:
                continue
            error: LlmgwError | None = None
            try:
                self._learn(await self._read(bool(self._keys)))
            except LlmgwError as unread:
                error = unread
            self._read_at = self._clock()
            waiting, self._waiting = self._waiting, []
            for done in waiting:
                done(error)

    def _ask(self, done: Callable[[LlmgwError | None], None]) -> None:
        self._waiting.append(done)
        self._wakeup.set()

    def _learn(self, key: str) -> None:
        if key not in self._keys:
            self._keys = [key, *self._keys][:KEYS_KEPT]


class KeyedRequest:
    """One request that our key is put into: the key of its last try, and how many there were."""

    __slots__ = ("_injector", "_key", "tries")

    def __init__(self, injector: KeyInjector) -> None:
        self.tries = 0
        self._injector = injector
        self._key: str | None = None

    def head_for(self, head: Head, pod: str | None) -> Head:
        self.tries += 1
        self._key = self._injector.key_for(pod)
        return head if self._key is None else with_key(head, self._key)

    def judge(
        self,
        status: int,
        withheld: Withheld | None,
        pod: str | None,
        done: Callable[[bool], None],
    ) -> None:
        """Judge a whole answer; call `done` with whether to ask again, with another key.

        Another one is read from its source first where none is known: the answer waits for that.
        """
        key = self._key
        if key is None or withheld is None:
            if key is not None:
                self._injector.accepted(pod, key)
            done(False)
        elif self.tries < KEY_TRIES and rejects_key(status, bytes(withheld.content)):
            self._injector.refused(
                pod, key, lambda _error: done(self._injector.key_for(pod) != key)
            )
        else:
            done(False)


def _holds_placeholder(name: bytes, value: bytes) -> bool:
    return name.lower() in _KEY_HEADERS and _bare(value) == _PLACEHOLDER


def _bare(value: bytes) -> bytes:
    scheme, _, rest = value.partition(b" ")
    return rest.strip() if scheme.lower() == b"bearer" else value


def _replaced(value: bytes, key: str) -> bytes:
    return value.replace(_PLACEHOLDER, key.encode("latin-1"))
