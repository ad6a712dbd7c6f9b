"""Everything that a daemon reads, mutated for a while: frames, answers, files.

The seed is printed, and LLMGW_FUZZ_SEED sets it; LLMGW_FUZZ_SECONDS sets how long. The peers and
the daemon run side by side, so a seed repeats what is sent, not when.
"""

from __future__ import annotations

import contextlib
import gzip
import http.client
import json
import os
import random
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import yaml
from fuzzing_proxy import FuzzingProxy
from mutations import Mutator
from siege import Siege

from llmgwctl.api import transport
from llmgwctl.errors import ClientError
from llmgwctl.wire import ApiPath
from llmgwsim.net.tls import Authority
from llmgwsim.remote import RemoteCluster, cluster_process
from support.ports import free_port

SECONDS = float(os.environ.get("LLMGW_FUZZ_SECONDS", "10"))
SEED = int(os.environ.get("LLMGW_FUZZ_SEED", "0")) or random.SystemRandom().randrange(1, 1 << 31)
WARM_UP_S = 2.0
CALL_S = 3.0

# Which upgrades each proxy refuses, so that every way into a pod is taken.
WAYS = {
    "spdy": lambda _: False,
    "websocket": lambda asked: asked.startswith(b"POST"),
    "channels": lambda asked: asked.startswith(b"POST") or b"SPDY/3.1+" in asked,
}
ANSWERS = {
    "/health/liveliness": "I'm alive!",
    "/v1/models": {"data": [{"id": f"model-{n}", "object": "model"} for n in range(30)]},
    "/key/info": {"key": "k", "info": {"spend": 1.5, "max_budget": 2.0, "models": []}},
    "/health/readiness": {"status": "connected", "db": "connected", "litellm_version": "1.80.0"},
}
CREDENTIAL = {
    "apiVersion": "client.authentication.k8s.io/v1",
    "kind": "ExecCredential",
    "status": {"token": "TOKEN", "expirationTimestamp": "2099-01-01T00:00:00Z"},
}
FORWARD = """
[[forward]]
name = "{name}"
listen = "localhost:{port}"
probe_every = "1s"
hold = "1s"
"""


