"""llmgwctl doctor against the simulated cluster: its lines, its ends, and routes to a URL."""

from __future__ import annotations

import http.server
import json
import os
import signal
import threading
from typing import TYPE_CHECKING

import pytest
from doctor_call import Doctor, by_name

from support.ports import free_port
from support.running_daemon import running

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from llmgwsim.remote import RemoteCluster


ORDER = [
    *("config", "kubeconfig", "context", "exec-plugin", "api-server", "login", "permissions"),
    *("namespace", "target", "port", "pods", "ways-in", "local-port", "gateway", "key"),
    *("key-rights", "models", "shell", "service"),
]


@pytest.fixture
def attended(tmp_path: Path, simulated_cluster: RemoteCluster) -> Iterator[Doctor]:
    """Where a daemon runs and serves."""
    with running(tmp_path, simulated_cluster.kubeconfig) as daemon:
        daemon.wait_for("ready")
        yield Doctor(tmp_path, simulated_cluster.kubeconfig, daemon)


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


class _Alive(http.server.BaseHTTPRequestHandler):
    """Answers as LiteLLM does when asked whether it lives, and lists one model."""

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
    own = ["url", "local-port", "gateway", "key", "key-rights", "models"]
    assert list(found) == [*own, "shell", "service"]
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


def test_an_unchecked_certificate_and_an_unknown_key_are_named(
    tmp_path: Path, simulated_cluster: RemoteCluster
) -> None:
    path = simulated_cluster.write_kubeconfig(tmp_path / "waived", insecure=True)
    document = json.loads(path.read_text())
    document["users"][0]["user"]["as-group"] = ["admins"]
    path.write_text(json.dumps(document))

    found = by_name(Doctor(tmp_path, path).checks()[1])

    assert "certificate not checked" in found["api-server"]["found"]
    assert found["context"]["state"] == "warning"
    assert "user demo: as-group" in found["context"]["cause"]
