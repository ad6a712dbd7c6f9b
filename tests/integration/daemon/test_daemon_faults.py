"""What breaks a forward beside its pods: ports, logins, networks, sleep, descriptors, people."""

from __future__ import annotations

import json
import os
import resource
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from llmgwsim.kubeconfig import Credentials, Exec
from llmgwsim.remote import cluster_in_thread
from support.ports import free_port
from support.running_daemon import DEFAULT, RunningDaemon, running
from support.traffic import Traffic, get

if TYPE_CHECKING:
    from llmgwsim.remote import RemoteCluster


TWO_FORWARDS = """
[[forward]]
name = "litellm"
listen = "localhost:PORT"

[[forward]]
name = "other"
listen = "localhost:OTHER"
"""


def test_a_taken_port_is_told_with_its_owner_and_taken_over_when_free(
    tmp_path: Path, simulated_cluster: RemoteCluster
) -> None:
    other_port = free_port()
    owner = _hold_port(other_port)
    config = TWO_FORWARDS.replace("OTHER", str(other_port))
    with running(tmp_path, simulated_cluster.kubeconfig, config) as daemon:
        daemon.wait_for("ready")
        daemon.wait_for("blocked", "other")
        [condition] = daemon.forward("other")["conditions"]
        owner.kill()
        owner.wait()
        daemon.wait_for("ready", "other", within_s=5)

        assert condition["kind"] == "port-taken"
        assert f"(pid {owner.pid})" in condition["summary"]
        assert "python" in condition["summary"]
        assert get(other_port, "/health/liveliness")


def _hold_port(port: int) -> subprocess.Popen[bytes]:
    """Another program that listens there, on both addresses."""
    program = (
        "import socket, time\n"
        "kept = [socket.create_server((host, PORT), family=family) for host, family in"
        " (('127.0.0.1', socket.AF_INET), ('::1', socket.AF_INET6))]\n"
        "print('up', flush=True)\n"
        "time.sleep(600)"
    ).replace("PORT", str(port))
    process = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.readline()
    return process


def test_a_role_with_only_create_is_enough_and_one_with_only_get_is_told_the_rule(
    tmp_path: Path, simulated_cluster: RemoteCluster
) -> None:
    faults = simulated_cluster.faults
    faults.set_role(role="get-only")
    with running(tmp_path, simulated_cluster.kubeconfig) as daemon:
        daemon.wait_for("blocked")
        [condition] = daemon.forward()["conditions"]
        faults.set_role(role="create-only")
        daemon.client.restart("litellm")
        daemon.wait_for("ready", within_s=5)

        assert condition["kind"] == "permission-denied"
        assert "create pods/portforward" in condition["summary"]
        assert 'resources: ["pods/portforward"], verbs: ["create"]' in condition["remedy"]


def test_an_expired_login_is_blocked_and_heals_when_the_file_is_renewed(
    tmp_path: Path, simulated_cluster: RemoteCluster
) -> None:
    token_file = tmp_path / "token"
    token_file.write_text("expired")
    kubeconfig = simulated_cluster.write_kubeconfig(
        tmp_path / "kubeconfig", Credentials(token_file=token_file)
    )
    with running(tmp_path, kubeconfig) as daemon:
        daemon.wait_for("blocked")
        conditions = daemon.conditions()
        token_file.write_text(simulated_cluster.token)
        daemon.wait_for("ready", within_s=5)

        assert conditions == ["login-expired"]


def test_a_plugin_that_needs_a_person_is_not_run_in_a_storm_and_heals_after_the_login(
    tmp_path: Path, simulated_cluster: RemoteCluster
) -> None:
    plugin = _Plugin(tmp_path)
    kubeconfig = simulated_cluster.write_kubeconfig(
        tmp_path / "kubeconfig", Credentials(exec=plugin.stanza)
    )
    with running(tmp_path, kubeconfig) as daemon:
        daemon.wait_for("blocked")
        with Traffic(daemon.port, rate=40) as traffic:
            time.sleep(2)
            runs = plugin.runs()
            [condition] = daemon.forward()["conditions"]
            plugin.log_in(simulated_cluster.token)
            daemon.wait_for("ready", within_s=5)

        assert runs == 1
        assert plugin.runs() == 2
        assert "please log in" in condition["summary"] + condition["remedy"]
        assert set(traffic.counts) <= {"ok", "503"}
        assert traffic.outcomes[-1].what == "ok"


