"""No web page may use a local port, whatever name or address it comes by."""

from __future__ import annotations

import socket
import time
from typing import TYPE_CHECKING

import pytest

from support.ports import free_port
from support.running_daemon import DEFAULT, RunningDaemon, running

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from llmgwsim.remote import RemoteCluster

HOSTS = ("127.0.0.1", "::1")
NO_CORS = ("Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: no-cors", "Sec-Fetch-Dest: empty")
PAGES = {
    "a rebound name": ("Host: evil.example:4000",),
    "another origin": ("Host: localhost", "Origin: https://evil.example"),
    "a page of no origin": ("Host: localhost", "Origin: null"),
    "a request that reads no answer": ("Host: localhost", *NO_CORS),
}
EVIL = b"Host: evil.example:4000"
LINK = b"Sec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: navigate\r\nSec-Fetch-Dest: document"
# What a page can have its browser send that a look at the first bytes alone could miss; in pieces.
WAYS_ROUND = {
    "a method of its own": (b"patch /whoami HTTP/1.1\r\n%b\r\n\r\n" % EVIL,),
    "a long method": (b"M" * 50 + b" /whoami HTTP/1.1\r\n%b\r\n\r\n" % EVIL,),
    "a long path": (b"GET /whoami?%b HTTP/1.1\r\n%b\r\n\r\n" % (b"a" * 70_000, EVIL),),
    "a large head": (b"GET /whoami HTTP/1.1\r\nX: %b\r\n%b\r\n\r\n" % (b"a" * 70_000, EVIL),),
    "a line in two pieces": (b"GE", b"T /whoami HTTP/1.1\r\n%b\r\n\r\n" % EVIL),
    "a head in two pieces": (b"GET /whoami HTTP/1.1\r\n", b"%b\r\n\r\n" % EVIL),
    "after a link": (
        b"GET /health/liveliness HTTP/1.1\r\nHost: localhost\r\n%b\r\n\r\n" % LINK,
        b"POST /whoami HTTP/1.1\r\nHost: localhost\r\nOrigin: null\r\n\r\n",
    ),
    "right behind another": (
        b"GET /health/liveliness HTTP/1.1\r\nHost: localhost\r\n\r\n"
        b"POST /whoami HTTP/1.1\r\n%b\r\n\r\n" % EVIL,
    ),
}
# Longer than a client of a database is waited for to say the rest.
BETWEEN_S = 0.05


class Ports:
    """A daemon with a forward for requests, two for raw connections, and metrics."""

    def __init__(self, folder: Path, cluster: RemoteCluster, metrics_host: str) -> None:
        self.raw, self.found_out, self.metrics = free_port(), free_port(), free_port()
        at = f"[{metrics_host}]" if ":" in metrics_host else metrics_host
        self.daemon = RunningDaemon(
            folder,
            cluster.kubeconfig,
            f'{DEFAULT}\n[[forward]]\nname = "raw"\nlisten = "localhost:{self.raw}"\n'
            f'probe = "tcp"\nprotocol = "tcp"\n\n'
            f'[[forward]]\nname = "found-out"\nlisten = "localhost:{self.found_out}"\n'
            f'probe = "tcp"\n\n[metrics]\nlisten = "{at}:{self.metrics}"\n',
        )


