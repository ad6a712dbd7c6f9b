"""Every verb, with texts of others in every field: nothing but plain text reaches a terminal.

A daemon and a gateway give what a pod, a cluster or another person could have written into it.
"""

from __future__ import annotations

import json
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from llmgwctl.__main__ import main
from llmgwctl.wire import ApiPath
from support.client import sample
from support.client.request_records import record
from support.client.scripted_daemon import ScriptedDaemon, scripted

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

LACED = "\x1b]0;x\x07\x1b[2J\x9b31m\x7f\u202e\u2066\ud800\r\n\u2028\x00"
# What the contract itself chooses: a word here is compared, not shown.
OURS = {
    *("kind", "severity", "state", "since", "checked_at", "started_at", "loaded_at", "time"),
    *("retry_at", "listen", "listen_wanted", "outcome", "day", "hidden_by", "date"),
}
OWN_COLOURS = re.compile(r"\x1b\[[0-9;]*m")
NOW = "2026-03-01T12:00:00.000Z"


def laced(value: Any, ours: Collection[str] = OURS, is_ours: bool = False) -> Any:
    """Put the text into each text, but for those members that are ours."""
    if isinstance(value, dict):
        return {key: laced(each, ours, key in ours) for key, each in value.items()}
    if isinstance(value, list):
        return [laced(each, ours, is_ours) for each in value]
    return f"a{LACED}{value}" if isinstance(value, str) and not is_ours else value


METRICS = {"spend": 1.0, "prompt_tokens": 2, "completion_tokens": 1, "api_requests": 1}
GATEWAY = {
    "/v1/models": {"data": [{"id": "claude-opus-4-5"}, {"id": "gpt"}]},
    "/v1/model/info": {"data": [{"model_name": "m", "model_info": {"mode": "chat"}}]},
    "/key/info": {"key": "k", "info": {"spend": 1.0, "max_budget": 2.0, "key_alias": "x"}},
    "/user/daily/activity": {
        "results": [
            {
                "date": "2026-03-01",
                "metrics": METRICS,
                "breakdown": {
                    "models": {f"m{LACED}": {"metrics": METRICS}},
                    "api_keys": {"k": {"metrics": METRICS, "metadata": {"key_alias": "x"}}},
                },
            }
        ],
        "metadata": {"total_pages": 1},
    },
}


class _Gateway(BaseHTTPRequestHandler):
    status = 200

    def do_GET(self) -> None:
        found = GATEWAY.get(self.path.partition("?")[0])
        answer = found if found is not None else {"error": {"message": "no", "type": "t"}}
        content = json.dumps(laced(answer)).encode()
        self.send_response(self.status if found is not None else 404)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def gateway() -> Iterator[int]:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Gateway) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield server.server_address[1]
        server.shutdown()


@pytest.fixture(params=[OURS, ("listen",)], ids=["of this version", "of another version"])
def daemon(folder: Path, gateway: int, request: pytest.FixtureRequest) -> Iterator[ScriptedDaemon]:
    def lace(value: Any) -> Any:
        return laced(value, request.param)

    states = ("ready", "degraded", "reconnecting", "blocked")
    forwards = [
        lace(
            sample.forward(
                f"f{n}",
                state,
                **sample.ports(gateway),
                conditions=[sample.LOGIN, *sample.FORBIDDEN["forwards"][0]["conditions"]],
                routes=[sample.route(), sample.lost_route(), sample.url_route()],
            )
        )
        for n, state in enumerate(states)
    ]
    status = lace(sample.status(config={**sample.READY["config"], "error": "wrong"}))
    status["forwards"] = forwards
    with scripted(folder, status) as found:
        found.answers |= {
            ApiPath.HEALTH: {
                "healthy": False,
                "state": "blocked",
                "forwards": [
                    {"name": each["name"], "state": "blocked", "serves": False, "problem": LACED}
                    for each in forwards
                ],
            },
            ApiPath.RELOAD: lace(sample.READY["config"]),
            ApiPath.KEY: {"key": "sk-good", "source": LACED},
            ApiPath.MODELS: {"models": [LACED, f"claude-opus-4-5{LACED}"], "age_s": 1.0},
            ApiPath.SPEND: {
                "days": [lace({"day": "2026-03-01", "forward": "f", "model": "m", **COUNTS})]
            },
        }
        found.lines = [lace({**record(), "forward": "f0"})]
        found.streams = {
            ApiPath.EVENTS: [lace(each) for each in EVENTS],
            ApiPath.LOGS: [lace({**LOG, "note": note}) for note in (None, "joined")],
            ApiPath.DOCTOR: [lace({**CHECK, "state": s}) for s in ("ok", "failed", "skipped")],
        }
        yield found


COUNTS = {"requests": 1, "known": 1, "cost": 0.5}
LOG = {"pod": "p", "container": "c", "time": NOW, "line": "l"}
CHECK = {
    "check": "api-server",
    "forward": "f",
    "found": "f",
    "cause": "c",
    "remedy": "a\nb",
    "skipped_by": "x",
    "took_s": 1.0,
}
EVENTS = [
    {"seq": n, "time": NOW, "kind": kind, "forward": "f", "message": "m", "cause": "c", "pod": "p"}
    | {"route": "r", "remedy": "do", "state": "ready", "previous": "blocked"}
    for n, kind in enumerate(("state-changed", "route-lost", "pod-added", "condition-raised"))
]
NAME = laced("f0")
VERBS = (
    *("status --color always", "status NAME --color always", "status --short", "status --json"),
    *("events --since 3000d --all", "events --since 3000d", "events --json"),
    *(
        "requests --since 3000d",
        "requests NAME --since 3000d --failed",
        "requests --since 3000d --json",
    ),
    *("wait NAME --for stopped --timeout 0.1s", "health", "health NAME --json"),
    *("doctor --color always", "doctor --json", "reload", "restart NAME", "stop NAME"),
    *("logs", "logs --requests", "logs --json"),
    *("config path", "config show", "version", "version --json", "open --print"),
    *("key --check", "models", "models --long"),
    *("models --check gpt", "models --json"),
    *("usage", "usage --by day", "usage --by key"),
    *("usage --json", "env", "env --shell fish"),
    *("env --shell nu", "env --shell dotenv"),
    *("env --shell json --for all", "status nowhere", "models --forward nowhere"),
    *("setup claude --print", "setup codex --print"),
    *("setup opencode", "setup avante --print", "report --print"),
)


def raw_lines(text: str) -> list[str]:
    """Give the lines that hold more than plain text and our own colours."""
    lines = OWN_COLOURS.sub("", text).replace("\t", " ").split("\n")
    return [line for line in lines if not line.isprintable()]


@pytest.mark.parametrize("words", VERBS)
def test_no_text_of_others_controls_a_terminal(
    words: str,
    daemon: ScriptedDaemon,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("LLMGW_SOCKET", daemon.path)
    monkeypatch.setenv("HOME", str(Path(daemon.path).parent))

    main([NAME if word == "NAME" else word for word in words.split()])

    shown = capsys.readouterr()
    assert shown.out + shown.err
    assert raw_lines(shown.err) == []
    assert raw_lines(shown.out) == []
    if "json" in words:
        assert shown.out.isascii()
