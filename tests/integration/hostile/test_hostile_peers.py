"""Nothing that a gateway, an API server or a file says harms more than itself.

For each attack three figures: the daemon lives, the worst wait of a request on another forward,
and how much memory it cost (`siege.py`).
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from hostile_peers import ALIVE, APIS, GATEWAYS, ApiServer, Gateway, says
from siege import Siege

from llmgwctl.errors import ClientError
from support.ports import free_port
from support.scripted_api import kubeconfig

ATTACK_S = 1.2
CONFIG = """
[[forward]]
name = "url"
listen = "localhost:{first}"
url = "http://127.0.0.1:{bad}"
probe_every = "1s"

[[forward]]
name = "cluster"
listen = "localhost:{second}"
"""


class Besieged(Siege):
    """Two bad forwards beside the good one: their peers are `bad` and `api`."""

    def __init__(self, folder: Path) -> None:
        self.bad = Gateway(says(ALIVE))
        self.api = ApiServer()
        first, second = free_port(), free_port()
        config = CONFIG.format(bad=self.bad.port, first=first, second=second)
        super().__init__(folder, Path(kubeconfig(folder, self.api.api)), config)

    def provoke(self, forward: str) -> None:
        with suppress(ClientError):
            self.daemon.client.restart(forward)

    def close(self) -> None:
        super().close()
        for each in (self.bad, self.api):
            each.close()


@pytest.fixture(scope="module")
def besieged(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Besieged]:
    peers = Besieged(tmp_path_factory.mktemp("hostile"))
    try:
        yield peers
    finally:
        peers.close()


@pytest.mark.parametrize("attack", GATEWAYS)
def test_no_answer_of_a_gateway_harms_another_forward(besieged: Besieged, attack: str) -> None:
    besieged.bad.attack, besieged.bad.hits = GATEWAYS[attack], 0

    with besieged.under(attack):
        besieged.provoke("url")
        time.sleep(ATTACK_S)

    assert besieged.bad.hits
    assert not besieged.bugs()
    besieged.bad.attack = says(ALIVE)


@pytest.mark.parametrize("attack", APIS)
def test_no_answer_of_an_api_server_harms_another_forward(besieged: Besieged, attack: str) -> None:
    besieged.api.attack(*APIS[attack])
    asked = len(besieged.api.api.requests)

    with besieged.under(attack):
        besieged.provoke("cluster")
        besieged.daemon.wait_until(
            lambda: len(besieged.api.api.requests) > asked, "asks the API server"
        )
        time.sleep(ATTACK_S)

    assert not besieged.bugs()


def test_no_escape_and_no_token_is_in_the_status(besieged: Besieged) -> None:
    besieged.api.attack(*APIS["a sentence with a lone surrogate"])
    besieged.provoke("cluster")
    besieged.daemon.wait_until(lambda: besieged.daemon.conditions("cluster"), "has a condition")

    [condition, *_] = besieged.daemon.forward("cluster")["conditions"]

    assert "abcdefghijk" not in str(besieged.daemon.status())
    assert "answered 500" in condition["summary"]


@pytest.mark.parametrize(
    "text",
    ["a = " + "[" * 50_000, "a = " + "9" * 5000, 'listen = "' + "9" * 5000 + '"', "\0"],
    ids=["brackets", "digits", "a port of digits", "a NUL"],
)
def test_no_configuration_that_is_saved_ends_the_daemon(besieged: Besieged, text: str) -> None:
    good = besieged.daemon.config_path.read_text()

    with besieged.under("a configuration"):
        besieged.daemon.config_path.write_text(text)
        with suppress(ClientError):
            besieged.daemon.client.reload()
        time.sleep(ATTACK_S / 4)
    besieged.daemon.config_path.write_text(good)

    assert not besieged.bugs()


@pytest.mark.parametrize("named", ["fifo", "/dev/zero"])
@pytest.mark.parametrize("key", ["tokenFile", "client-certificate", "client-key"])
def test_no_file_that_a_kubeconfig_names_holds_the_daemon_up(
    besieged: Besieged, key: str, named: str
) -> None:
    path = besieged.folder / named
    if named == "fifo" and not path.exists():
        os.mkfifo(path)
    kubeconfig(besieged.folder, besieged.api.api, {key: str(path), "client-certificate": str(path)})

    with besieged.under(f"{key} {named}"):
        besieged.provoke("cluster")
        time.sleep(ATTACK_S / 2)

    assert not besieged.bugs()
