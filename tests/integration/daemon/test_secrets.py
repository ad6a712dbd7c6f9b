"""While everything runs, no key and no token is to be seen anywhere but where it was asked for."""

from __future__ import annotations

import contextlib
import json
import threading
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from llmgwctl.errors import ClientError
from llmgwctl.wire import ApiPath as Route
from support.called import call
from support.running_daemon import DEFAULT, RunningDaemon, running
from support.written_logs import LOGS

if TYPE_CHECKING:
    from llmgwsim.remote import RemoteCluster

MASTER_KEY = "sk-demo-master-key"
MINE = "sk-virtual-key-of-one-person"
# LiteLLM echoes a key of another form whole.
FOREIGN = "not-one-of-litellms-keys-4711"


class CommandLines(threading.Thread):
    """Reads every process's command line over and over, as somebody with `ps` would."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.seen: set[bytes] = set()
        self._is_over = threading.Event()

    def run(self) -> None:
        while not self._is_over.wait(0.005):
            for process in Path("/proc").iterdir():
                if process.name.isdecimal():
                    with contextlib.suppress(OSError):
                        self.seen.add((process / "cmdline").read_bytes())

    def end(self) -> bytes:
        self._is_over.set()
        self.join()
        return b"\n".join(self.seen)


@pytest.fixture
def daemon(tmp_path: Path, simulated_cluster: RemoteCluster) -> Iterator[RunningDaemon]:
    key = tmp_path / "key"
    key.touch(mode=0o600)
    key.write_text(MINE)
    LOGS.uses(FOREIGN)
    simulated_cluster.faults.set_gateway(has_database=True)
    simulated_cluster.faults.add_key(key=MINE, alias="laptop")
    config = f'{DEFAULT}\n[gateway]\nkey = {{ file = "{key}" }}\n'
    with running(
        tmp_path, simulated_cluster.kubeconfig, config, "--log-level", "debug"
    ) as running_daemon:
        running_daemon.wait_for("ready")
        yield running_daemon


def use_everything(daemon: RunningDaemon, cluster: RemoteCluster) -> str:
    """Call every verb, with keys that work and keys that do not; give what they said."""
    said = []
    key_file = daemon.config_path.parent / "key"
    for key in (MINE, FOREIGN, "sk-unknown-to-the-gateway"):
        key_file.write_text(key)
        for words in (
            *(("key", "--check"), ("models",), ("usage",), ("doctor",), ("logs", "--tail", "50")),
            *(("status", "--json"), ("events", "--json", "--since", "1h"), ("open", "--print")),
            ("run", "--for", "claude", "--", "true"),
        ):
            ended = call(daemon, *words)
            said += [ended.stdout, ended.stderr]
        chat = urllib.request.Request(
            f"http://127.0.0.1:{daemon.port}/v1/models", headers={"Authorization": f"Bearer {key}"}
        )
        with contextlib.suppress(OSError), urllib.request.urlopen(chat, timeout=20) as answer:
            answer.read()
    cluster.faults.cut()
    cluster.faults.revoke_token()
    said.append(call(daemon, "doctor").stdout)
    return "\n".join(said)


def written_by(daemon: RunningDaemon) -> str:
    """Everything the daemon wrote or answers that is not its key."""
    folder = daemon.config_path.parent
    texts = [daemon.log(), *(file.read_text() for file in (folder / "state").rglob("*.json*"))]
    for route in (Route.STATUS, Route.METRICS, Route.OPENAPI, Route.HEALTH):
        with contextlib.suppress(ClientError, ValueError):
            texts.append(json.dumps(daemon.client.get(route)))
    texts.append(json.dumps(daemon.events()))
    texts.append(daemon.metrics())
    return "\n".join(texts)


def test_no_key_and_no_token_is_seen_while_everything_runs(
    daemon: RunningDaemon, simulated_cluster: RemoteCluster
) -> None:
    command_lines = CommandLines()
    command_lines.start()

    said = use_everything(daemon, simulated_cluster)
    processes = command_lines.end()
    written = written_by(daemon)

    assert daemon.process is not None
    environment = Path(f"/proc/{daemon.process.pid}/environ").read_bytes()
    secrets = (MINE, FOREIGN, MASTER_KEY, "sk-unknown-to-the-gateway", simulated_cluster.token)
    for secret in secrets:
        assert secret not in said
        assert secret not in written
        assert secret.encode() not in processes
        assert secret.encode() not in environment
    # Proof that there was something to see.
    assert b"doctor" in processes
    assert '"forwards"' in written
    assert "llmgw" in daemon.metrics()
    assert "key has expired" in said or "does not know this key" in said


def test_the_key_is_handed_out_where_it_was_asked_for(daemon: RunningDaemon) -> None:
    assert call(daemon, "key").stdout == f"{MINE}\n"
