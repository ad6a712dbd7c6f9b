"""The doctor against the simulated cluster: each trouble made to happen, and the line it gets."""

from __future__ import annotations

import http.server
import json
import os
import signal
import socket
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from llmgwsim.kubeconfig import Credentials, Exec
from support.called import PROGRAM
from support.ports import free_port
from support.running_daemon import RunningDaemon, running

if TYPE_CHECKING:
    from llmgwctl.wire import CheckStatus
    from llmgwsim.remote import RemoteCluster

MASTER_KEY = "sk-demo-master-key"
ORDER = [
    *("config", "kubeconfig", "context", "exec-plugin", "api-server", "login", "permissions"),
    *("namespace", "target", "port", "pods", "ways-in", "local-port", "gateway", "key", "models"),
    *("shell", "service"),
]


class Doctor:
    """Calls `llmgwctl doctor` as a person does, with or without a daemon."""

    def __init__(self, folder: Path, kubeconfig: Path, daemon: RunningDaemon | None = None) -> None:
        self.port = daemon.port if daemon else free_port()
        self.config = folder / "doctor.toml"
        self.config.write_text(f'[[forward]]\nname = "litellm"\nlisten = "127.0.0.1:{self.port}"\n')
        self.socket = daemon.socket if daemon else str(folder / "nobody.sock")
        home = folder / "home"
        home.mkdir(exist_ok=True)
        self.environ = {
            "PATH": os.environ["PATH"],
            "HOME": str(home),
            "KUBECONFIG": str(kubeconfig),
            "PYTHONIOENCODING": "utf-8",
        }

    def text(self, *flags: str) -> tuple[int, str]:
        ended = self._call(*flags)
        return ended.returncode, ended.stdout

    def checks(self, *flags: str) -> tuple[int, list[CheckStatus]]:
        ended = self._call("--json", *flags)
        return ended.returncode, [json.loads(line) for line in ended.stdout.splitlines()]

    def failed(self, *flags: str) -> CheckStatus:
        """Give the first line that failed, the local port's aside."""
        _, checks = self.checks(*flags)
        states = ("failed", "needs-person")
        return next(c for c in checks if c["state"] in states and c["check"] != "local-port")

    def started(self) -> subprocess.Popen[str]:
        """Start it in a process group of its own, as a shell does."""
        pipe = subprocess.PIPE
        return subprocess.Popen(
            self._command(),
            stdout=pipe,
            stderr=pipe,
            text=True,
            env=self.environ,
            start_new_session=True,
        )

    def _call(self, *flags: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self._command(*flags),
            capture_output=True,
            text=True,
            env=self.environ,
            timeout=60,
            check=False,
        )

    def _command(self, *flags: str) -> list[str]:
        return [PROGRAM, "doctor", "--socket", self.socket, "--config", str(self.config), *flags]


@pytest.fixture
def doctor(tmp_path: Path, simulated_cluster: RemoteCluster) -> Doctor:
    """Where no daemon runs."""
    return Doctor(tmp_path, simulated_cluster.kubeconfig)


@pytest.fixture
def attended(tmp_path: Path, simulated_cluster: RemoteCluster) -> Iterator[Doctor]:
    """Where a daemon runs and serves."""
    with running(tmp_path, simulated_cluster.kubeconfig) as daemon:
        daemon.wait_for("ready")
        yield Doctor(tmp_path, simulated_cluster.kubeconfig, daemon)


def by_name(checks: list[CheckStatus]) -> dict[str, CheckStatus]:
    return {check["check"]: check for check in checks}


def test_a_healthy_way_is_all_well_and_in_order(attended: Doctor) -> None:
    status, checks = attended.checks()

    names = list(dict.fromkeys(check["check"] for check in checks))
    assert names == ORDER[1:]
    assert status == 0, [check for check in checks if check["state"] not in ("ok", "info")]
    assert {check["state"] for check in checks} <= {"ok", "info", "warning"}


def test_without_a_daemon_the_same_checks_reach_the_gateway(doctor: Doctor) -> None:
    status, checks = doctor.checks()

    found = by_name(checks)
    assert list(dict.fromkeys(check["check"] for check in checks)) == ORDER
    assert found["gateway"]["state"] == found["key"]["state"] == "ok"
    assert found["local-port"]["state"] == "failed"
    assert status == 1


