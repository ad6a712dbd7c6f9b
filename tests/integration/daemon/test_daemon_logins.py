"""What a forward makes of permissions and of logins that expire, wait for a person or renew."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

from llmgwsim.kubeconfig import Credentials, Exec
from support.load.traffic import LOSSES, Traffic
from support.ports import free_port
from support.running_daemon import running

if TYPE_CHECKING:
    from pathlib import Path

    from llmgwsim.remote import RemoteCluster


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


def test_forwards_to_one_cluster_log_in_once_and_a_restart_of_one_logs_in_anew(
    tmp_path: Path, simulated_cluster: RemoteCluster
) -> None:
    plugin = _Plugin(tmp_path)
    plugin.log_in(simulated_cluster.token)
    kubeconfig = simulated_cluster.write_kubeconfig(
        tmp_path / "kubeconfig", Credentials(exec=plugin.stanza)
    )
    names = ["one", "two", "three"]
    config = "".join(
        f'[[forward]]\nname = "{name}"\nlisten = "127.0.0.1:{free_port()}"\n' for name in names
    )
    with running(tmp_path, kubeconfig, config) as daemon:
        for name in names:
            daemon.wait_for("ready", name)
        assert plugin.runs() == 1
        daemon.client.stop("one")
        daemon.client.restart("two")
        daemon.wait_until(lambda: plugin.runs() == 2, "logged in anew")
        daemon.wait_for("ready", "two")
        simulated_cluster.faults.delete_pod(graceful=False)
        daemon.wait_until(
            lambda: (
                {e["forward"] for e in daemon.events() if e["kind"] == "pod-lost"} == set(names[1:])
            ),
            "the loss of the pod is known to both that are left",
        )
        for name in names[1:]:
            daemon.wait_for("ready", name)


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
        assert set(traffic.counts) <= {"ok", *LOSSES}
        # Only what was on its way when every connection was reset.
        assert traffic.lost <= 3