class _Plugin:
    """A login plugin that fails with a word to the person until there is a token."""

    def __init__(self, folder: Path) -> None:
        self._runs = folder / "plugin-runs"
        self._token = folder / "plugin-token"
        script = folder / "login-plugin"
        script.write_text(
            "#!/bin/sh\n"
            f"echo run >> {self._runs}\n"
            f"test -f {self._token} || {{ echo 'please log in: sso login' >&2; exit 1; }}\n"
            f"cat {self._token}\n"
        )
        script.chmod(0o755)
        self.stanza = Exec(command=str(script))

    def runs(self) -> int:
        return self._runs.read_text().count("run") if self._runs.exists() else 0

    def log_in(self, token: str, expires: str | None = None) -> None:
        status = {"token": token} | ({"expirationTimestamp": expires} if expires else {})
        credential = {
            "apiVersion": "client.authentication.k8s.io/v1",
            "kind": "ExecCredential",
            "status": status,
        }
        self._token.write_text(json.dumps(credential))


def test_a_token_that_expires_is_renewed_by_one_run_and_nobody_notices(
    tmp_path: Path, simulated_cluster: RemoteCluster
) -> None:
    plugin = _Plugin(tmp_path)
    first = simulated_cluster.faults.issue_token()
    plugin.log_in(first)
    kubeconfig = simulated_cluster.write_kubeconfig(
        tmp_path / "kubeconfig", Credentials(exec=plugin.stanza)
    )
    with running(tmp_path, kubeconfig) as daemon:
        daemon.wait_for("ready")
        before = plugin.runs()
        with Traffic(daemon.port) as traffic:
            plugin.log_in(simulated_cluster.faults.issue_token())
            simulated_cluster.faults.revoke_token(token=first)
            simulated_cluster.faults.cut(reset=True)
            time.sleep(3)

        assert plugin.runs() == before + 1
        assert daemon.state() == "ready"
        assert set(traffic.counts) <= {"ok", "cut"}
        # Only what was on its way when every connection was reset.
        assert traffic.counts["cut"] <= 3


def test_a_black_hole_is_noticed_and_the_path_used_again_when_it_is_back(
    tmp_path: Path, simulated_cluster: RemoteCluster
) -> None:
    config = DEFAULT + "hold_limit = 2000\n"
    with running(tmp_path, simulated_cluster.kubeconfig, config) as daemon:
        daemon.wait_for("ready")
        with Traffic(daemon.port) as traffic:
            time.sleep(0.5)
            simulated_cluster.faults.black_hole()
            daemon.wait_until(lambda: daemon.state() != "ready", "noticed", within_s=12)
            simulated_cluster.faults.restore(cut=True)
            back = time.monotonic()
            daemon.wait_for("ready", within_s=5)
            time.sleep(1)

        after = traffic.between(back, back + 60)
        assert set(after) == {"ok"}
        assert set(traffic.counts) <= {"ok", "cut"}
        # Those sent before a reply was late; who comes later waits for a path that answers.
        assert traffic.counts["cut"] <= 24


def test_an_api_server_that_ends_gracefully_fails_nobody(
    tmp_path: Path, simulated_cluster: RemoteCluster
) -> None:
    with running(tmp_path, simulated_cluster.kubeconfig) as daemon:
        daemon.wait_for("ready")
        with Traffic(daemon.port) as traffic:
            simulated_cluster.faults.api_down(graceful=True)
            time.sleep(3)
            simulated_cluster.faults.api_up()
            time.sleep(2)

        assert set(traffic.counts) == {"ok"}
        assert traffic.slowest_s < 2


def test_an_api_server_that_is_killed_is_waited_for(
    tmp_path: Path, simulated_cluster: RemoteCluster
) -> None:
    with running(tmp_path, simulated_cluster.kubeconfig) as daemon:
        daemon.wait_for("ready")
        with Traffic(daemon.port, rate=20) as traffic:
            time.sleep(0.5)
            simulated_cluster.faults.api_down()
            down = time.monotonic()
            daemon.wait_for("reconnecting", within_s=3)
            conditions = daemon.conditions()
            # Long enough for waits that, alone, would outlast what is allowed below.
            time.sleep(6)
            simulated_cluster.faults.api_up()
            daemon.wait_for("ready", within_s=4)

        assert conditions == ["api-server-unreachable"]
        assert set(traffic.between(down, time.monotonic())) == {"ok"}
        assert traffic.counts["cut"] <= 3


