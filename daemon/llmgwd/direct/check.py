"""Whether something answers at the upstream: one request on a connection of its own."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

import anyio

from llmgwctl.wire import ConditionKind
from llmgwd.direct.rewrite import upstream_request
from llmgwd.errors import LlmgwError, Transient
from llmgwd.gateway.answer import NotHttp, exchange
from llmgwd.relay.byte_stream import ByteStream, rewritten

if TYPE_CHECKING:
    from llmgwd.direct.upstream import UpstreamDialer
    from llmgwd.gateway.answer import Reader, Writer

ANSWER_S: Final = 5.0
# Free of charge and of a key in every LiteLLM; any answer to it proves the route, even a 404.
_PATH: Final = "/health/liveliness"
# What an ingress says for a gateway that is not there: nothing a client sends would be received.
_NO_GATEWAY: Final = (502, 503, 504)


async def check(dialer: UpstreamDialer) -> LlmgwError | None:
    """Ask once; give what is wrong, or None. Ends within the dial's and the answer's bounds."""
    address = dialer.address
    try:
        upstream = await dialer.dial()
    except LlmgwError as error:
        return error
    stream = ByteStream(
        lambda written: rewritten(
            written, lambda head, line: upstream_request(head, line, line.target, address)
        )
    )

    async def connect() -> tuple[Reader, Writer]:
        asyncio.get_running_loop().call_soon(upstream.take, stream)
        return stream, stream

    try:
        with anyio.fail_after(ANSWER_S):
            answer = await exchange(connect, _PATH)
    except TimeoutError:
        return _failed(f"{address} gave no answer within {ANSWER_S:g} s.")
    except (EOFError, LlmgwError):
        return _failed(f"{address} gave no HTTP answer: it closed the connection.")
    except NotHttp:
        return _failed(f"{address} gave no HTTP answer.")
    finally:
        upstream.reset()
    if answer.status in _NO_GATEWAY:
        return _failed(f"{address} answers {answer.status}: there is no gateway behind it.")
    return None


def _failed(message: str) -> Transient:
    return Transient(ConditionKind.URL_UNREACHABLE, message, "See that the gateway runs there.")
