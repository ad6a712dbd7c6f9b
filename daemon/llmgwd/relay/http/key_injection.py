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

import anyio

from llmgwctl.rules.key_headers import KEY_HEADERS
from llmgwctl.rules.litellm_answers import KeyVerdict, judge_key
from llmgwctl.rules.placeholder import PLACEHOLDER
from llmgwctl.wire import ConditionKind
from llmgwd.errors import LlmgwError, Transient
from llmgwd.net.http1_heads import Head
from llmgwd.relay.http.web_guard import is_from_another_site
from llmgwd.system.wakeup import Wakeup

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from llmgwd.relay.http.answer import Answer

_KEY_HEADERS: Final = tuple(name.encode() for name in KEY_HEADERS)
# The first may have a scheme before its key and the second must; in the others it would be taken
# for a part of the key. LiteLLM takes what follows "Basic" for a key as it is, too.
_SCHEMES: Final = (b"bearer", b"basic")
_PLACEHOLDER: Final = PLACEHOLDER.encode()
# The new key and the one before it.
KEYS_KEPT: Final = 2
PODS_KEPT: Final = 256
# A client with a placeholder and a wrong source would have it read at each of its requests.
READ_AGAIN_S: Final = 1.0
# While there is none to put in, its source is asked this often without a request: what is shown of
# it ends when the trouble does, and is there before the first request fails.
MISSING_AGAIN_S: Final = 5.0
# A key file that was changed while the old key is still valid is noticed within this.
RENEW_S: Final = 60.0
# The API server may be away for a moment while the way to the pods stands.
READ_TRIES: Final = 3
# With the old key and the new one, at an old pod and a new one.
REJECTIONS: Final = 3
# Behind a URL no one says which pod answers: while they roll, each try may meet either kind.
REJECTIONS_BEHIND_A_URL: Final = 12
# A rejection so soon after an acceptance there means that they roll.
ROLLS_FOR_S: Final = 60.0
# With these LiteLLM rejects keys, by release; others are not looked at.
_REJECTING_STATUSES: Final = (400, 401, 403)


def takes_key(head: Head) -> bool:
    """Does it hold the placeholder, and may the key go along?

    A link on another site's page may lead here; nothing of ours goes along with it. What answers
    a TRACE repeats it to its client, all fields of it (RFC 9110, 9.3.8).
    """
    may = not (is_from_another_site(head) or head.first.startswith(b"TRACE "))
    return may and any(_holds_placeholder(name, value) for name, value in head.fields)


def with_key(head: Head, key: str) -> Head:
    """Give the head with the key wherever the placeholder stands as one.

    Besides that only the codings that its client takes are gone: an answer that was compressed on
    the way could not be judged, nor searched for the key.
    """
    return Head(head.first, tuple((name, _keyed(name, value, key)) for name, value in head.fields))


def may_reject_key(status: int) -> bool:
    return status in _REJECTING_STATUSES


def rejects_key(answer: Answer) -> bool:
    """Does this answer say that the key is unknown or expired, so that nothing was executed?"""
    if answer.content is None or answer.status is None:
        return False
    try:
        body: object = json.loads(answer.content)
    except (ValueError, RecursionError):
        return False
    return judge_key(answer.status, body).verdict is KeyVerdict.REJECTED


def is_key_placeholder(head: Head) -> bool:
    """Is the placeholder what LiteLLM takes for the key of this request?"""
    for name in _KEY_HEADERS:
        value = head.first_of(name)
        if value:
            return _holds_placeholder(name, value)
    return False


def keys_in(head: Head) -> set[str]:
    """Give what stands as a key in a request."""
    return {
        _bare(value).decode("latin-1")
        for name, value in head.fields
        if name.lower() in _KEY_HEADERS
    }


