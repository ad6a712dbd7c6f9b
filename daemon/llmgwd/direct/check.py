"""Whether something answers at the upstream: one request on a connection of its own."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

import anyio

from llmgwctl.wire import ConditionKind
from llmgwd.errors import LlmgwError, Transient
from llmgwd.net.http1 import (
    RESPONSE_START,
    BadMessage,
    Head,
    MessageReader,
    response_length,
    status_of,
)

if TYPE_CHECKING:
    from llmgwd.direct.rewrite import Address
    from llmgwd.direct.upstream import Upstream, UpstreamDialer

ANSWER_S: Final = 5.0
# Free of charge and of a key in every LiteLLM; any answer to it proves the way, even a 404.
_PATH: Final = "/health/liveliness"
# What an ingress says for a gateway that is not there: nothing a client sends would be received.
_NOBODY_THERE: Final = (502, 503, 504)


async def check(dialer: UpstreamDialer, address: Address) -> LlmgwError | None:
    """Ask once; give what is wrong, or None. Ends within the dial's and the answer's bounds."""
    try:
        upstream = await dialer.dial()
    except LlmgwError as error:
        return error
    try:
        with anyio.fail_after(ANSWER_S):
            status = await _Question(upstream, address).status
    except TimeoutError:
        return _failed(f"{address} gave no answer within {ANSWER_S:g} s.")
    except (OSError, BadMessage) as error:
        return _failed(f"{address} gave no HTTP answer: {error}.")
    finally:
        upstream.abort()
    if status in _NOBODY_THERE:
        return _failed(f"{address} answers {status}: there is no gateway behind it.")
    return None


class _Question:
    """Uses an upstream connection for one GET; `status` is its answer's."""

    def __init__(self, upstream: Upstream, address: Address) -> None:
        self.status: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._reader = MessageReader(RESPONSE_START, lambda head: response_length(head, b"GET"))
        upstream.take(self)
        upstream.write(
            f"GET {address.prefix}{_PATH} HTTP/1.1\r\nHost: {address.authority}\r\n"
            "User-Agent: llmgwd\r\nAccept: */*\r\nConnection: close\r\n\r\n".encode()
        )

    def upstream_data(self, data: bytes) -> None:
        try:
            for event in self._reader.feed(data):
                if isinstance(event, Head) and status_of(event) >= 200 and not self.status.done():
                    self.status.set_result(status_of(event))
        except BadMessage as error:
            self._fail(error)

    def upstream_ended(self) -> None:
        self._fail(ConnectionError("it closed the connection"))

    def upstream_lost(self, cause: Exception | None) -> None:
        self._fail(cause or ConnectionError("it closed the connection"))

    def upstream_stalled(self) -> None:
        """One head is less than any buffer."""

    def upstream_reads_again(self) -> None:
        """See `upstream_stalled`."""

    def _fail(self, error: Exception) -> None:
        if not self.status.done():
            self.status.set_exception(error)


def _failed(message: str) -> Transient:
    return Transient(ConditionKind.URL_UNREACHABLE, message, "Is the gateway running there?")
