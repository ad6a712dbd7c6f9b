"""Logins by a plugin or a provider: run seldom, renewed in time, and clear when they fail."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import signal
import stat
import sys
import textwrap
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import anyio
import pytest
import yaml
from aiohttp import web
from scripted_api import kubeconfig, serving

from llmgwctl.wire import ConditionKind
from llmgwd.cluster.access import ClusterAccess, open_access
from llmgwd.cluster.auth import exec_plugin
from llmgwd.cluster.auth.credentials import Credential
from llmgwd.cluster.auth.renewal import RETRY_FAILED_S, Renewed, RenewingLogin, Unattended
from llmgwd.errors import Blocked, LlmgwError, Transient
from llmgwsim.net.tls import Authority

pytestmark = pytest.mark.anyio
V1 = "client.authentication.k8s.io/v1"
VERSION = {"gitVersion": "v1.36.2"}


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class Script:
    """A plugin whose runs are counted in a file; it does what `body` (Python) says."""

    def __init__(self, folder: Path, body: str) -> None:
        self._runs = folder / "runs"
        self._runs.touch()
        path = folder / "login-plugin"
        prelude = f"""\
            #!{sys.executable}
            import json, os, sys, time
            from pathlib import Path
            folder = Path({str(folder)!r})
            with open(folder / "runs", "a") as file:
                file.write("x")
            def give(**status):
                kind = "ExecCredential"
                print(json.dumps({{"apiVersion": "{V1}", "kind": kind, "status": status}}))
            """
        path.write_text(textwrap.dedent(prelude) + textwrap.dedent(body))
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
        self.path = str(path)

    @property
    def runs(self) -> int:
        return len(self._runs.read_text())

    def user(self, **changes: Any) -> dict[str, Any]:
        return {"exec": {"apiVersion": V1, "command": self.path, **changes}}


async def problem_of(access: ClusterAccess) -> LlmgwError:
    with pytest.raises(LlmgwError) as caught:
        await access.version()
    return caught.value


async def test_a_plugin_runs_once_for_many_callers_and_its_token_is_kept(tmp_path: Path) -> None:
    script = Script(tmp_path, "give(token='T')")
    async with serving() as api:
        api.answers["/version"] = VERSION
        api.tokens = {"T"}
        access = await open_access(kubeconfig(tmp_path, api, script.user()), None)

        await asyncio.gather(*(access.version() for _ in range(10)))
        await access.version()

        assert script.runs == 1
        assert api.refused == 0
        await access.close()


async def test_a_token_that_is_refused_is_renewed_by_one_run(tmp_path: Path) -> None:
    script = Script(tmp_path, "give(token=(folder / 'token').read_text())")
    (tmp_path / "token").write_text("first")
    async with serving() as api:
        api.answers["/version"] = VERSION
        api.tokens = {"first"}
        access = await open_access(kubeconfig(tmp_path, api, script.user()), None)
        await access.version()

        api.tokens = {"second"}
        (tmp_path / "token").write_text("second")
        versions = await asyncio.gather(*(access.version() for _ in range(10)))

        assert versions == ["v1.36.2"] * 10
        assert script.runs == 2
        await access.close()


async def test_a_watch_that_meets_an_expired_token_opens_with_a_new_one(tmp_path: Path) -> None:
    script = Script(tmp_path, "give(token=(folder / 'token').read_text())")
    (tmp_path / "token").write_text("first")
    async with serving() as api:
        api.answers |= {"/version": VERSION, "/log": VERSION}
        api.tokens = {"first"}
        access = await open_access(kubeconfig(tmp_path, api, script.user()), None)
        await access.version()

        api.tokens = {"second"}
        (tmp_path / "token").write_text("second")

        async with access.stream("/log", {}, 5) as lines:
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


async def test_a_failed_login_shows_the_plugins_last_word_and_the_command(tmp_path: Path) -> None:
    script = Script(
        tmp_path,
        """
        print("some noise", file=sys.stderr)
        print("Your session has expired, please log in", file=sys.stderr)
        sys.exit(1)
        """,
    )
    async with serving() as api:
        access = await open_access(kubeconfig(tmp_path, api, script.user()), None)

        error = await problem_of(access)

        assert isinstance(error, Blocked)
        assert error.code == ConditionKind.LOGIN_EXPIRED
        assert error.message.endswith("failed: Your session has expired, please log in")
        assert "kubectl --context test" in error.remedy
        assert "\n" not in error.message
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


async def test_a_plugin_that_speaks_of_the_network_is_tried_again(tmp_path: Path) -> None:
    body = "print('dial tcp: lookup sts: no such host', file=sys.stderr); sys.exit(1)"
    script = Script(tmp_path, body)
    async with serving() as api:
        access = await open_access(kubeconfig(tmp_path, api, script.user()), None)

        assert isinstance(await problem_of(access), Transient)
        await access.close()


async def test_a_plugin_sees_a_closed_stdin_and_no_terminal(tmp_path: Path) -> None:
    script = Script(
        tmp_path,
        """
        info = json.loads(os.environ["KUBERNETES_EXEC_INFO"])
        read = sys.stdin.read()
        give(token=f"{read!r}-{info['spec']['interactive']}-{os.environ['MINE']}-{sys.argv[1]}")
        """,
    )
    async with serving() as api:
        api.answers["/version"] = VERSION
        api.tokens = {"''-False-yes-arg"}
        user = script.user(args=["arg"], env=[{"name": "MINE", "value": "yes"}])
        access = await open_access(kubeconfig(tmp_path, api, user), None)

        assert await access.version() == "v1.36.2"
        await access.close()


async def test_a_plugin_is_told_of_the_cluster_where_it_wants_to_be(tmp_path: Path) -> None:
    script = Script(
        tmp_path,
        """
        cluster = json.loads(os.environ["KUBERNETES_EXEC_INFO"])["spec"]["cluster"]
        give(token=cluster["server"] + cluster["config"]["audience"])
        """,
    )
    async with serving() as api:
        api.answers["/version"] = VERSION
        api.tokens = {f"{api.url}me"}
        extension = {"name": "client.authentication.k8s.io/exec", "extension": {"audience": "me"}}
        path = kubeconfig(
            tmp_path, api, script.user(provideClusterInfo=True), extensions=[extension]
        )
        access = await open_access(path, None)

        assert await access.version() == "v1.36.2"
        await access.close()


async def test_a_plugin_that_does_not_end_is_ended_with_all_it_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exec_plugin, "PLUGIN_S", 1.0)
    script = Script(
        tmp_path,
        """
        child = os.fork()
        if child:
            (folder / "child").write_text(str(child))
        time.sleep(600)
        """,
    )
    async with serving() as api:
        access = await open_access(kubeconfig(tmp_path, api, script.user()), None)

        error = await problem_of(access)

        assert error.code == ConditionKind.LOGIN_EXPIRED
        assert "did not end within 1 s" in error.message
        await _gone(int((tmp_path / "child").read_text()))
        await access.close()


async def _gone(pid: int) -> None:
    """Wait until a process has ended (a zombie, whose parent died with it, counts as gone)."""
    with anyio.fail_after(10):
        while True:
            shown = await anyio.run_process(["ps", "-o", "stat=", "-p", str(pid)], check=False)
            if not shown.stdout.strip() or shown.stdout.startswith(b"Z"):
                return
            await anyio.sleep(0.02)


async def test_a_plugin_that_leaves_somebody_behind_with_its_pipes_is_done(tmp_path: Path) -> None:
    script = Script(
        tmp_path,
        """
        give(token="T")
        sys.stdout.flush()
        if os.fork() == 0:
            os.setsid()
            (folder / "left").write_text(str(os.getpid()))
            time.sleep(600)
        while not (folder / "left").exists():
            time.sleep(0.01)
        """,
    )
    async with serving() as api:
        api.answers["/version"] = VERSION
        api.tokens = {"T"}
        access = await open_access(kubeconfig(tmp_path, api, script.user()), None)
        try:
            with anyio.fail_after(15):
                assert await access.version() == "v1.36.2"
        finally:
            os.kill(int((tmp_path / "left").read_text()), signal.SIGKILL)
        await access.close()


async def test_a_plugin_outlives_the_caller_that_lost_patience(tmp_path: Path) -> None:
    script = Script(
        tmp_path,
        """
        while not (folder / "go").exists():
            time.sleep(0.01)
        give(token="T")
        """,
    )
    async with serving() as api:
        api.answers["/version"] = VERSION
        api.tokens = {"T"}
        access = await open_access(kubeconfig(tmp_path, api, script.user()), None)
        with anyio.move_on_after(0.1):
            await access.version()

        (tmp_path / "go").touch()

        assert await access.version() == "v1.36.2"
        assert script.runs == 1
        await access.close()


async def test_a_plugin_that_is_not_installed_shows_the_hint_to_install_it(tmp_path: Path) -> None:
    user = {
        "exec": {"apiVersion": V1, "command": "corp-login-7", "installHint": "brew install\n corp"}
    }
    async with serving() as api:
        access = await open_access(kubeconfig(tmp_path, api, user), None)

        error = await problem_of(access)

        assert error.code == ConditionKind.LOGIN_PLUGIN_FAILED
        assert "corp-login-7: No such file" in error.message
        assert error.remedy == "brew install corp"
        await access.close()


async def test_a_login_that_waits_for_somebody_opens_no_window_every_half_minute() -> None:
    clock, runs = Clock(), 0

    async def renew() -> Renewed:
        nonlocal runs
        runs += 1
        raise Unattended(ConditionKind.LOGIN_EXPIRED, "nobody there")

    login = RenewingLogin(renew, files=(), remedy="", wall_clock=clock, clock=clock)
    for _ in range(600):
        clock.now += 1.0
        with pytest.raises(Blocked):
            await login.current()

    assert runs == 2


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"interactiveMode": "Always"}, "interactiveMode is Always"),
        ({"apiVersion": "client.authentication.k8s.io/v1alpha1"}, "apiVersion is"),
        ({"command": ""}, "command is missing"),
        ({"env": ["A=1"]}, "env is not a list of name and value"),
        ({"args": "one"}, "args is not allowed"),
    ],
)
async def test_a_plugin_that_cannot_work_is_refused_when_opened(
    tmp_path: Path, changes: dict[str, Any], words: str
) -> None:
    script = Script(tmp_path, "give(token='T')")
    async with serving() as api:
        with pytest.raises(Blocked, match=words):
            await open_access(kubeconfig(tmp_path, api, script.user(**changes)), None)


async def test_a_certificate_from_a_plugin_is_shown_to_the_server(tmp_path: Path) -> None:
    authority = Authority()
    authority.client("jane").write_pem(tmp_path, "jane")
    script = Script(
        tmp_path,
        """
        chain, key = ((folder / name).read_text() for name in ("jane.crt", "jane.key"))
        give(clientCertificateData=chain, clientKeyData=key)
        """,
    )
    async with serving(authority, asks_for_certificate=True) as api:
        api.answers["/version"] = VERSION
        access = await open_access(kubeconfig(tmp_path, api, script.user()), None)

        assert await access.version() == "v1.36.2"
        await access.close()


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


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


def jwt(expires_at: datetime, name: str) -> str:
    claims = json.dumps({"exp": expires_at.timestamp(), "sub": name}).encode()
    return f"e30.{base64.urlsafe_b64encode(claims).decode().rstrip('=')}.c2ln"


def saved_tokens(path: str) -> tuple[str, str]:
    document = yaml.safe_load(Path(path).read_text())
    saved = document["users"][0]["user"]["auth-provider"]["config"]
    return saved["id-token"], saved["refresh-token"]


async def test_an_openid_login_is_refreshed_and_the_new_tokens_are_saved(tmp_path: Path) -> None:
    now = datetime.now(UTC)
    old, new = jwt(now - timedelta(hours=1), "old"), jwt(now + timedelta(hours=1), "new")
    forms: list[dict[str, Any]] = []

    async def give(request: web.Request) -> web.Response:
        forms.append({**await request.post(), "login": request.headers.get("Authorization")})
        return web.json_response({"id_token": new, "refresh_token": "R2"})

    async with serving() as provider, serving() as api:
        provider.answers["/.well-known/openid-configuration"] = {
            "token_endpoint": f"{provider.url}/token"
        }
        provider.answers["/token"] = give
        api.answers["/version"] = VERSION
        api.tokens = {new}
        config = {
            "idp-issuer-url": provider.url,
            "idp-certificate-authority-data": base64.b64encode(provider.authority.pem).decode(),
            "client-id": "kubectl",
            "id-token": old,
            "refresh-token": "R1",
        }
        user = {"auth-provider": {"name": "oidc", "config": config}}
        path = kubeconfig(tmp_path, api, user)
        access = await open_access(path, None)

        assert await access.version() == "v1.36.2"
        await access.close()

    assert [form["refresh_token"] for form in forms] == ["R1"]
    assert saved_tokens(path) == (new, "R2")
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o600


async def test_an_openid_provider_that_is_not_trusted_gets_no_refresh_token(tmp_path: Path) -> None:
    async with serving() as provider, serving() as api:
        config = {"idp-issuer-url": provider.url, "client-id": "k", "refresh-token": "R1"}
        user = {"auth-provider": {"name": "oidc", "config": config}}
        access = await open_access(kubeconfig(tmp_path, api, user), None)

        error = await problem_of(access)

        assert isinstance(error, Transient)
        assert "cannot reach the login provider" in error.message
        assert provider.requests == []
        await access.close()


async def test_an_openid_login_that_is_over_says_so(tmp_path: Path) -> None:
    async def refuse(request: web.Request) -> web.Response:
        return web.json_response({"error": "invalid_grant"}, status=400)

    async with serving() as provider, serving() as api:
        provider.answers["/.well-known/openid-configuration"] = {
            "token_endpoint": f"{provider.url}/token"
        }
        provider.answers["/token"] = refuse
        config = {
            "idp-issuer-url": provider.url,
            "idp-certificate-authority-data": base64.b64encode(provider.authority.pem).decode(),
            "client-id": "k",
            "refresh-token": "R1",
        }
        user = {"auth-provider": {"name": "oidc", "config": config}}
        access = await open_access(kubeconfig(tmp_path, api, user), None)

        error = await problem_of(access)

        assert isinstance(error, Blocked)
        assert error.code == ConditionKind.LOGIN_EXPIRED
        assert "invalid_grant" in error.message
        await access.close()


async def test_a_provider_that_left_kubernetes_is_refused_with_what_replaced_it(
    tmp_path: Path,
) -> None:
    user = {"auth-provider": {"name": "gcp", "config": {"access-token": "s3cret"}}}
    async with serving() as api:
        with pytest.raises(Blocked, match='name is "gcp"; allowed is oidc') as caught:
            await open_access(kubeconfig(tmp_path, api, user), None)

        assert "login plugin" in caught.value.remedy
