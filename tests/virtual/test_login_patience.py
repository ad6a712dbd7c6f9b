"""Those who wait for a login that takes long, or that is given up under them."""

from __future__ import annotations

import anyio
import pytest
from virtual_clock import run

from llmgwd.cluster.auth.credentials import Credential
from llmgwd.cluster.auth.renewal import (
    PATIENCE_S,
    RETRY_FAILED_S,
    Renewed,
    RenewingLogin,
    UnderWay,
)
from llmgwd.errors import Blocked, LlmgwError, Transient

GIVEN = Credential({"Authorization": "Bearer x"})
FAILED = Blocked("login-expired", "the login plugin corp failed: log in")


def _login(takes_s: float) -> RenewingLogin:
    async def renew() -> Renewed:
        await anyio.sleep(takes_s)
        return Renewed(GIVEN, None)

    return RenewingLogin(renew, files=(), remedy="log in", name="the login plugin corp")


def test_a_login_that_takes_long_is_named_and_goes_on() -> None:
    async def main() -> None:
        login = _login(PATIENCE_S + 1)

        with pytest.raises(UnderWay, match="plugin corp has not ended for 3 s"):
            await login.current()
        assert anyio.current_time() == PATIENCE_S
        assert await login.current() is GIVEN
        assert anyio.current_time() == PATIENCE_S + 1

    run(main)


def test_a_login_that_failed_has_failed_until_a_retry_succeeds() -> None:
    async def main() -> None:
        runs = 0

        async def renew() -> Renewed:
            nonlocal runs
            runs += 1
            await anyio.sleep(PATIENCE_S + 1)
            if runs == 1:
                raise FAILED
            return Renewed(GIVEN, None)

        login = RenewingLogin(
            renew, files=(), remedy="", wall_clock=anyio.current_time, clock=anyio.current_time
        )
        raised = []
        for _ in range(2):
            with pytest.raises(LlmgwError) as caught:
                await login.current()
            raised.append(caught.value)
        await anyio.sleep(RETRY_FAILED_S)
        with pytest.raises(LlmgwError) as caught:
            await login.current()

        # The second run was under way, and no one knew more than before.
        assert runs == 2
        assert caught.value is raised[1] is FAILED
        assert await login.current() is GIVEN

    run(main)


def test_a_login_that_was_over_when_it_was_made_is_used_until_it_is_refused() -> None:
    async def main() -> None:
        runs = 0

        async def renew() -> Renewed:
            nonlocal runs
            runs += 1
            return Renewed(GIVEN, 1_000.0)

        login = RenewingLogin(
            renew, files=(), remedy="", wall_clock=lambda: 2_000.0, clock=anyio.current_time
        )
        for _ in range(100):
            assert await login.current() is GIVEN
            await anyio.sleep(1.0)
        assert runs == 1

        assert login.reject(GIVEN) is False
        with pytest.raises(Blocked, match="by this machine's clock had ended before it was made"):
            await login.current()

    run(main)


def test_a_login_that_is_given_up_cancels_no_one_who_waits_for_it() -> None:
    caught: list[Exception] = []

    async def main() -> None:
        login = _login(100.0)

        async def wait() -> None:
            try:
                await login.current()
            except Transient as error:
                caught.append(error)

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(wait)
            await anyio.sleep(1.0)
            await login.close()
            await anyio.sleep(1.0)
        assert anyio.current_time() == 2.0

    run(main)
    assert "read anew" in str(caught[0])
