"""`llmgwctl report` beside a daemon that has seen keys: what it shows, asks and writes."""

from __future__ import annotations

import http.client
import json
import os
import stat
import subprocess
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from llmgwctl.wire import Exit
from llmgwsim.options import Options
from llmgwsim.remote import cluster_in_thread
from support.called import call, command, environment
from support.running_daemon import DEFAULT, RunningDaemon, running

ODD_KEY = 'no usual form: ünd "quotes"'
PARTS = ("versions", "service", "status", "doctor", "events", "the last 300 requests")


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[RunningDaemon, str]]:
    """A daemon that has served a request, and the token by which it is known to the cluster."""
    folder = tmp_path_factory.mktemp("report")
    config = f'{DEFAULT}[gateway]\nkey = {{ env = "ODD_KEY" }}\n'
    with (
        cluster_in_thread(Options()) as cluster,
        running(folder, cluster.kubeconfig, config, ODD_KEY=ODD_KEY) as daemon,
    ):
        daemon.wait_for("ready")
        asking = http.client.HTTPConnection("127.0.0.1", daemon.port, timeout=10)
        asking.request("GET", "/v1/models?key=sk-in-a-query", headers={"x-api-key": ODD_KEY})
        asking.getresponse().read()
        asking.close()
        yield daemon, cluster.token


def test_a_report_has_every_part_and_no_secret(
    asked: tuple[RunningDaemon, str], tmp_path: Path
) -> None:
    daemon, token = asked
    path = tmp_path / "report.txt"

    done = call(daemon, "report", "-o", str(path), "--yes", ODD_KEY=ODD_KEY)

    text = path.read_text()
    assert (done.returncode, done.stdout) == (Exit.OK, text)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [part for part in PARTS if f"\n== {part}" not in f"\n{text}"] == []
    hidden = (ODD_KEY, json.dumps(ODD_KEY)[1:-1], "sk-in-a-query", token)
    assert [each for each in (*hidden, str(daemon.config_path.parent)) if each in text] == []
    assert '"path": "/v1/models"' in text
    assert '"check": "api-server", "forward": "litellm", "state": "ok"' in text
    assert '"kind": "daemon-started"' in text
    assert call(daemon, "report", "-o", str(path), "--yes").returncode == Exit.NOT_SO


TOLD = {
    "exec plugin": "plugin-pw-99",
    "its argument": "argument-pw-99",
    "the proxy of the kubeconfig": "kubeconfig-pw-99",
    "the proxy of the environment": "environment-pw-99",
    "an address": "address-pw-99",
}
KUBECONFIG = {
    "current-context": "c",
    "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
    "clusters": [
        {
            "name": "c",
            "cluster": {
                "server": f"https://localhost:1/?access_token={TOLD['an address']}",
                "proxy-url": f"http://jane:{TOLD['the proxy of the kubeconfig']}@localhost:1",
            },
        }
    ],
    "users": [
        {
            "name": "u",
            "user": {
                "exec": {
                    "apiVersion": "client.authentication.k8s.io/v1",
                    "interactiveMode": "Never",
                    "command": "/bin/sh",
                    "args": [
                        *("-c", f"echo Cookie: sid={TOLD['exec plugin']} >&2; exit 1", "sh"),
                        f"--password={TOLD['its argument']}",
                    ],
                }
            },
        }
    ],
}


def test_what_a_kubeconfig_and_its_plugin_say_is_no_secret_in_a_report(tmp_path: Path) -> None:
    kubeconfig = tmp_path / "kubeconfig"
    kubeconfig.write_text(json.dumps(KUBECONFIG))
    proxy = f"http://jane:{TOLD['the proxy of the environment']}@localhost:1"

    with running(tmp_path, kubeconfig, DEFAULT, HTTPS_PROXY=proxy) as daemon:
        daemon.wait_for("blocked")
        text = call(daemon, "report", "--print", HTTPS_PROXY=proxy).stdout
        log = daemon.log()

    assert "Cookie: [secret]" in text
    assert {what: pw for what, pw in TOLD.items() if pw in text or pw in log} == {}


@pytest.mark.parametrize(("answer", "is_written"), [("y\n", True), ("n\n", False), ("\n", False)])
def test_it_is_shown_and_then_asked_for(
    asked: tuple[RunningDaemon, str], tmp_path: Path, answer: str, is_written: bool
) -> None:
    path = tmp_path / "report.txt"
    ours, theirs = os.openpty()
    with subprocess.Popen(
        command(asked[0], "report", "-o", str(path)),
        stdin=theirs,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(tmp_path),
    ) as asking:
        assert asking.stderr is not None
        question = "".join(iter(partial(asking.stderr.read, 1), "]"))
        was_there = path.exists()
        os.write(ours, answer.encode())
        shown, _ = asking.communicate(timeout=30)
    os.close(ours)
    os.close(theirs)

    assert (question, was_there) == (f"Write this to {path}? [y/N", False)
    assert path.exists() == is_written
    assert shown.startswith("== versions\n")
    assert not is_written or path.read_text() == shown


def test_where_no_one_can_be_asked_nothing_is_written(
    asked: tuple[RunningDaemon, str], tmp_path: Path
) -> None:
    path = tmp_path / "report.txt"

    done = call(asked[0], "report", "-o", str(path))

    assert done.returncode == Exit.NOT_SO
    assert "to write it: --yes" in done.stderr
    assert not path.exists()
