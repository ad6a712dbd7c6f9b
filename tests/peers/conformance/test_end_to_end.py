"""The daemon and the doctor judge a kubeconfig alike, and as kubectl does."""

from __future__ import annotations

import json
import os
import subprocess
import urllib.request
from typing import TYPE_CHECKING, Final

import pytest

from llmgwctl.wire import CheckState
from peers.conformance.matrix import CASES
from peers.conformance.test_matrix import written
from support.called import PROGRAM
from support.ports import free_port
from support.running_daemon import RunningDaemon, running

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from llmgwctl.wire import CheckStatus
    from peers.conformance.world import World

# Rows of the matrix, which holds that kubectl comes to the same end.
SERVED: Final = (
    *("authority is intermediate", "authority is rotated often", "PEM: an accent above"),
    *("proxy: https", "proxy: socks5", "IPv6", "tls-server-name", "insecure", "plain HTTP"),
    *("impersonation: as and all", "certificate with its chain", "exec beside a certificate"),
    *("token and an absent tokenFile", "exec with a null in env", "text: JSON with tabs"),
)
# By the daemon's condition and the doctor's check.
REFUSED: Final[Mapping[str, tuple[str, str]]] = {
    "a strange authority": ("tls-untrusted", "api-server"),
    "proxy: https of a stranger": ("tls-untrusted", "api-server"),
    "PEM: nothing but words": ("certificate-unreadable", "context"),
    "token with a newline": ("kubeconfig-invalid", "kubeconfig"),
    "a wrong token": ("login-expired", "login"),
    "tokenFile absent": ("login-expired", "login"),
    "exec that fails": ("login-expired", "exec-plugin"),
    "impersonation: as whom it may not be": ("permission-denied", "permissions"),
    "contexts with a name twice": ("kubeconfig-invalid", "kubeconfig"),
    "no current context": ("context-missing", "context"),
}
_FORWARD: Final = """
[[forward]]
name = "f{number}"
listen = "127.0.0.1:{port}"
kubeconfig = "{path}"
probe = "off"
hold = "1s"
"""
_BAD: Final = (CheckState.FAILED, CheckState.NEEDS_PERSON)


@pytest.fixture(scope="module")
def kubeconfigs(world: World, tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Path]:
    found = {}
    for name in (*SERVED, *REFUSED):
        folder = tmp_path_factory.mktemp("config")
        found[name] = written(folder, CASES[name](world, folder))
    return found


@pytest.fixture(scope="module")
def daemon(
    kubeconfigs: Mapping[str, Path], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningDaemon]:
    config = "".join(
        _FORWARD.format(number=number, port=free_port(), path=path)
        for number, path in enumerate(kubeconfigs.values())
    )
    folder = tmp_path_factory.mktemp("daemon")
    with running(folder, folder / "absent", config, HOME=str(folder)) as daemon:
        yield daemon


@pytest.fixture(scope="module")
def checks(daemon: RunningDaemon) -> list[CheckStatus]:
    """What the doctor finds in all forwards, once the daemon has judged each."""
    daemon.wait_until(
        lambda: all(each["state"] != "starting" for each in daemon.status()["forwards"]),
        "each is judged",
        30.0,
    )
    command = [PROGRAM, "doctor", "--json", "--socket", daemon.socket]
    ended = subprocess.run(
        [*command, "--config", str(daemon.config_path)],
        capture_output=True,
        text=True,
        env={"PATH": os.environ["PATH"], "HOME": str(daemon.config_path.parent)},
        timeout=60,
        check=False,
    )
    return [json.loads(line) for line in ended.stdout.splitlines()]


def bad(checks: list[CheckStatus], forward: str) -> list[CheckStatus]:
    return [each for each in checks if each["forward"] == forward and each["state"] in _BAD]


@pytest.mark.parametrize("name", SERVED)
def test_what_kubectl_lists_is_served_and_all_well(
    kubeconfigs: Mapping[str, Path], daemon: RunningDaemon, checks: list[CheckStatus], name: str
) -> None:
    forward = f"f{list(kubeconfigs).index(name)}"
    (listener,) = daemon.forward(forward)["listen"]

    with urllib.request.urlopen(f"http://{listener}/health/liveliness", timeout=10) as answer:
        assert answer.status == 200
    assert daemon.state(forward) == "ready"
    assert bad(checks, forward) == []


@pytest.mark.parametrize("name", REFUSED)
def test_what_kubectl_refuses_is_blocked_for_one_reason(
    kubeconfigs: Mapping[str, Path], daemon: RunningDaemon, checks: list[CheckStatus], name: str
) -> None:
    kind, check = REFUSED[name]
    forward = f"f{list(kubeconfigs).index(name)}"
    (condition,) = daemon.forward(forward)["conditions"]
    (failed,) = bad(checks, forward)

    assert (condition["kind"], daemon.state(forward)) == (kind, "blocked")
    assert (failed["check"], failed["state"]) == (check, CheckState.NEEDS_PERSON)
    said = f"{failed['found']} {failed['cause']}"
    assert kind == "permission-denied" or condition["summary"].rstrip(".")[1:] in said