class _Litellm(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        body = json.dumps(ANSWERS.get(self.path.partition("?")[0], {"error": {"message": "no"}}))
        content = body.encode()
        self.send_response(200)
        if random.random() < 0.2:
            content = gzip.compress(content)
            self.send_header("Content-Encoding", "gzip")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        pass


def replace(path: Path, text: str) -> None:
    """Put a whole file in another's place: half of one may be a valid configuration."""
    draft = path.with_suffix(".new")
    draft.write_bytes(text.encode("latin-1"))
    draft.replace(path)


class _Upstream(ThreadingHTTPServer):
    def handle_error(self, *_: object) -> None:
        """The proxy leaves whenever it likes."""


class Fuzzed(Siege):
    """Forwards by each way, by a plugin and to a URL, whose every answer goes through a proxy."""

    def __init__(self, folder: Path, cluster: RemoteCluster, upstream: int) -> None:
        authority = Authority()
        self.random = random.Random(SEED)
        self.proxies = {
            name: FuzzingProxy(cluster.port, SEED + 1_000_000 * n, authority, refuses)
            for n, (name, refuses) in enumerate(WAYS.items(), 1)
        }
        self.proxies["url"] = FuzzingProxy(upstream, SEED)
        self.answer = folder / "credential.json"
        self.good_answer = json.dumps(CREDENTIAL).replace("TOKEN", cluster.token)
        self.answer.write_text(self.good_answer)
        self.ports = {name: free_port() for name in (*self.proxies, "plugin")}
        self.good_kubeconfig = yaml.safe_dump(self._kubeconfig(authority, cluster.token))
        path = folder / "kubeconfig"
        path.write_text(self.good_kubeconfig)
        config = "".join(
            FORWARD.format(name=name, port=port)
            + (
                f'url = "http://127.0.0.1:{self.proxies["url"].port}"\n'
                if name == "url"
                else f'context = "{name}"\nnamespace = "litellm"\ntarget = "service/litellm"\n'
            )
            for name, port in self.ports.items()
        )
        super().__init__(folder, path, config)
        self.good_config = self.daemon.config_path.read_text()

    def _kubeconfig(self, authority: Authority, token: str) -> dict[str, object]:
        names = [*WAYS, "plugin"]
        ports = [self.proxies["spdy" if name == "plugin" else name].port for name in names]
        plugin = {
            "apiVersion": CREDENTIAL["apiVersion"],
            "command": "cat",
            "args": [str(self.answer)],
            "interactiveMode": "Never",
        }
        return {
            "clusters": [
                {
                    "name": name,
                    "cluster": {
                        "server": f"https://127.0.0.1:{port}",
                        "insecure-skip-tls-verify": True,
                    },
                }
                for name, port in zip(names, ports, strict=True)
            ],
            "users": [
                {"name": "token", "user": {"token": token}},
                {"name": "plugin", "user": {"exec": plugin}},
            ],
            "contexts": [
                {
                    "name": name,
                    "context": {"cluster": name, "user": "plugin" if name == "plugin" else "token"},
                }
                for name in names
            ],
            "current-context": "spdy",
        }

    @property
    def mutated(self) -> int:
        return sum(proxy.mutated for proxy in self.proxies.values())

    def fuzz(self, seconds: float) -> None:
        for proxy in self.proxies.values():
            proxy.is_calm = False
        end = time.monotonic() + seconds
        asking = [
            threading.Thread(target=self._ask_for_ever, args=(port, end))
            for port in self.ports.values()
        ]
        asking.append(threading.Thread(target=self._look_for_ever, args=(end,)))
        for each in asking:
            each.start()
        rounds = 0
        while time.monotonic() < end:
            rounds += 1
            self._mutate_a_file(Mutator(SEED + rounds))
        for each in asking:
            each.join(40)

    def _mutate_a_file(self, mutator: Mutator) -> None:
        name = self.random.choice(list(self.ports))
        match self.random.randrange(4):
            case 0:
                good, named, rest = self.good_config.partition('name = "spdy"')
                replace(self.daemon.config_path, good + named + mutator.text(rest))
                self._call("POST", ApiPath.RELOAD)
                replace(self.daemon.config_path, self.good_config)
                self._call("POST", ApiPath.RELOAD)
            case 1:
                replace(self.kubeconfig, mutator.text(self.good_kubeconfig))
                self._call("POST", ApiPath.FORWARD_RESTART.replace("{name}", name))
                time.sleep(0.1)
                replace(self.kubeconfig, self.good_kubeconfig)
            case 2:
                answer = self.good_answer.encode()
                change = self.random.choice((mutator.data, mutator.values))
                self.answer.write_bytes(change(answer))
                self._call("POST", ApiPath.FORWARD_RESTART.replace("{name}", "plugin"))
                time.sleep(0.1)
                self.answer.write_bytes(answer)
            case _:
                self._call("POST", ApiPath.FORWARD_RESTART.replace("{name}", name))
                time.sleep(0.2)

    def _look_for_ever(self, end: float) -> None:
        """Have the daemon read logs, and ask the cluster what doctor asks."""
        while time.monotonic() < end:
            for name in self.ports:
                self._call("GET", f"{ApiPath.LOGS}?forward={name}&tail=50")
                self._call("GET", f"{ApiPath.MODELS}?forward={name}")
            self._call("GET", ApiPath.DOCTOR)

    def _call(self, method: str, target: str) -> None:
        with contextlib.suppress(ClientError):
            transport.request(self.daemon.socket, method, target, timeout_s=CALL_S)

    def _ask_for_ever(self, port: int, end: float) -> None:
        numbers = random.Random(SEED + port)
        paths = [*ANSWERS, "/v1/chat/completions"]
        while time.monotonic() < end:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=CALL_S)
            with contextlib.suppress(OSError, http.client.HTTPException, ValueError):
                for _ in range(3):
                    size = numbers.choice((0, 10, 100_000))
                    connection.request(
                        "POST" if size else "GET", numbers.choice(paths), b"x" * size
                    )
                    connection.getresponse().read(1 << 20)
            connection.close()
            time.sleep(0.02)

    def close(self) -> None:
        super().close()
        for proxy in self.proxies.values():
            proxy.close()


@pytest.fixture
def fuzzed(tmp_path: Path) -> Iterator[Fuzzed]:
    upstream = _Upstream(("127.0.0.1", 0), _Litellm)
    threading.Thread(target=upstream.serve_forever, daemon=True).start()
    with cluster_process() as cluster:
        siege = Fuzzed(tmp_path, cluster, upstream.server_address[1])
        try:
            yield siege
        finally:
            siege.close()
            upstream.shutdown()


def test_no_mutated_peer_or_file_harms_another_forward(fuzzed: Fuzzed) -> None:
    print(f"\nLLMGW_FUZZ_SEED={SEED}")
    for name in fuzzed.ports:
        fuzzed.daemon.wait_for("ready", name)

    # What every first use loads and keeps is not what mutations cost.
    fuzzed.fuzz(WARM_UP_S)
    with fuzzed.under("mutations"):
        fuzzed.fuzz(SECONDS)

    assert fuzzed.mutated > 10 * SECONDS
    assert all(proxy.upgraded for name, proxy in fuzzed.proxies.items() if name != "url")
    assert not fuzzed.bugs()