def test_the_lines_name_what_was_found(attended: Doctor) -> None:
    status, text = attended.text()

    assert status == 0
    assert "✓ login        accepted as demo, Kubernetes v1.36.2" in text
    assert "✓ ways in      spdy upgraded" in text
    assert f"listens at 127.0.0.1:{attended.port}" in text
    assert text.endswith("all well\n")


# The symptoms of the README, each with the line that it shows.


def test_connection_refused(doctor: Doctor) -> None:
    status, text = doctor.text()

    assert f"✗ local port   connection refused at 127.0.0.1:{doctor.port}" in text
    assert "    cause   llmgwd is not running\n    remedy  llmgwctl service install\n" in text
    assert status == 1


def test_a_stopped_forward_refuses_and_says_how_to_start_it(
    tmp_path: Path, simulated_cluster: RemoteCluster
) -> None:
    with running(tmp_path, simulated_cluster.kubeconfig) as daemon:
        daemon.wait_for("ready")
        daemon.client.stop("litellm")
        _, checks = Doctor(tmp_path, simulated_cluster.kubeconfig, daemon).checks()

    found = by_name(checks)["local-port"]
    assert found["cause"] == "litellm is stopped"
    assert found["remedy"] == "llmgwctl start litellm"
    assert by_name(checks)["gateway"]["state"] == "ok"


def test_the_port_is_taken_by_another_program(doctor: Doctor) -> None:
    with socket.create_server(("127.0.0.1", doctor.port)):
        status, text = doctor.text()

    assert f"✗ local port   127.0.0.1:{doctor.port} is taken by" in text
    assert f"(pid {os.getpid()})" in text
    assert status == 1


def test_context_deadline_exceeded(doctor: Doctor, simulated_cluster: RemoteCluster) -> None:
    simulated_cluster.faults.api_down()

    failed = doctor.failed()

    assert failed["check"] == "api-server"
    assert failed["found"] == f"cannot reach 127.0.0.1:{simulated_cluster.port}: Connection refused"
    assert failed["remedy"] == "is the network (VPN) up?"


def test_an_expired_login(doctor: Doctor, simulated_cluster: RemoteCluster) -> None:
    simulated_cluster.faults.revoke_token()

    status, checks = doctor.checks()

    found = by_name(checks)
    assert found["login"]["state"] == "needs-person"
    assert found["login"]["found"] == "the API server answers 401"
    assert found["pods"]["skipped_by"] == found["key"]["skipped_by"] == "login"
    assert status == 4


def test_an_exec_plugin_that_fails_says_why(
    doctor: Doctor, simulated_cluster: RemoteCluster
) -> None:
    script = "echo 'token expired: run sso login' >&2; exit 1"
    credentials = Credentials(exec=Exec("/bin/sh", ("-c", script)))
    simulated_cluster.write_kubeconfig(Path(doctor.environ["KUBECONFIG"]), credentials)

    failed = doctor.failed()

    assert failed["check"] == "exec-plugin"
    assert "token expired: run sso login" in failed["found"]


def test_an_exec_plugin_that_is_missing_is_named(
    doctor: Doctor, simulated_cluster: RemoteCluster
) -> None:
    credentials = Credentials(exec=Exec("no-such-login-plugin"))
    simulated_cluster.write_kubeconfig(Path(doctor.environ["KUBECONFIG"]), credentials)

    failed = doctor.failed()

    assert failed["check"] == "exec-plugin"
    assert "no-such-login-plugin" in failed["found"]


def test_a_missing_permission_comes_with_a_role_that_holds_it(
    doctor: Doctor, simulated_cluster: RemoteCluster
) -> None:
    simulated_cluster.faults.deny(verb="create", resource="pods/portforward")

    status, checks = doctor.checks()

    found = by_name(checks)["permissions"]
    assert found["found"] == "may not create pods/portforward in namespace litellm"
    first, *lines, last = found["remedy"].splitlines()
    assert (first, last) == ("kubectl apply -f - <<'EOF'", "EOF")
    role, binding = yaml.safe_load_all("\n".join(lines))
    granted = {r: set(rule["verbs"]) for rule in role["rules"] for r in rule["resources"]}
    assert granted["pods/portforward"] == {"create", "get"}
    assert binding["subjects"][0]["name"] == "demo"
    assert by_name(checks)["ways-in"]["skipped_by"] == "permissions"
    assert status == 4


def test_a_role_with_create_alone_is_enough(
    doctor: Doctor, simulated_cluster: RemoteCluster
) -> None:
    simulated_cluster.faults.deny(verb="get", resource="pods/portforward")

    _, checks = doctor.checks()

    found = by_name(checks)
    assert found["permissions"]["state"] == "warning"
    assert found["gateway"]["state"] == "ok"
    ways = [check["state"] for check in checks if check["check"] == "ways-in"]
    assert ways == ["ok", "info", "info"]


