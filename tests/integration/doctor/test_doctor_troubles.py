"""The doctor against the simulated cluster: each trouble made to happen, and the line it gets."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from doctor_call import Doctor, by_name

from llmgwd.net.dial import NETWORK_REMEDY
from llmgwsim.kubeconfig import Credentials, Exec
from support.running_daemon import running

if TYPE_CHECKING:
    from llmgwsim.remote import RemoteCluster


MASTER_KEY = "sk-demo-master-key"


# The symptoms of the README, each with the line that it shows.


def test_connection_refused(doctor: Doctor) -> None:
    # A machine of its own user: no service manager runs for it.
    doctor.environ.pop("XDG_RUNTIME_DIR", None)
    status, text = doctor.text()

    assert f"✗ local port   connection refused at 127.0.0.1:{doctor.port}" in text
    assert "    cause   llmgwd is not running\n    remedy  llmgwd\n" in text
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
    assert failed["remedy"] == NETWORK_REMEDY


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
    assert first.startswith("kubectl --kubeconfig ")
    assert first.endswith(" apply -f - <<'EOF'")
    assert last == "EOF"
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
        ("refuse_dials", {}, "ways-in", "port 4000"),
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
    assert words in f"{failed['found']} {failed['cause']}"


def test_a_refusal_from_far_away_is_a_refusal(
    doctor: Doctor, simulated_cluster: RemoteCluster
) -> None:
    simulated_cluster.faults.set_rtt(rtt_s=0.3)
    simulated_cluster.faults.refuse_dials()

    assert doctor.failed()["check"] == "ways-in"


def test_a_crashing_pod_is_described(doctor: Doctor, simulated_cluster: RemoteCluster) -> None:
    simulated_cluster.faults.crash(restart_after_s=30)

    _, checks = doctor.checks()

    ailing = [c for c in checks if c["check"] == "pods" and c["state"] == "warning"]
    assert "CrashLoopBackOff, last ended OOMKilled" in ailing[0]["found"]
    assert " -n litellm describe pod/litellm-" in ailing[0]["remedy"]


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
    assert failed["remedy"].startswith("There is claude-haiku")


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


def test_no_kubeconfig(doctor: Doctor, tmp_path: Path) -> None:
    doctor.environ["KUBECONFIG"] = str(tmp_path / "nowhere")

    failed = doctor.failed()

    assert failed["check"] == "kubeconfig"
    assert failed["found"] == f"there is no kubeconfig: looked at {tmp_path}/nowhere"
