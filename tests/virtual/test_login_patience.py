"""Those who wait for a login that takes long, or that is given up under them."""

from __future__ import annotations

import anyio
import pytest
from virtual_clock import run

from llmgwd.cluster.auth.credentials import Credential
from llmgwd.cluster.auth.renewal import PATIENCE_S, Renewed, RenewingLogin, UnderWay
from llmgwd.errors import Transient

GIVEN = Credential({"Authorization": "Bearer x"})


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