@pytest.mark.parametrize(
    ("fault", "arguments", "check", "words"),
    [
        ("remove_namespace", {}, "namespace", "there is no namespace litellm"),
        ("remove_service", {}, "target", "there is no service/litellm in namespace litellm"),
        ("rename_port", {"name": "web"}, "port", 'no pod of service/litellm names a port "http"'),
        ("scale", {"replicas": 0}, "pods", "service/litellm has no pods"),
        ("refuse_dials", {}, "gateway", "port 4000"),
    ],
)
def test_each_missing_link_is_named_by_its_own_line(
    doctor: Doctor,
    simulated_cluster: RemoteCluster,
    fault: str,
    arguments: dict[str, Any],
    check: str,
    words: str,
) -> None:
    getattr(simulated_cluster.faults, fault)(**arguments)

    failed = doctor.failed()

    assert failed["check"] == check
    assert words in failed["found"]


def test_a_crashing_pod_is_described(doctor: Doctor, simulated_cluster: RemoteCluster) -> None:
    simulated_cluster.faults.crash(restart_after_s=30)

    _, checks = doctor.checks()

    ailing = [c for c in checks if c["check"] == "pods" and c["state"] == "warning"]
    assert "CrashLoopBackOff, last ended OOMKilled" in ailing[0]["found"]
    assert ailing[0]["remedy"].startswith("kubectl -n litellm describe pod litellm-")


def test_a_proxy_that_refuses_one_way_in_is_worked_around(
    doctor: Doctor, simulated_cluster: RemoteCluster
) -> None:
    simulated_cluster.faults.refuse_upgrades(spdy=403)

    _, checks = doctor.checks()

    ways = [check for check in checks if check["check"] == "ways-in"]
    assert [way["state"] for way in ways] == ["info", "ok", "ok"]
    assert by_name(checks)["gateway"]["state"] == "ok"


def test_keeps_disconnecting(doctor: Doctor, simulated_cluster: RemoteCluster) -> None:
    simulated_cluster.faults.crash(restart_after_s=0)
    simulated_cluster.faults.set_ready(ready=True)

    _, checks = doctor.checks()

    restarted = [c for c in checks if c["check"] == "pods" and "restart" in c["found"]]
    assert "1 restart, last ended OOMKilled" in restarted[0]["found"]


def test_invalid_api_key(doctor: Doctor, simulated_cluster: RemoteCluster) -> None:
    simulated_cluster.faults.set_gateway(master_key="sk-another-master-key")

    status, checks = doctor.checks()

    found = by_name(checks)["key"]
    assert found["found"] == "secret litellm-secrets/LITELLM_MASTER_KEY: rejected"
    assert "knows its master key alone, and this is not it" in found["cause"]
    assert found["remedy"].startswith("give the gateway's master key as the key")
    assert MASTER_KEY not in repr(checks)
    assert status == 4


def test_litellm_master_key_not_set(doctor: Doctor) -> None:
    with doctor.config.open("a") as file:
        file.write('[gateway]\nkey = { env = "LITELLM_MASTER_KEY" }\n')

    failed = doctor.failed()

    assert failed["check"] == "key"
    assert failed["found"] == "The environment of llmgwd has no LITELLM_MASTER_KEY."
    assert "key = { file = … }" in failed["remedy"]


def test_model_not_found(doctor: Doctor) -> None:
    doctor.environ["ANTHROPIC_DEFAULT_HAIKU_MODEL"] = "claude-haiko"

    failed = doctor.failed("--model", "gpt-mini")

    assert failed["check"] == "models"
    assert failed["found"] == "no model claude-haiko"
    assert failed["remedy"].startswith("there is claude-haiku")


def test_a_mistake_in_the_configuration_is_the_first_line(doctor: Doctor) -> None:
    doctor.config.write_text('[[forward]]\nname = "x"\nlisten = "localhost:70000"\n')

    status, checks = doctor.checks()

    assert checks[0]["check"] == "config"
    assert "70000" in checks[0]["found"]
    assert status == 4


def test_a_daemon_that_hangs_is_told_and_gone_around(doctor: Doctor) -> None:
    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind(doctor.socket)
        silent.listen()
        status, checks = doctor.checks()

    assert checks[0]["check"] == "daemon"
    assert "gave no answer within" in checks[0]["found"]
    assert by_name(checks)["gateway"]["state"] == "ok"
    assert status == 1