def test_a_daemon_that_was_stopped_while_its_tunnels_died_serves_soon_after(
    tmp_path: Path, simulated_cluster: RemoteCluster
) -> None:
    with running(tmp_path, simulated_cluster.kubeconfig) as daemon:
        daemon.wait_for("ready")
        daemon.signal(signal.SIGSTOP)
        simulated_cluster.faults.black_hole(new=False)
        time.sleep(6)
        daemon.signal(signal.SIGCONT)
        began = time.monotonic()
        answer = get(daemon.port, "/health/liveliness", timeout_s=10)
        took_s = time.monotonic() - began

        assert answer.endswith(b"I'm alive!\"")
        # The promise itself, not a measurement: serving within three seconds of waking.
        assert took_s < 3
        daemon.wait_until(lambda: "woke-up" in daemon.kinds(), "told")


def test_out_of_descriptors_it_lives_says_so_and_recovers(
    tmp_path: Path, simulated_cluster: RemoteCluster
) -> None:
    def lower() -> None:
        resource.setrlimit(resource.RLIMIT_NOFILE, (96, 96))

    daemon = RunningDaemon(tmp_path, simulated_cluster.kubeconfig, DEFAULT)
    try:
        daemon.launch(preexec=lower)
        daemon.wait_for("ready")
        clients = []
        for _ in range(150):
            client = socket.socket()
            client.setblocking(False)
            client.connect_ex(("127.0.0.1", daemon.port))
            clients.append(client)
        daemon.wait_until(lambda: "condition-raised" in daemon.log_events(), "said so")
        for client in clients:
            client.close()
        daemon.wait_until(lambda: get(daemon.port, "/health/liveliness"), "serves again")
        daemon.wait_until(lambda: daemon.status()["conditions"] == [], "no more")
        causes = [event.get("cause") for event in daemon.events()]
    finally:
        daemon.kill()

    assert "descriptors-exhausted" in causes


def test_a_kubeconfig_of_another_cluster_is_followed(
    tmp_path: Path, simulated_cluster: RemoteCluster
) -> None:
    kubeconfig = tmp_path / "kubeconfig"
    kubeconfig.write_bytes(simulated_cluster.kubeconfig.read_bytes())
    with (
        cluster_in_thread() as elsewhere,
        running(tmp_path, kubeconfig) as daemon,
    ):
        daemon.wait_for("ready")
        with Traffic(daemon.port) as traffic:
            time.sleep(0.3)
            elsewhere.write_kubeconfig(kubeconfig, context="elsewhere")
            daemon.wait_until(lambda: "target-changed" in daemon.kinds(), "told")
            daemon.wait_until(lambda: elsewhere.faults.seen(), "led there")

        assert set(traffic.counts) == {"ok"}
        assert daemon.forward()["routes"][0]["context"] == "elsewhere"


def test_a_pinned_context_is_not_left_for_another_clusters_kubeconfig(
    tmp_path: Path, simulated_cluster: RemoteCluster
) -> None:
    kubeconfig = tmp_path / "kubeconfig"
    kubeconfig.write_bytes(simulated_cluster.kubeconfig.read_bytes())
    with (
        cluster_in_thread() as elsewhere,
        running(tmp_path, kubeconfig, DEFAULT + 'context = "demo"\n') as daemon,
    ):
        daemon.wait_for("ready")
        with Traffic(daemon.port) as traffic:
            elsewhere.write_kubeconfig(kubeconfig, context="elsewhere")
            daemon.wait_until(lambda: daemon.conditions() == ["context-missing"], "said so")
            time.sleep(0.5)

        assert set(traffic.counts) == {"ok"}
        assert elsewhere.faults.seen() == {}
        assert daemon.state() == "degraded"


def test_a_reload_keeps_the_streams_of_what_did_not_change(
    tmp_path: Path, simulated_cluster: RemoteCluster
) -> None:
    other, third = free_port(), free_port()
    config = TWO_FORWARDS.replace("OTHER", str(other))
    with running(tmp_path, simulated_cluster.kubeconfig, config) as daemon:
        daemon.wait_for("ready")
        with socket.create_connection(("127.0.0.1", daemon.port), timeout=10) as stream:
            stream.sendall(b"GET /sse?n=100&ms=50 HTTP/1.1\r\nHost: x\r\n\r\n")
            assert stream.recv(4096)
            changed = config.replace(str(other), str(third)).replace(
                'name = "litellm"', 'name = "litellm"\nhold = "5s"'
            )
            daemon.write_config(changed)
            daemon.wait_for("ready", "other")
            daemon.wait_until(lambda: str(third) in str(daemon.forward("other")["listen"]), "moved")
            came = b""
            while b"data: 99" not in came:
                chunk = stream.recv(65536)
                assert chunk
                came += chunk

        with pytest.raises(ConnectionRefusedError):
            get(other, "/")
        assert "config-reloaded" in daemon.kinds()


