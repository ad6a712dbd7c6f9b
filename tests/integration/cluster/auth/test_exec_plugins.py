"""Login plugins: run once and seldom, ended whole, and clear when they fail."""

from __future__ import annotations

import asyncio
import os
import signal
from typing import TYPE_CHECKING, Any

import anyio
import pytest
from login_plugin import V1, Clock, Script, problem_of

from llmgwctl.wire import ConditionKind
from llmgwd.cluster.access import open_access
from llmgwd.cluster.auth import exec_plugin
from llmgwd.cluster.auth.renewal import Renewed, RenewingLogin, Unattended
from llmgwd.errors import Blocked, Transient
from llmgwsim.net.tls import Authority
from support.scripted_api import VERSION, kubeconfig, serving

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.anyio


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
        assert "--context test get pods" in error.remedy
        assert "\n" not in error.message
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

        assert error.code == ConditionKind.LOGIN_PLUGIN_FAILED
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
        ({"args": "one"}, "args is a value of type str"),
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