@pytest.fixture(params=HOSTS)
def host(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def ports(tmp_path: Path, simulated_cluster: RemoteCluster, host: str) -> Iterator[Ports]:
    ports = Ports(tmp_path, simulated_cluster, host)
    try:
        ports.daemon.launch()
        ports.daemon.wait_for("ready")
        for name in ("raw", "found-out"):
            ports.daemon.wait_for("ready", name)
        yield ports
    finally:
        ports.daemon.kill()


def ask(host: str, port: int, first: str, *fields: str, body: bytes = b"") -> bytes:
    lines = [f"{first} HTTP/1.1", *fields, f"Content-Length: {len(body)}", "Connection: close"]
    with socket.create_connection((host, port), timeout=20) as client:
        client.sendall("\r\n".join([*lines, "", ""]).encode() + body)
        return b"".join(iter(lambda: client.recv(65536), b""))


def asked(cluster: RemoteCluster, path: str) -> int:
    """How often the gateway's pods were asked for a path."""
    assert cluster.cluster is not None
    return cluster.cluster.world.record.requests[path]


def test_a_page_s_request_is_refused_before_the_gateway_sees_it(
    ports: Ports, simulated_cluster: RemoteCluster, host: str
) -> None:
    for page, fields in PAGES.items():
        for port in (ports.daemon.port, ports.raw, ports.found_out):
            for method in ("GET", "POST"):
                answer = ask(host, port, f"{method} /whoami", *fields, body=b"{}")

                assert answer.startswith(b"HTTP/1.1 403 "), (page, port, answer[:200])
                assert b"access-control-allow" not in answer.lower()
                assert b"page" in answer or b"no name of this machine" in answer
        metrics = ask(host, ports.metrics, "GET /metrics", *fields)

        assert metrics.startswith(b"HTTP/1.1 403 "), page
        assert b"llmgw_" not in metrics
        assert asked(simulated_cluster, "/whoami") == 0


def test_a_preflight_is_refused(ports: Ports, host: str) -> None:
    answer = ask(
        *(host, ports.daemon.port, "OPTIONS /v1/messages", "Host: localhost"),
        *("Origin: https://evil.example", "Access-Control-Request-Method: POST"),
    )

    assert answer.startswith(b"HTTP/1.1 403 ")
    assert b"access-control-allow" not in answer.lower()


def test_programs_and_pages_of_this_machine_are_served(ports: Ports, host: str) -> None:
    own = (
        ("Host: localhost:4000",),
        ("Host: host.docker.internal:4000",),
        ("Host: [::1]:4000",),
        ("Host: localhost", "Origin: http://localhost:3000", "Sec-Fetch-Site: same-site"),
    )
    for fields in own:
        for port in (ports.daemon.port, ports.raw):
            assert ask(host, port, "GET /whoami", *fields).startswith(b"HTTP/1.1 200")
        assert b"llmgw_" in ask(host, ports.metrics, "GET /metrics", *fields)


def test_a_raw_connection_that_asks_late_is_judged_all_the_same(
    ports: Ports, simulated_cluster: RemoteCluster, host: str
) -> None:
    with socket.create_connection((host, ports.raw), timeout=20) as client:
        # Longer than a client of a database is waited for: it has a stream by now.
        ports.daemon.wait_until(lambda: ports.daemon.forward("raw")["streams"] == 1, "is carried")
        client.sendall(b"POST /whoami HTTP/1.1\r\nHost: evil.example\r\n\r\n")
        answer = b"".join(iter(lambda: client.recv(65536), b""))

    assert answer.startswith(b"HTTP/1.1 403 ")
    assert asked(simulated_cluster, "/whoami") == 0


def said_to(host: str, port: int, pieces: tuple[bytes, ...]) -> bytes:
    """Say one piece after the other; give what is answered, as far as it comes."""
    with socket.create_connection((host, port), timeout=20) as client:
        said = b""
        try:
            for piece in pieces:
                client.sendall(piece)
                time.sleep(BETWEEN_S)
            client.settimeout(0.5)
            while chunk := client.recv(65536):
                said += chunk
        except (ConnectionResetError, BrokenPipeError, TimeoutError):
            pass
        return said


def test_no_way_round_the_first_bytes_leads_to_the_gateway(
    ports: Ports, simulated_cluster: RemoteCluster, host: str
) -> None:
    got_through = []
    for port in (ports.daemon.port, ports.raw, ports.found_out):
        for way, pieces in WAYS_ROUND.items():
            said = said_to(host, port, pieces)
            if b"pod" in said or asked(simulated_cluster, "/whoami"):
                got_through.append((port - ports.raw, way, said[:99]))

    assert got_through == []


def test_refusals_are_counted_and_reported_once(ports: Ports, host: str) -> None:
    for _ in range(20):
        ask(host, ports.daemon.port, "GET /whoami", "Host: evil.example")

    assert ports.daemon.forward()["counters"]["refused"] >= 1
    events = [each for each in ports.daemon.events() if each["kind"] == "clients-refused"]
    assert len(events) == 1
    assert "web page" in events[0]["message"]


@pytest.mark.parametrize("allowed", [True, False])
def test_names_and_origins_are_added_in_the_configuration(
    tmp_path: Path, simulated_cluster: RemoteCluster, *, allowed: bool
) -> None:
    lines = 'hosts = ["gateway.lan"]\norigins = ["app://obsidian.md"]\n' if allowed else ""
    with running(tmp_path, simulated_cluster.kubeconfig, DEFAULT + lines) as daemon:
        daemon.wait_for("ready")

        answer = ask(
            *("127.0.0.1", daemon.port, "GET /whoami"),
            *("Host: gateway.lan:4000", "Origin: app://obsidian.md"),
        )

        assert answer.startswith(b"HTTP/1.1 200 " if allowed else b"HTTP/1.1 403 ")