def test_a_role_for_deployments_is_named_for_them(
    doctor: Doctor, simulated_cluster: RemoteCluster
) -> None:
    doctor.config.write_text(f'{doctor.config.read_text()}target = "deployment/litellm"\n')
    simulated_cluster.faults.deny(verb="get", resource="deployments")

    _, checks = doctor.checks()

    found = by_name(checks)
    assert found["permissions"]["found"] == "may not get deployments in namespace litellm"
    assert found["namespace"]["skipped_by"] == found["pods"]["skipped_by"] == "permissions"


def test_an_unknown_forward_is_never_all_well(doctor: Doctor) -> None:
    status, text = doctor.text("litelm")

    assert "✗ config       there is no forward litelm\n    remedy  there is litellm\n" in text
    assert status == 1


def test_ctrl_c_ends_it_without_a_trace(doctor: Doctor, simulated_cluster: RemoteCluster) -> None:
    simulated_cluster.faults.hang()
    with doctor.started() as process:
        assert process.stdout is not None
        while "context" not in process.stdout.readline():
            pass
        os.killpg(process.pid, signal.SIGINT)
        _, complaint = process.communicate(timeout=30)

    assert process.returncode == 130
    assert complaint == ""


def test_no_kubeconfig(doctor: Doctor, tmp_path: Path) -> None:
    doctor.environ["KUBECONFIG"] = str(tmp_path / "nowhere")

    failed = doctor.failed()

    assert failed["check"] == "kubeconfig"
    assert failed["found"] == f"there is no kubeconfig: looked at {tmp_path}/nowhere"


class _Alive(http.server.BaseHTTPRequestHandler):
    """Answers as LiteLLM does to whoever asks whether it lives, and lists one model."""

    def do_GET(self) -> None:
        if self.path == "/v1/models":
            body = b'{"data": [{"id": "m"}], "object": "list"}'
        else:
            body = b'"I\'m alive!"'
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None: ...


@pytest.fixture
def elsewhere() -> Iterator[str]:
    """A gateway behind a URL."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Alive) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_a_gateway_behind_a_url_is_checked_without_a_cluster(
    tmp_path: Path, elsewhere: str
) -> None:
    config = f"""
    [[forward]]
    name = "litellm"
    listen = "localhost:PORT"
    url = "{elsewhere}"

    [gateway]
    key = {{ command = ["echo", "sk-a-key-from-a-command"] }}
    """
    with running(tmp_path, tmp_path / "nowhere", config) as daemon:
        daemon.wait_for("ready")
        status, checks = Doctor(tmp_path, tmp_path / "nowhere", daemon).checks()

    found = by_name(checks)
    assert list(found) == ["url", "local-port", "gateway", "key", "models", "shell", "service"]
    assert found["key"]["found"] == "command echo: accepted"
    assert status == 0


def test_a_fallback_that_is_away_is_only_a_warning(
    doctor: Doctor, simulated_cluster: RemoteCluster
) -> None:
    text = doctor.config.read_text()
    doctor.config.write_text(f'{text}fallback = "http://127.0.0.1:{free_port()}"\n')

    _, checks = doctor.checks()

    found = by_name(checks)["url"]
    assert found["state"] == "warning"
    assert found["found"].startswith("no fallback: http://127.0.0.1:")


def test_only_an_explicit_word_makes_paid_calls(
    attended: Doctor, simulated_cluster: RemoteCluster
) -> None:
    attended.checks()
    before = simulated_cluster.faults.counts()["paid_health_calls"]
    _, checks = attended.checks("--paid")

    assert before == 0
    assert simulated_cluster.faults.counts()["paid_health_calls"] == 1
    assert by_name(checks)["paid-health"]["state"] == "ok"


def test_this_shells_variables_are_compared(attended: Doctor) -> None:
    attended.environ["ANTHROPIC_BASE_URL"] = "https://api.anthropic.com"
    attended.environ["ANTHROPIC_API_KEY"] = "sk-ant-of-a-person"

    status, checks = attended.checks()

    shell = [check for check in checks if check["check"] == "shell"]
    assert f"not http://localhost:{attended.port}" in shell[0]["found"]
    assert shell[1]["remedy"] == "unset ANTHROPIC_API_KEY"
    assert "sk-ant-of-a-person" not in repr(checks)
    assert status == 0
