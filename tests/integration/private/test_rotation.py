"""The key changes in the cluster while programs work: nothing fails, no one gets the old key.

A pod reads its Secret when it starts, so while the pods roll each key is valid at some of them.
"""

from __future__ import annotations

import http.client
import json
import threading
import time
from collections import Counter
from typing import TYPE_CHECKING, Self

import pytest

from llmgwctl.rules.placeholder import PLACEHOLDER
from support.called import call
from support.running_daemon import DEFAULT, RunningDaemon, running

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

    from llmgwsim.remote import RemoteCluster

OLD_KEY = "sk-demo-master-key"
NEW_KEY = "sk-the-key-after-the-rotation"
NEWEST_KEY = "sk-the-key-after-the-second-rotation"
INJECTING = f"{DEFAULT}\n[gateway]\ninject = true\n"
SOON_S = 2.0
RATE = 20.0


def ask(port: int, key: str, *, is_streamed: bool = False) -> tuple[int, bytes]:
    """Ask a model, as a program with this key does."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=45)
    body = {
        "model": "claude-sonnet",
        "max_tokens": 5,
        "stream": is_streamed,
        "messages": [{"role": "user", "content": "Hello"}],
    }
    headers = {"x-api-key": key, "Content-Type": "application/json"}
    try:
        connection.request("POST", "/v1/messages", json.dumps(body), headers)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


class Programs:
    """Asks at a steady rate, streamed and not, for as long as the block lasts."""

    def __init__(self, port: int) -> None:
        self.outcomes: Counter[str] = Counter()
        self._port = port
        self._is_over = threading.Event()
        self._timer = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._timer.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._is_over.set()
        self._timer.join(60)

    def _run(self) -> None:
        began, asking = time.monotonic(), []
        while not self._is_over.is_set():
            one = threading.Thread(target=self._one, args=(len(asking),), daemon=True)
            one.start()
            asking.append(one)
            time.sleep(max(0.0, began + len(asking) / RATE - time.monotonic()))
        for one in asking:
            one.join(50)

    def _one(self, number: int) -> None:
        is_streamed = number % 2 == 0
        try:
            status, body = ask(self._port, PLACEHOLDER, is_streamed=is_streamed)
        except (OSError, http.client.HTTPException) as error:
            self.outcomes[repr(error)] += 1
            return
        ends_well = b"message_stop" in body if is_streamed else b'"text"' in body
        self.outcomes["ok" if status == 200 and ends_well else f"{status} {body[:200]!r}"] += 1


def test_with_injection_no_request_fails_while_the_key_changes_twice(
    tmp_path: Path, simulated_cluster: RemoteCluster
) -> None:
    with running(tmp_path, simulated_cluster.kubeconfig, INJECTING) as daemon:
        daemon.wait_for("ready")
        with Programs(daemon.port) as programs:
            for key in (NEW_KEY, NEWEST_KEY):
                daemon.wait_until(lambda: programs.outcomes["ok"] > 10, "answers")
                simulated_cluster.faults.rotate_master_key(key=key)
                simulated_cluster.faults.roll(wait=True)
                time.sleep(1.0)

        assert set(programs.outcomes) == {"ok"}
        assert programs.outcomes["ok"] >= RATE
        assert call(daemon, "key").stdout == f"{PLACEHOLDER}\n"
        assert call(daemon, "key", "--reveal").stdout == f"{NEWEST_KEY}\n"
        assert call(daemon, "key", "--check").returncode == 0


def test_a_rotation_at_once_fails_no_request_either(
    tmp_path: Path, simulated_cluster: RemoteCluster
) -> None:
    with running(tmp_path, simulated_cluster.kubeconfig, INJECTING) as daemon:
        daemon.wait_for("ready")
        with Programs(daemon.port) as programs:
            daemon.wait_until(lambda: programs.outcomes["ok"] > 10, "answers")
            # The pods change their key with the Secret: within a moment every one rejects ours.
            simulated_cluster.faults.set_secret(values={"LITELLM_MASTER_KEY": NEW_KEY})
            simulated_cluster.faults.set_gateway(master_key=NEW_KEY)
            time.sleep(2.0)

        assert set(programs.outcomes) == {"ok"}


def first_rejection(daemon: RunningDaemon, key: str) -> float:
    """Ask with a key until a pod rejects it; give the instant."""
    deadline = time.monotonic() + 20
    while ask(daemon.port, key)[0] == 200:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return time.monotonic()


def test_without_injection_the_new_key_is_given_soon_after_the_first_rejection(
    tmp_path: Path, simulated_cluster: RemoteCluster
) -> None:
    simulated_cluster.faults.deny(verb="watch", resource="secrets")
    with running(tmp_path, simulated_cluster.kubeconfig) as daemon:
        daemon.wait_for("ready")
        assert call(daemon, "key").stdout == f"{OLD_KEY}\n"
        simulated_cluster.faults.rotate_master_key(key=NEW_KEY)
        simulated_cluster.faults.roll()

        rejected_at = first_rejection(daemon, OLD_KEY)
        given = call(daemon, "key")

        assert given.stdout == f"{NEW_KEY}\n"
        assert time.monotonic() - rejected_at < SOON_S
        # And so do the verbs that lead programs there.
        assert NEW_KEY in call(daemon, "env", "--shell", "bash").stdout
        ran = call(daemon, "run", "--for", "openai", "--", "printenv", "OPENAI_API_KEY")
        assert ran.stdout == f"{NEW_KEY}\n"


def test_a_key_that_the_gateway_is_known_to_reject_is_given_to_no_program(
    tmp_path: Path, simulated_cluster: RemoteCluster
) -> None:
    with running(tmp_path, simulated_cluster.kubeconfig) as daemon:
        daemon.wait_for("ready")
        assert call(daemon, "key").stdout == f"{OLD_KEY}\n"
        # The Secret stays as it is: what it gives is wrong for good.
        simulated_cluster.faults.set_gateway(master_key=NEW_KEY)
        assert ask(daemon.port, OLD_KEY)[0] == 400

        refused = call(daemon, "key")
        checked = call(daemon, "key", "--check")
        without = call(daemon, "env", "--shell", "bash")
        ran = call(daemon, "run", "--for", "openai", "--", "printenv", "OPENAI_API_KEY")

        assert (refused.returncode, refused.stdout) == (4, "")
        assert "The gateway rejects the key from secret litellm-secrets" in refused.stderr
        assert checked.returncode == 4
        assert checked.stdout.startswith("rejected: ")
        assert OLD_KEY not in without.stdout
        assert "addresses only" in without.stderr
        assert (ran.returncode, ran.stdout) == (4, "")

        simulated_cluster.faults.set_gateway(master_key=OLD_KEY)

        # Asked about again, the gateway accepts it.
        assert call(daemon, "key").stdout == f"{OLD_KEY}\n"


def asked_to_watch(cluster: RemoteCluster) -> int:
    return int(cluster.faults.counts()["requests"].get("watch secrets", 0))


def given(daemon: RunningDaemon) -> str:
    return call(daemon, "key", "--reveal").stdout.strip()


@pytest.mark.parametrize("config", [DEFAULT, INJECTING], ids=["plain", "injecting"])
def test_a_secret_that_may_be_watched_gives_its_new_key_before_any_rejection(
    tmp_path: Path, simulated_cluster: RemoteCluster, config: str
) -> None:
    with running(tmp_path, simulated_cluster.kubeconfig, config) as daemon:
        daemon.wait_for("ready")
        assert given(daemon) == OLD_KEY
        daemon.wait_until(lambda: asked_to_watch(simulated_cluster), "is watched")
        for key in (NEW_KEY, NEWEST_KEY):
            simulated_cluster.faults.rotate_master_key(key=key)
            daemon.wait_until(lambda key=key: given(daemon) == key, "is given", SOON_S)
            # Through an API server that went away, too.
            simulated_cluster.faults.close_watches()

        assert ask(daemon.port, OLD_KEY)[0] == 200


def test_where_a_secret_may_not_be_watched_it_is_asked_once_whether_it_may(
    tmp_path: Path, simulated_cluster: RemoteCluster
) -> None:
    simulated_cluster.faults.deny(verb="watch", resource="secrets")
    with running(tmp_path, simulated_cluster.kubeconfig) as daemon:
        daemon.wait_for("ready")
        for _ in range(5):
            assert given(daemon) == OLD_KEY

        daemon.wait_until(lambda: asked_to_watch(simulated_cluster), "is asked")
        assert asked_to_watch(simulated_cluster) == 1
        assert daemon.conditions() == []


def test_with_injection_a_rejected_key_is_not_revealed_either(
    tmp_path: Path, simulated_cluster: RemoteCluster
) -> None:
    with running(tmp_path, simulated_cluster.kubeconfig, INJECTING) as daemon:
        daemon.wait_for("ready")
        simulated_cluster.faults.set_gateway(master_key=NEW_KEY)
        assert ask(daemon.port, PLACEHOLDER)[0] == 400

        revealed = call(daemon, "key", "--reveal")
        checked = call(daemon, "key", "--check")

        assert (revealed.returncode, revealed.stdout) == (4, "")
        assert checked.returncode == 4


def test_a_rejection_of_another_key_says_nothing_about_ours(
    tmp_path: Path, simulated_cluster: RemoteCluster
) -> None:
    with running(tmp_path, simulated_cluster.kubeconfig) as daemon:
        daemon.wait_for("ready")
        assert call(daemon, "key").stdout == f"{OLD_KEY}\n"

        assert ask(daemon.port, "sk-a-program-s-own")[0] == 400

        assert call(daemon, "key").stdout == f"{OLD_KEY}\n"
