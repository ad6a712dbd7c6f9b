"""Logins are renewed in time, after a refusal or a change, and never in a storm."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

import pytest
from aiohttp import web
from login_plugin import Clock, Script, problem_of

from llmgwctl.wire import ConditionKind
from llmgwd.cluster.access import open_access
from llmgwd.cluster.auth.credentials import Credential
from llmgwd.cluster.auth.renewal import RETRY_FAILED_S, Renewed, RenewingLogin
from llmgwd.errors import Blocked, Transient
from support.scripted_api import VERSION, kubeconfig, serving

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = pytest.mark.anyio


def page() -> web.Response:
    return web.Response(text="<html>Log in.</html>", content_type="text/html", status=401)


def page_by_no_name() -> web.Response:
    return web.Response(body=b"\xef\xbb\xbf <!DOCTYPE html>", status=401)


@pytest.mark.parametrize("refusal", [None, page, page_by_no_name])
async def test_a_token_that_is_refused_is_renewed_by_one_run(
    tmp_path: Path, refusal: Callable[[], web.Response] | None
) -> None:
    script = Script(tmp_path, "give(token=(folder / 'token').read_text())")
    (tmp_path / "token").write_text("first")
    async with serving() as api:
        api.answers["/version"] = VERSION
        api.tokens = {"first"}
        api.refuses_with = refusal or api.refuses_with
        access = await open_access(kubeconfig(tmp_path, api, script.user()), None)
        await access.version()

        api.tokens = {"second"}
        (tmp_path / "token").write_text("second")
        versions = await asyncio.gather(*(access.version() for _ in range(10)))

        assert versions == ["v1.36.2"] * 10
        assert script.runs == 2
        await access.close()


@pytest.mark.parametrize("refusal", [page, page_by_no_name])
async def test_a_page_in_the_way_renews_once_and_blocks_no_login(
    tmp_path: Path, refusal: Callable[[], web.Response]
) -> None:
    script = Script(tmp_path, "give(token='right')")
    async with serving() as api:
        api.answers["/version"] = VERSION
        api.refuses_with = refusal
        access = await open_access(kubeconfig(tmp_path, api, script.user()), None)
        await access.version()

        api.tokens = set()
        errors = [await problem_of(access) for _ in range(5)]
        api.tokens = None

        assert {(type(error), error.code) for error in errors} == {
            (Transient, ConditionKind.API_SERVER_FAILING)
        }
        assert await access.version() == "v1.36.2"
        assert script.runs == 2
        await access.close()


async def test_a_watch_that_meets_an_expired_token_opens_with_a_new_one(tmp_path: Path) -> None:
    script = Script(tmp_path, "give(token=(folder / 'token').read_text())")
    (tmp_path / "token").write_text("first")
    async with serving() as api:
        api.answers |= {"/version": VERSION, "/api/v1/namespaces/n/pods/p/log": VERSION}
        api.tokens = {"first"}
        access = await open_access(kubeconfig(tmp_path, api, script.user()), None)
        await access.version()

        api.tokens = {"second"}
        (tmp_path / "token").write_text("second")

        async with access.pod_log("p", "n", {}, 5) as lines:
            assert [json.loads(line) async for line in lines] == [VERSION]
        assert script.runs == 2
        await access.close()


async def test_a_token_that_was_never_accepted_is_not_renewed_in_a_loop(tmp_path: Path) -> None:
    script = Script(tmp_path, "give(token='wrong')")
    async with serving() as api:
        api.tokens = {"right"}
        access = await open_access(kubeconfig(tmp_path, api, script.user()), None)

        errors = [await problem_of(access) for _ in range(20)]

        assert {error.code for error in errors} == {ConditionKind.LOGIN_EXPIRED}
        assert script.runs == 1
        assert api.refused == 1
        await access.close()


async def test_a_failing_plugin_runs_again_only_when_a_file_of_its_login_changes(
    tmp_path: Path,
) -> None:
    login = tmp_path / "login"
    script = Script(tmp_path, "give(token=Path(os.environ['LOGIN']).read_text())")
    user = script.user(env=[{"name": "LOGIN", "value": str(login)}])
    async with serving() as api:
        api.answers["/version"] = VERSION
        api.tokens = {"T"}
        access = await open_access(kubeconfig(tmp_path, api, user), None)
        for _ in range(20):
            await problem_of(access)
            access.forget_login()
        assert script.runs == 1

        assert str(login) in access.credential_files
        login.write_text("T")
        access.forget_login()

        assert await access.version() == "v1.36.2"
        assert script.runs == 2
        await access.close()


async def test_what_a_failing_plugin_writes_itself_is_no_news(tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    script = Script(tmp_path, "Path(sys.argv[1]).write_text(str(time.time_ns())); sys.exit(3)")
    async with serving() as api:
        path = kubeconfig(tmp_path, api, script.user(args=[str(cache)]))
        access = await open_access(path, None)
        for _ in range(5):
            error = await problem_of(access)
            access.forget_login()

        assert script.runs == 1
        assert "status 3, and nothing" in error.message
        await access.close()


def renewing(clock: Clock, lives_s: float | None) -> tuple[RenewingLogin, list[float]]:
    runs: list[float] = []

    async def renew() -> Renewed:
        runs.append(clock.now)
        ends = None if lives_s is None else clock.now + lives_s
        return Renewed(Credential({"Authorization": f"Bearer {len(runs)}"}), ends)

    login = RenewingLogin(renew, files=(), remedy="", wall_clock=clock, clock=clock)
    return login, runs


@pytest.mark.parametrize(("lives_s", "renewed_at"), [(900.0, 840.0), (60.0, 48.0)])
async def test_a_credential_is_renewed_ahead_of_its_end_and_nobody_waits(
    lives_s: float, renewed_at: float
) -> None:
    clock = Clock()
    login, runs = renewing(clock, lives_s)
    first = await login.current()

    clock.now = 1000.0 + renewed_at - 0.1
    assert await login.current() is first
    await asyncio.sleep(0)
    assert len(runs) == 1
    clock.now = 1000.0 + renewed_at
    assert await login.current() is first  # the old one is good still, and handed out at once
    await asyncio.sleep(0)
    assert len(runs) == 2
    assert await login.current() is not first


async def test_a_credential_that_ended_while_the_machine_slept_is_not_used() -> None:
    clock = Clock()
    login, runs = renewing(clock, 60.0)
    first = await login.current()

    clock.now += 3600.0

    assert await login.current() is not first
    assert len(runs) == 2


async def test_a_failed_login_is_tried_again_after_thirty_seconds_exactly() -> None:
    clock, runs = Clock(), 0

    async def renew() -> Renewed:
        nonlocal runs
        runs += 1
        raise Blocked(ConditionKind.LOGIN_EXPIRED, "no")

    login = RenewingLogin(renew, files=(), remedy="", wall_clock=clock, clock=clock)
    seen = []
    for second in range(int(2 * RETRY_FAILED_S) + 1):
        clock.now = 1000.0 + second
        with pytest.raises(Blocked):
            await login.current()
        seen.append(runs)

    assert (seen[0], seen[29], seen[30], seen[59], seen[60]) == (1, 1, 2, 2, 3)


async def test_a_watched_file_that_is_written_all_the_time_makes_no_storm(tmp_path: Path) -> None:
    clock, runs, file = Clock(), 0, tmp_path / "a-log-that-the-login-script-names"

    async def renew() -> Renewed:
        nonlocal runs
        runs += 1
        raise Blocked(ConditionKind.LOGIN_EXPIRED, "no")

    login = RenewingLogin(renew, files=[str(file)], remedy="", wall_clock=clock, clock=clock)
    for second in range(60):
        clock.now = 1000.0 + second
        file.write_text("x" * second)
        login.forget()
        with pytest.raises(Blocked):
            await login.current()

    assert 4 <= runs <= 12


async def test_a_login_accepted_and_refused_by_turns_makes_no_storm() -> None:
    clock = Clock()
    login, runs = renewing(clock, None)

    for _ in range(50):
        try:
            credential = await login.current()
        except Blocked:
            continue
        login.accept(credential)
        login.reject(credential)

    assert len(runs) == 4  # the first, and three in half a minute


async def test_a_refusal_of_an_older_credential_spares_the_newer_one() -> None:
    clock = Clock()
    login, runs = renewing(clock, None)
    first = await login.current()
    login.accept(first)
    login.reject(first)
    second = await login.current()

    assert login.reject(first)
    assert await login.current() is second
    assert len(runs) == 2