class KeyInjector:
    """`read` gives the key; with True it asks the source anew. `may_renew` says whether the source
    may be asked while the key still works, or before it is needed. `rejected` is called with each
    key that a pod did not take, `changed` when `problem` becomes another. `run` must be running.
    """

    def __init__(
        self,
        read: Callable[[bool], Awaitable[str]],
        may_renew: Callable[[], bool] = lambda: True,
        rejected: Callable[[str], None] = lambda _key: None,
        changed: Callable[[], None] = lambda: None,
    ) -> None:
        self.problem: LlmgwError | None = None  # why there is no key to put in
        self._changed = changed
        self._read = read
        self._may_renew = may_renew
        self._rejected = rejected
        self._keys: list[str] = []  # the newest first
        # By pod (None: behind a URL), the latest refusal last.
        self._refused: OrderedDict[str | None, dict[str, None]] = OrderedDict()
        self._accepted_at = float("-inf")  # behind a URL
        self._waiting: list[Callable[[LlmgwError | None], None]] = []
        self._wakeup = Wakeup()
        self._read_at = float("-inf")
        self._clock = asyncio.get_running_loop().time

    def key_for(self, pod: str | None) -> str | None:
        """Give the newest key that this pod has not refused, else the one that it refused first;
        None before one was read.
        """
        refused = self._refused.get(pod, {})
        unrefused = [key for key in self._keys if key not in refused]
        return next(iter(unrefused or [key for key in refused if key in self._keys]), None)

    def rejections_borne(self, pod: str | None) -> int:
        """How many one request may meet there."""
        return REJECTIONS_BEHIND_A_URL if self._is_rolling(pod) else REJECTIONS

    def _is_rolling(self, pod: str | None) -> bool:
        """Are there pods of both keys behind a URL?"""
        is_served = pod is None and self._clock() - self._accepted_at < ROLLS_FOR_S
        return is_served and len(self._keys) > 1

    def prepare(self, done: Callable[[LlmgwError | None], None]) -> None:
        """Call `done` once a key is known, or with the reason why there is none."""
        if not self._keys:
            self._ask(done)
            return
        if self._clock() - self._read_at >= RENEW_S and self._may_renew():
            self._wakeup.set()
        done(None)

    def accepted(self, pod: str | None, key: str) -> None:
        self._refused.get(pod, {}).pop(key, None)
        if pod is None:
            self._accepted_at = self._clock()

    def refused(self, pod: str | None, key: str, done: Callable[[LlmgwError | None], None]) -> None:
        """A pod did not take this key: find another, and call `done` when it was looked for."""
        self._rejected(key)
        refused = self._refused.setdefault(pod, {})
        refused.pop(key, None)
        refused[key] = None
        self._refused.move_to_end(pod)
        while len(self._refused) > PODS_KEPT:
            self._refused.popitem(last=False)
        has_just_read = self._clock() - self._read_at < READ_AGAIN_S
        if self.key_for(pod) not in refused or (has_just_read and self._is_rolling(pod)):
            done(None)
        else:
            self._ask(done)

    def source_changed(self) -> None:
        """Read the key again now, so that no pod has to refuse the old one first."""
        if self._keys:
            self._wakeup.set()

    def forget(self) -> None:
        """The key comes from elsewhere now, or is another gateway's."""
        self._keys.clear()
        self._refused.clear()
        self.problem = None

    def read_ahead(self) -> None:
        """Have a key before a request asks for one, unless that may trouble a person."""
        if not self._keys and self._may_renew():
            self._wakeup.set()

    async def run(self) -> NoReturn:
        """Read the key whenever it is asked for, but not again within a moment.

        A request that asks within that moment waits for its end: what was read before may be older
        than the pod that has just refused it.
        """
        while True:
            if not self._waiting:
                is_missed = self.problem is not None and self._may_renew()
                await self._wakeup.wait(MISSING_AGAIN_S if is_missed else float("inf"))
            await anyio.sleep(max(0.0, self._read_at + READ_AGAIN_S - self._clock()))
            error = await self._learn()
            self._wakeup.clear()
            waiting, self._waiting = self._waiting, []
            for done in waiting:
                done(error)

    def _ask(self, done: Callable[[LlmgwError | None], None]) -> None:
        self._waiting.append(done)
        self._wakeup.set()

    async def _learn(self) -> LlmgwError | None:
        """Ask the source; give the reason why it gave none."""
        error: LlmgwError | None = None
        for _ in range(READ_TRIES):
            is_wanted = bool(self._waiting)
            try:
                key = await self._read(is_wanted and bool(self._keys))
            except LlmgwError as unread:
                error = unread
            else:
                others = [each for each in self._keys if each != key]
                self._keys = [key, *others][:KEYS_KEPT]
                error = None
            self._read_at = self._clock()
            if not (is_wanted and isinstance(error, Transient)):
                break
            await anyio.sleep(READ_AGAIN_S)
        is_known = bool(self._keys) or (isinstance(error, Transient) and not is_wanted)
        before, self.problem = self.problem, None if is_known else _missing(error)
        if self.problem is not before:
            self._changed()
        return error


