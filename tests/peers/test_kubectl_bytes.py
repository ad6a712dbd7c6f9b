"""The codec against what kubectl itself says on the wire, and is told, in a session of SPDY."""

from __future__ import annotations

import contextlib
import socket
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from llmgwd.protocol import spdy
from llmgwsim.kubeconfig import Credentials, kubeconfig, write_kubeconfig
from llmgwsim.remote import RemoteCluster, cluster_in_thread
from peers.kubectl import Kubectl
from peers.recording_relay import recording_relay

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

REQUESTS = 3
TIMEOUT_S = 20.0
ANY_CUT = st.lists(st.integers(0, 200), max_size=40)


@dataclass(frozen=True)
class Session:
    """What was said after the upgrade."""

    from_client: bytes
    from_server: bytes


@pytest.fixture(scope="module")
def session(kubectl_program: Path, tmp_path_factory: pytest.TempPathFactory) -> Session:
    """Three requests through one `kubectl port-forward`, then kubectl's pings for a while."""
    folder = tmp_path_factory.mktemp("session")
    with cluster_in_thread() as cluster, recorded(cluster, folder, kubectl_program) as session:
        return session


@contextlib.contextmanager
def recorded(cluster: RemoteCluster, folder: Path, program: Path) -> Iterator[Session]:
    assert cluster.cluster is not None
    with recording_relay(cluster.cluster.authority, cluster.port) as relay:
        credentials = Credentials(token=cluster.token)
        path = write_kubeconfig(
            folder / "kubeconfig", kubeconfig(relay.url, cluster.authority, credentials)
        )
        kubectl = Kubectl(program, path, folder)
        with kubectl.port_forward("svc/litellm", ":4000", websockets=False) as (port, _):
            for number in range(REQUESTS):
                ask(port, number)
            (upgraded,) = [
                each for each in relay.conversations if b"/portforward " in each.from_client[:500]
            ]
            # A ping comes every 5 s.
            wait_for(lambda: has_pinged(after_head(upgraded.from_server)))
        yield Session(after_head(upgraded.from_client), after_head(upgraded.from_server))


def ask(port: int, number: int) -> None:
    with socket.create_connection(("127.0.0.1", port), TIMEOUT_S) as client:
        head = f"GET /whoami HTTP/1.1\r\nHost: localhost\r\nX-Request-Id: {number}\r\n"
        client.sendall(f"{head}Connection: close\r\n\r\n".encode())
        answer = b""
        while piece := client.recv(65536):
            answer += piece
    assert answer.startswith(b"HTTP/1.1 200")


def after_head(said: bytearray) -> bytes:
    return bytes(said).partition(b"\r\n\r\n")[2]


def has_pinged(said: bytes) -> bool:
    return any(isinstance(frame, spdy.Ping) for frame in spdy.Decoder().feed(said))


def wait_for(claim: Callable[[], bool]) -> None:
    deadline = time.monotonic() + TIMEOUT_S
    while not claim():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def decoded(said: bytes, sizes: list[int] | None = None) -> list[spdy.Frame]:
    """Frames of bytes that came in chunks of these sizes; data's pieces put together."""
    decoder, frames, at = spdy.Decoder(), list[spdy.Frame](), 0
    for size in [*(sizes or []), len(said)]:
        frames += decoder.feed(said[at : at + size])
        at += size
    whole: list[spdy.Frame] = []
    for frame in frames:
        last = whole[-1] if whole else None
        if (
            isinstance(frame, spdy.Data)
            and isinstance(last, spdy.Data)
            and (last.stream_id, last.fin) == (frame.stream_id, False)
        ):
            whole[-1] = spdy.Data(frame.stream_id, last.payload + frame.payload, frame.fin)
        else:
            whole.append(frame)
    return whole


def opened(session: Session) -> list[spdy.SynStream]:
    return [each for each in decoded(session.from_client) if isinstance(each, spdy.SynStream)]


def test_kubectls_streams_are_read_as_pairs_of_error_and_data(session: Session) -> None:
    streams = opened(session)

    kinds = [stream.headers["streamtype"] for stream in streams]
    assert kinds == ["error", "data"] * REQUESTS
    assert [stream.stream_id for stream in streams] == list(range(1, 4 * REQUESTS, 2))
    for error, data in zip(streams[::2], streams[1::2], strict=True):
        assert error.headers["requestid"] == data.headers["requestid"]
        assert {error.headers["port"], data.headers["port"]} == {"4000"}


def test_kubectl_ends_its_half_of_an_error_stream_at_once(session: Session) -> None:
    frames = decoded(session.from_client)
    error_ids = {
        each.stream_id for each in opened(session) if each.headers["streamtype"] == "error"
    }

    ended = {
        frame.stream_id
        for frame in frames
        if isinstance(frame, (spdy.SynStream, spdy.Data)) and frame.fin
    }
    assert error_ids <= ended
    said = [f for f in frames if isinstance(f, spdy.Data) and f.stream_id in error_ids]
    assert b"".join(frame.payload for frame in said) == b""


def test_requests_and_answers_are_read_whole(session: Session) -> None:
    data_ids = [each.stream_id for each in opened(session) if each.headers["streamtype"] == "data"]

    for number, stream_id in enumerate(data_ids):
        request = data_of(session.from_client, stream_id)
        assert request.startswith(b"GET /whoami HTTP/1.1\r\n")
        assert f"X-Request-Id: {number}\r\n".encode() in request
        answer = data_of(session.from_server, stream_id)
        assert answer.startswith(b"HTTP/1.1 200")
        assert f'"request_id":"{number}"'.encode() in answer


def data_of(said: bytes, stream_id: int) -> bytes:
    frames = [frame for frame in decoded(said) if isinstance(frame, spdy.Data)]
    return b"".join(frame.payload for frame in frames if frame.stream_id == stream_id)


def test_every_stream_and_ping_of_kubectls_is_answered(session: Session) -> None:
    asked, answered = decoded(session.from_client), decoded(session.from_server)

    replies = {frame.stream_id for frame in answered if isinstance(frame, spdy.SynReply)}
    assert replies == {stream.stream_id for stream in opened(session)}
    pings = [frame.ping_id for frame in asked if isinstance(frame, spdy.Ping)]
    assert pings
    assert all(ping_id % 2 for ping_id in pings)
    assert {each.ping_id for each in answered if isinstance(each, spdy.Ping)} <= set(pings)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(sizes=ANY_CUT)
def test_any_cut_of_kubectls_bytes_gives_the_same_frames(
    session: Session, sizes: list[int]
) -> None:
    assert decoded(session.from_client, sizes) == decoded(session.from_client)
    assert decoded(session.from_server, sizes) == decoded(session.from_server)


def test_one_byte_at_a_time_gives_the_same_frames(session: Session) -> None:
    sizes = [1] * len(session.from_client)

    assert decoded(session.from_client, sizes) == decoded(session.from_client)


def test_our_own_opening_of_a_stream_reads_like_kubectls(session: Session) -> None:
    encoder = spdy.Encoder()
    theirs = opened(session)

    ours = b"".join(encoder.syn_stream(*stream) for stream in theirs)

    assert decoded(ours) == theirs