def test_a_reload_with_a_mistake_changes_nothing_and_says_so(
    tmp_path: Path, simulated_cluster: RemoteCluster
) -> None:
    with running(tmp_path, simulated_cluster.kubeconfig) as daemon:
        daemon.wait_for("ready")
        daemon.write_config(DEFAULT + "port = 70000\n")
        daemon.signal(signal.SIGHUP)
        daemon.wait_until(lambda: daemon.status()["config"]["error"], "said so")
        status = daemon.status()
        daemon.write_config(DEFAULT)
        daemon.wait_until(lambda: daemon.status()["conditions"] == [], "cured")

        assert status["config"]["error"] == (
            f"{daemon.config_path}:5: forward[1].port is 70000; "
            "allowed: a port from 1 to 65535, or the name of a port in quotes"
        )
        assert [each["kind"] for each in status["conditions"]] == ["config-invalid"]
        assert status["forwards"][0]["state"] == "ready"


def test_a_stopped_forward_lets_its_port_go_and_a_started_one_has_it_again(
    tmp_path: Path, simulated_cluster: RemoteCluster
) -> None:
    with running(tmp_path, simulated_cluster.kubeconfig) as daemon:
        daemon.wait_for("ready")
        daemon.client.stop("litellm")
        daemon.wait_for("stopped")
        with pytest.raises(ConnectionRefusedError):
            get(daemon.port, "/")
        daemon.client.start("litellm")
        daemon.wait_for("ready")

        assert get(daemon.port, "/health/liveliness")


BAD_KUBECONFIGS = {
    "clusters: [": "kubeconfig-invalid",
    "- not\n- a kubeconfig\n": "kubeconfig-invalid",
}


@pytest.mark.parametrize("text", BAD_KUBECONFIGS)
def test_a_kubeconfig_that_is_none_is_one_line_and_heals(
    text: str, tmp_path: Path, simulated_cluster: RemoteCluster
) -> None:
    kubeconfig = tmp_path / "kubeconfig"
    kubeconfig.write_text(text)
    with running(tmp_path, kubeconfig) as daemon:
        daemon.wait_for("blocked")
        [condition] = daemon.forward()["conditions"]
        kubeconfig.write_bytes(simulated_cluster.kubeconfig.read_bytes())
        daemon.wait_for("ready", within_s=5)

        assert condition["kind"] == BAD_KUBECONFIGS[text]
        assert str(kubeconfig) in condition["summary"]
        assert "\n" not in condition["summary"]


def test_a_mistake_at_the_start_is_one_line_and_an_exit_status(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text('[[forward]]\nhold = "soon"\n')
    ended = subprocess.run(
        [sys.executable, "-m", "llmgwd", "--config", str(file), "--socket", str(tmp_path / "s")],
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )

    assert ended.stderr == (
        f'llmgwd: {file}:2: forward[1].hold is "soon"; '
        'allowed: a duration such as "30s", "500ms" or "2m", at most 24h\n'
    )
    assert ended.returncode == 78


def test_the_ports_are_bound_before_anything_slow_is_imported(tmp_path: Path) -> None:
    watch = (
        "import os, sys\n"
        "def hook(event, args):\n"
        "    if event == 'socket.bind' and isinstance(args[1], tuple):\n"
        "        print(' '.join(sys.modules), flush=True); os._exit(0)\n"
        "sys.addaudithook(hook)\n"
        "from llmgwd.__main__ import main\n"
        "main(['--config', sys.argv[1], '--socket', sys.argv[2]])\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", watch, str(tmp_path / "none.toml"), str(tmp_path / "s")],
        capture_output=True,
        text=True,
        timeout=20,
        check=True,
        env={**os.environ, "LLMGW_STATE_DIR": str(tmp_path)},
    )

    slow = {"asyncio", "anyio", "aiohttp", "kubernetes_asyncio", "structlog", "msgspec", "ssl"}
    assert slow.isdisjoint(ended.stdout.split())
    assert "llmgwd.relay.listener" in ended.stdout.split()
