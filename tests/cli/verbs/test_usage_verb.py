"""llmgwctl usage where the gateway has no database: what the daemon saw is shown."""

from __future__ import annotations

import copy
import json
import threading
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest
from client_process import run

from llmgwctl.wire import ApiPath, Exit
from support.client import sample
from support.client.scripted_daemon import ScriptedDaemon, scripted

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# As LiteLLM 1.80 answers without a database.
NO_DATABASE = {
    "error": {
        "message": "Internal Server Error, Database not connected. "
        "Connect a database to your proxy",
        "type": "internal_server_error",
        "param": "None",
        "code": "500",
    }
}


class _Gateway(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(500)
        self.end_headers()
        self.wfile.write(json.dumps(NO_DATABASE).encode())

    def log_message(self, *_: Any) -> None:
        """Say nothing on stderr."""


@pytest.fixture
def gateway_port() -> Iterator[int]:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Gateway) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server.server_address[1]
        server.shutdown()
        thread.join()


@pytest.fixture
def daemon(folder: Path, gateway_port: int) -> Iterator[ScriptedDaemon]:
    status = copy.deepcopy(sample.READY)
    status["forwards"][0]["listen"] = [f"127.0.0.1:{gateway_port}"]
    with scripted(folder, status) as found:
        found.answers[ApiPath.KEY] = {"key": "sk-test-master", "source": "the test"}
        yield found


def seen(requests: int) -> Any:
    """Give the daemon's answer: so many requests today, a cost known for one."""
    today = {"day": datetime.now(UTC).date().isoformat(), "forward": "litellm", "model": "gpt-4o"}
    return {"days": [today | {"requests": requests, "known": 1, "cost": 0.25}]}


def test_what_passed_through_the_daemon_is_shown(daemon: ScriptedDaemon) -> None:
    daemon.answers[ApiPath.SPEND] = seen(12)

    shown = run(daemon.path, "usage")
    as_json = run(daemon.path, "usage", "--json", "--by", "day", "--since", "2d")

    assert shown.returncode == Exit.OK
    assert "$0.25, known for 1 of 12 requests" in shown.stdout
    assert shown.stderr == (
        "llmgwctl: the gateway has no database: it keeps no record of spend; "
        "this is what passed through llmgwd\n"
    )
    found = json.loads(as_json.stdout)
    assert (found["source"], found["total"]["requests"]) == ("llmgwd", 12)
    assert len(found["groups"]) == 2


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        # No request has passed; an older daemon; by key, which the daemon does not look at.
        ({"days": []}, ()),
        (None, ()),
        (seen(3), ("--by", "key")),
    ],
)
def test_where_the_daemon_saw_nothing_the_missing_database_is_the_answer(
    daemon: ScriptedDaemon, answer: Any, words: tuple[str, ...]
) -> None:
    if answer is not None:
        daemon.answers[ApiPath.SPEND] = answer

    done = run(daemon.path, "usage", *words)

    assert (done.returncode, done.stdout) == (Exit.NOT_SO, "")
    assert done.stderr.startswith("llmgwctl: the gateway has no database: it keeps no record")
