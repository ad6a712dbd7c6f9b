"""When the key is read, and which one a pod is given, on a virtual clock."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import anyio
from virtual_clock import run

from llmgwctl.wire import ConditionKind
from llmgwd.errors import Blocked, LlmgwError, Transient
from llmgwd.relay.http.key_injection import (
    PODS_KEPT,
    READ_AGAIN_S,
    RENEW_S,
    ROLLS_FOR_S,
    KeyInjector,
)

AWAY = Transient(ConditionKind.API_SERVER_UNREACHABLE, "The API server is away.")
FORBIDDEN = Blocked(ConditionKind.PERMISSION_DENIED, "This login may not get the Secret.")


class Source:
    """What gives the key, and when it was asked for which."""

    def __init__(self, *found: str | LlmgwError) -> None:
        self.found = list(found)
        self.asked: list[tuple[float, bool]] = []

    async def read(self, afresh: bool) -> str:
        self.asked.append((anyio.current_time(), afresh))
        found = self.found.pop(0) if len(self.found) > 1 else self.found[0]
        if isinstance(found, LlmgwError):
            raise found
        return found

    @property
    def times(self) -> list[float]:
        return [at for at, _ in self.asked]


async def done_by(ask: Callable[[Callable[[LlmgwError | None], None]], None]) -> LlmgwError | None:
    """Ask, and wait until it is done."""
    event, said = anyio.Event(), list[LlmgwError | None]()

    def done(error: LlmgwError | None) -> None:
        said.append(error)
        event.set()

    ask(done)
    await event.wait()
    return said[0]


def with_injector(
    source: Source,
    test: Callable[[KeyInjector], Awaitable[None]],
    may_renew: Callable[[], bool] = lambda: True,
) -> None:
    async def main() -> None:
        injector = KeyInjector(source.read, may_renew)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(injector.run)
            await test(injector)
            tasks.cancel_scope.cancel()

    run(main)


def refused_by(pod: str | None, key: str, injector: KeyInjector) -> Awaitable[LlmgwError | None]:
    return done_by(lambda done: injector.refused(pod, key, done))


def test_the_key_is_read_once_for_all_that_ask() -> None:
    source = Source("sk-one")

    async def test(injector: KeyInjector) -> None:
        assert injector.key_for("a") is None

        async with anyio.create_task_group() as tasks:
            for _ in range(100):
                tasks.start_soon(done_by, injector.prepare)

        assert injector.key_for("a") == "sk-one"
        assert source.asked == [(0.0, False)]

    with_injector(source, test)


def test_of_two_keys_each_pod_is_given_the_one_that_it_takes() -> None:
    source = Source("sk-old", "sk-new")

    async def test(injector: KeyInjector) -> None:
        await done_by(injector.prepare)
        await refused_by("new-pod", "sk-old", injector)

        assert injector.key_for("new-pod") == "sk-new"
        assert injector.key_for("old-pod") == "sk-new"
        await refused_by("old-pod", "sk-new", injector)
        assert injector.key_for("old-pod") == "sk-old"
        assert injector.key_for("new-pod") == "sk-new"
        # The other one was known: the source was not asked again.
        assert [afresh for _, afresh in source.asked] == [False, True]

    with_injector(source, test)


def test_behind_a_url_both_keys_are_tried_in_turn_while_its_pods_roll() -> None:
    source = Source("sk-old", "sk-new", "sk-new", "sk-newest")

    async def test(injector: KeyInjector) -> None:
        await done_by(injector.prepare)
        injector.accepted(None, "sk-old")
        await refused_by(None, "sk-old", injector)
        tried = []
        for _ in range(4):
            tried.append(injector.key_for(None))
            await refused_by(None, tried[-1] or "", injector)
        assert tried == ["sk-new", "sk-old", "sk-new", "sk-old"]
        # A request that is rejected later has the source asked again: there may be a third key.
        await anyio.sleep(READ_AGAIN_S)
        await refused_by(None, "sk-new", injector)
        await anyio.sleep(READ_AGAIN_S)
        await refused_by(None, "sk-old", injector)

        assert injector.key_for(None) == "sk-newest"
        assert source.times == [0.0, 1.0, 2.0, 3.0]
        assert injector.rejections_borne(None) > injector.rejections_borne("a-pod")
        await anyio.sleep(ROLLS_FOR_S)
        assert injector.rejections_borne(None) == injector.rejections_borne("a-pod")

    with_injector(source, test)


def test_a_source_is_asked_once_a_second_at_most_and_who_asks_sooner_waits() -> None:
    source = Source("sk-one", "sk-one", "sk-one", "sk-two")

    async def test(injector: KeyInjector) -> None:
        await done_by(injector.prepare)
        for _ in range(3):
            await refused_by("a", "sk-one", injector)

        assert source.times == [0.0, READ_AGAIN_S, 2 * READ_AGAIN_S, 3 * READ_AGAIN_S]
        assert injector.key_for("a") == "sk-two"

    with_injector(source, test)


def test_a_key_that_comes_back_is_given_again() -> None:
    source = Source("sk-old", "sk-new", "sk-old")

    async def test(injector: KeyInjector) -> None:
        await done_by(injector.prepare)
        await refused_by("a", "sk-old", injector)
        await refused_by("a", "sk-new", injector)

        assert injector.key_for("a") == "sk-old"
        injector.accepted("a", "sk-old")
        assert injector.key_for("a") == "sk-old"
        assert injector.key_for("b") == "sk-old"

    with_injector(source, test)


def test_a_source_that_is_away_for_a_moment_is_asked_again() -> None:
    source = Source(AWAY, AWAY, "sk-one")

    async def test(injector: KeyInjector) -> None:
        assert await done_by(injector.prepare) is None
        assert injector.key_for("a") == "sk-one"
        assert source.times == [0.0, 1.0, 2.0]

    with_injector(source, test)


def test_a_source_that_stays_away_or_refuses_is_reported() -> None:
    async def away(injector: KeyInjector) -> None:
        assert await done_by(injector.prepare) is AWAY

    async def forbidden(injector: KeyInjector) -> None:
        assert await done_by(injector.prepare) is FORBIDDEN

    with_injector(Source(AWAY), away)
    source = Source(FORBIDDEN)
    with_injector(source, forbidden)
    assert source.times == [0.0]


def test_a_key_in_use_is_read_again_now_and_then_without_a_wait() -> None:
    source = Source("sk-one", "sk-two")

    async def test(injector: KeyInjector) -> None:
        await done_by(injector.prepare)
        await anyio.sleep(RENEW_S)
        asked_at = anyio.current_time()

        assert await done_by(injector.prepare) is None
        assert anyio.current_time() == asked_at
        await anyio.sleep(0.001)

        # Not afresh: a Secret stays in memory for longer, a file does not.
        assert source.asked == [(0.0, False), (RENEW_S, False)]
        assert injector.key_for("a") == "sk-two"

    with_injector(source, test)


def test_a_command_is_not_run_again_while_its_key_works() -> None:
    source = Source("sk-one")

    async def test(injector: KeyInjector) -> None:
        await done_by(injector.prepare)
        await anyio.sleep(10 * RENEW_S)
        await done_by(injector.prepare)
        await anyio.sleep(1)

        assert source.times == [0.0]

    with_injector(source, test, may_renew=lambda: False)


def test_another_source_s_key_takes_the_place_of_those_before() -> None:
    source = Source("sk-one", "sk-two")

    async def test(injector: KeyInjector) -> None:
        await done_by(injector.prepare)

        injector.forget()

        assert injector.key_for("a") is None
        await done_by(injector.prepare)
        assert injector.key_for("a") == "sk-two"

    with_injector(source, test)


def test_pods_that_are_long_gone_are_forgotten() -> None:
    source = Source("sk-old", "sk-new")

    async def test(injector: KeyInjector) -> None:
        await done_by(injector.prepare)
        for number in range(PODS_KEPT + 50):
            await refused_by(f"pod-{number}", "sk-old", injector)

        assert len(injector._refused) == PODS_KEPT

    with_injector(source, test)