class KeyedRequest:
    """One request that our key is put into: the key of its last try, and how many were rejected.

    Where it holds another key that counts more, an answer says nothing about ours.
    """

    __slots__ = ("_injector", "_is_ours_judged", "_key", "_rejections")

    def __init__(self, injector: KeyInjector, *, is_ours_judged: bool = True) -> None:
        self._injector = injector
        self._is_ours_judged = is_ours_judged
        self._key: str | None = None
        self._rejections = 0

    def prepare(self, done: Callable[[LlmgwError | None], None]) -> None:
        self._injector.prepare(done)

    def head_for(self, head: Head, pod: str | None) -> Head:
        self._key = self._injector.key_for(pod)
        return head if self._key is None else with_key(head, self._key)

    def judge(self, answer: Answer, pod: str | None, done: Callable[[bool], None]) -> None:
        """Judge a whole answer; call `done` with whether to ask again, with another key.

        Another key is read from its source first where none is known: the answer waits for that.
        """
        key = self._key if self._is_ours_judged else None
        if key is not None and answer.status is not None and answer.status < 400:
            self._injector.accepted(pod, key)
        if key is None or not rejects_key(answer):
            done(False)
            return
        self._rejections += 1
        is_last = self._rejections > self._injector.rejections_borne(pod)

        def looked_for(_error: LlmgwError | None) -> None:
            done(not is_last and self._injector.key_for(pod) != key)

        self._injector.refused(pod, key, looked_for)

    def without_key(self, answered: bytes) -> bytes:
        """Blank the key out of an answer: LiteLLM repeats whole keys that it does not take."""
        key = b"" if self._key is None else self._key.encode("latin-1")
        return answered.replace(key, b"*" * len(key)) if key else answered


def keyed_request(injector: KeyInjector | None, head: Head) -> KeyedRequest | None:
    """Give what puts our key into this request; None where it stays as it is."""
    if injector is None or not takes_key(head):
        return None
    return KeyedRequest(injector, is_ours_judged=is_key_placeholder(head))


def _missing(error: LlmgwError | None) -> LlmgwError | None:
    """Say what it means that the source gave no key, whatever kept it from that."""
    if error is None:
        return None
    head = "there is no key to put into requests, which fail without one of their own"
    return LlmgwError(
        ConditionKind.KEY_MISSING, f"{head}: {error.message}", error.remedy, public=head
    )


def _holds_placeholder(name: bytes, value: bytes) -> bool:
    match name.lower():
        case b"authorization":
            return value != _PLACEHOLDER and _bare(value) == _PLACEHOLDER
        case b"x-litellm-api-key":
            return _bare(value) == _PLACEHOLDER
        case other:
            return other in _KEY_HEADERS and value == _PLACEHOLDER


def _bare(value: bytes) -> bytes:
    scheme, _, rest = value.partition(b" ")
    return rest.strip() if scheme.lower() in _SCHEMES else value


def _keyed(name: bytes, value: bytes, key: str) -> bytes:
    if name.lower() == b"accept-encoding":
        return b"identity"
    if _holds_placeholder(name, value):
        return value.replace(_PLACEHOLDER, key.encode("latin-1"))
    return value
