"""The daemon's API as methods; payloads are plain data, as `wire` types them."""

from __future__ import annotations

import json

from llmgwctl.api import transport
from llmgwctl.errors import Refused, Unreachable
from llmgwctl.paths import socket_path
from llmgwctl.wire import API_VERSION, ApiPath

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

    from llmgwctl.wire import ConfigStatus, Event, ForwardStatus, Health, Status


# The last answers of this run with their paths: what a verb that fails may have failed on.
answers: list[tuple[str, Any]] = []
_KEPT = 4

# Above the 30 s after which the daemon itself gives up, so that its sentence arrives.
_ACT_S = 40.0


class Client:
    """Calls the daemon at one socket; every call is a connection of its own."""

    def __init__(self, path: str | None = None, timeout_s: float = transport.TIMEOUT_S) -> None:
        self.path = path or socket_path()
        self.timeout_s = timeout_s

    def status(self) -> Status:
        status: Status = self.get(ApiPath.STATUS)
        _check_api(status)
        return status

    def health(self, forward: str | None = None) -> Health:
        """Ask whether the forwards serve; a "no" is an answer, not an error."""
        answer = transport.request(
            self.path, "GET", with_query(ApiPath.HEALTH, {"forward": forward}), b"", self.timeout_s
        )
        if answer.status not in (200, 503):
            raise error_of(answer)
        health: Health = _noted(ApiPath.HEALTH, decoded(answer.body))
        return health

    def events(
        self, since_s: float | None = None, follow: bool = True, until: float | None = None
    ) -> Iterator[Event]:
        """Yield past events (those of the last `since_s`), a snapshot, then new events.

        Raises:
            TimeoutError: the daemon shows no sign of life, or `until` (on the monotonic clock)
                has passed.
        """
        query = {"since_s": since_s, "follow": follow}
        for line in self.lines(ApiPath.EVENTS, query, until=until):
            event: Event = line
            yield event

    def restart(self, forward: str) -> ForwardStatus:
        return self._act_on(ApiPath.FORWARD_RESTART, forward)

    def stop(self, forward: str) -> ForwardStatus:
        return self._act_on(ApiPath.FORWARD_STOP, forward)

    def start(self, forward: str) -> ForwardStatus:
        return self._act_on(ApiPath.FORWARD_START, forward)

    def reload(self) -> ConfigStatus:
        config: ConfigStatus = self.post(ApiPath.RELOAD)
        return config

    def get(self, path: str, query: Mapping[str, object] | None = None) -> Any:
        """Ask for a JSON payload.

        Raises:
            Refused: the daemon answered with an error.
            Unreachable: see `transport.request`.
        """
        target = with_query(path, query or {})
        return _payload(path, transport.request(self.path, "GET", target, b"", self.timeout_s))

    def post(self, path: str, timeout_s: float | None = None) -> Any:
        """Have something done, and give the JSON payload of the answer."""
        seconds = self.timeout_s if timeout_s is None else timeout_s
        return _payload(path, transport.request(self.path, "POST", path, b"", seconds))

    def lines(
        self,
        path: str,
        query: Mapping[str, object] | None = None,
        timeout_s: float | None = transport.WATCH_TIMEOUT_S,
        until: float | None = None,
    ) -> Iterator[Any]:
        """Yield the JSON lines of an answer that may have no end.

        `timeout_s` is between two lines; the daemon sends an empty one every 15 s.
        """
        target = with_query(path, query or {})
        with transport.LineStream(self.path, target, self.timeout_s) as stream:
            if stream.error_answer is not None:
                raise error_of(stream.error_answer)
            for line in stream.lines(timeout_s, until):
                if line:
                    yield _noted(path, decoded(line))

    def _act_on(self, path: str, forward: str) -> ForwardStatus:
        named = path.replace("{name}", _quote(forward))
        after: ForwardStatus = self.post(named, max(self.timeout_s, _ACT_S))
        return after


def with_query(path: str, query: Mapping[str, object]) -> str:
    """Add the values that are not None; true and false as JSON writes them."""
    pairs = [f"{name}={_quote(_text(value))}" for name, value in query.items() if value is not None]
    return f"{path}?{'&'.join(pairs)}" if pairs else path


def error_of(answer: transport.Answer) -> Refused | Unreachable:
    """Make the exception for an answer other than 200."""
    try:
        error = json.loads(answer.body)["error"]
        code, message, remedy = error["code"], error["message"], error["remedy"]
    except (ValueError, LookupError, TypeError, RecursionError):
        return Unreachable(
            "not-llmgwd",
            f"the process at the socket answers with status {answer.status} and no reason",
            "choose another socket with --socket",
        )
    if code == "route-unknown":
        return Unreachable(
            "daemon-older",
            f"the running llmgwd is older than this llmgwctl: {message}",
            "restart it, so that it is of the same version: llmgwctl service restart",
        )
    return Refused(answer.status, str(code), str(message), str(remedy))


def decoded(body: bytes) -> Any:
    """Decode an answer, or one line of it.

    Raises:
        Unreachable: it is not JSON.
    """
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:
        message = "llmgwd's answer is not JSON"
        raise Unreachable("answer-garbled", message, "compare: llmgwctl version") from error


def _payload(path: str, answer: transport.Answer) -> Any:
    if answer.status != 200:
        raise error_of(answer)
    return _noted(path, decoded(answer.body))


def _noted(path: str, payload: Any) -> Any:
    answers.append((path, payload))
    del answers[:-_KEPT]
    return payload


def _check_api(status: Any) -> None:
    spoken = status.get("api") if isinstance(status, dict) else None
    if spoken != API_VERSION:
        raise _other_api(f"v{spoken}" if isinstance(spoken, int) else "none at all")


def _other_api(spoken: str) -> Unreachable:
    return Unreachable(
        "api-mismatch",
        f"llmgwctl speaks v{API_VERSION} of the control API, and this llmgwd {spoken}",
        "update llmgw, then restart the daemon: llmgwctl service restart",
    )


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def _quote(text: str) -> str:
    """Escape all but what a URL may hold anywhere; urllib.parse takes 4 ms to import."""
    safe = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~"
    return "".join(chr(b) if b in safe else f"%{b:02X}" for b in text.encode(errors="replace"))
