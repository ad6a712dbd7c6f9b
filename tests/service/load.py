"""Forty requests a second, each on a connection of its own, and answers that take a while."""

from __future__ import annotations

import contextlib
import http.client
import json
import re
import socket
import threading
import time
from dataclasses import dataclass, field

RATE_PER_S = 40
# Above any gap a restart may leave: a request that waits is held, not failed.
_TIMEOUT_S = 30.0
_REQUEST = b"GET /health/liveliness HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"


@dataclass
class Outcome:
    """Of one request; instants are of the monotonic clock, no `failure`: it was served."""

    started: float
    connected: float | None = None
    ended: float = 0.0
    failure: str = ""

    @property
    def is_refused(self) -> bool:
        return self.connected is None

    def was_in_flight(self, instant: float) -> bool:
        """Say whether the connection stood, and had no whole answer yet, at this instant."""
        return self.connected is not None and self.connected <= instant < self.ended


@dataclass
class Load:
    """Runs while the context is open; then all of its requests have ended."""

    port: int
    outcomes: list[Outcome] = field(default_factory=list)

    def __enter__(self) -> Load:
        self._is_over = threading.Event()
        self._starter = threading.Thread(target=self._run)
        self._requests: list[threading.Thread] = []
        self._starter.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over.set()
        self._starter.join()
        for request in self._requests:
            request.join()

    def run_for(self, requests: int) -> None:
        """Return when this many more requests were started."""
        goal = len(self.outcomes) + requests
        while len(self.outcomes) < goal:
            time.sleep(1 / RATE_PER_S)

    @property
    def refused(self) -> list[Outcome]:
        return [outcome for outcome in self.outcomes if outcome.is_refused]

    @property
    def failed(self) -> list[Outcome]:
        return [outcome for outcome in self.outcomes if outcome.failure]

    def summary(self) -> str:
        served = [outcome for outcome in self.outcomes if not outcome.failure]
        longest = max((outcome.ended - outcome.started for outcome in served), default=0.0)
        kinds = {outcome.failure for outcome in self.failed}
        return (
            f"{len(self.outcomes)} requests, {len(served)} served, {len(self.refused)} refused, "
            f"{len(self.failed)} failed {sorted(kinds) or ''}, longest {longest:.2f} s"
        )

    def _run(self) -> None:
        begin = time.monotonic()
        count = 0
        while not self._is_over.wait(max(0.0, begin + count / RATE_PER_S - time.monotonic())):
            outcome = Outcome(time.monotonic())
            self.outcomes.append(outcome)
            request = threading.Thread(target=self._request, args=(outcome,))
            self._requests.append(request)
            request.start()
            count += 1

    def _request(self, outcome: Outcome) -> None:
        try:
            with socket.create_connection(("127.0.0.1", self.port), _TIMEOUT_S) as connection:
                outcome.connected = time.monotonic()
                connection.sendall(_REQUEST)
                answer = _read_answer(connection)
            if not answer.startswith(b"HTTP/1.1 200 "):
                outcome.failure = f"answered {answer.decode()!r}"
        except OSError as error:
            outcome.failure = f"{type(error).__name__}: {error}"
        outcome.ended = time.monotonic()


class IdleClient:
    """Asks once, and keeps its connection for when it is to ask again; it makes no other."""

    def __init__(self, port: int) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_TIMEOUT_S)
        self._connection.connect()
        self._connection.auto_open = 0
        assert self.ask() == 200

    def ask(self) -> int:
        self._connection.request("GET", "/health/liveliness")
        answer = self._connection.getresponse()
        answer.read()
        return answer.status


class Stream:
    """One answer that comes in pieces: open it while others end and begin."""

    def __init__(self, port: int, key: str, pieces: int) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_TIMEOUT_S)
        body = {"model": "claude-sonnet", "stream": True, "pieces": pieces, "gap_s": 0.1}
        self._connection.request(
            "POST", "/v1/chat/completions", json.dumps(body), {"Authorization": f"Bearer {key}"}
        )
        self._answer = self._connection.getresponse()
        assert self._answer.status == 200, self._answer.read()
        assert self._answer.readline().startswith(b"data: ")

    def is_whole(self) -> bool:
        """Read what is left of it; tell whether that is all."""
        with contextlib.closing(self._connection):
            try:
                return b"data: [DONE]" in self._answer.read()
            except (OSError, http.client.HTTPException):
                return False


def _read_answer(connection: socket.socket) -> bytes:
    """Read as long as the answer says it is, as HTTP clients do: the end of the stream is later."""
    answer = b""
    while chunk := connection.recv(65536):
        answer += chunk
        head, blank, body = answer.partition(b"\r\n\r\n")
        length = re.search(rb"content-length: *(\d+)", head, re.IGNORECASE)
        if blank and length is not None and len(body) >= int(length[1]):
            return answer
    raise ConnectionError(f"cut after {len(answer)} bytes")
