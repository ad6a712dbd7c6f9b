"""When the gateway's list of models is asked for again, on a virtual clock."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import anyio
from virtual_clock import run

from llmgwd.gateway.key import Key
from llmgwd.gateway.models import AGAIN_S, KEEP_S, ModelList

if TYPE_CHECKING:
    from llmgwd.gateway.answer import Reader, Writer


class Gateway:
    """Gives one scripted answer a connection, and keeps what it was asked."""

    def __init__(self, *answers: bytes) -> None:
        self.asked: list[bytes] = []
        self._answers = list(answers)

    async def connect(self) -> tuple[Reader, Writer]:
        reader = asyncio.StreamReader()
        reader.feed_data(self._answers.pop(0))
        reader.feed_eof()
        return reader, self

    def write(self, data: bytes, /) -> None:
        self.asked.append(data)

    def close(self) -> None: ...


def answer(status: str, body: bytes) -> bytes:
    return b"HTTP/1.1 %s\r\ncontent-length: %d\r\n\r\n%s" % (status.encode(), len(body), body)


async def key() -> Key:
    return Key("sk-k", "the test")


LISTED = answer("200 OK", b'{"data": [{"id": "b"}, {"id": "a"}]}')
REFUSED = answer("401 Unauthorized", b'{"error": {"message": "no"}}')


def test_it_is_asked_once_and_again_when_it_has_grown_old() -> None:
    async def main() -> None:
        gateway, models = Gateway(LISTED), ModelList(key)
        assert models.age_s is None
        assert models.is_due()

        await models.renew(gateway.connect)
        await anyio.sleep(KEEP_S - 1)

        assert (models.names, models.age_s, models.is_due()) == (("a", "b"), KEEP_S - 1, False)
        await anyio.sleep(1)
        assert models.is_due()
        assert b"Authorization: Bearer sk-k" in gateway.asked[0]

    run(main)


def test_what_was_known_stays_where_the_gateway_refuses() -> None:
    async def main() -> None:
        gateway, models = Gateway(LISTED, REFUSED), ModelList(key)
        await models.renew(gateway.connect)
        await anyio.sleep(KEEP_S)

        await models.renew(gateway.connect)

        assert (models.names, models.age_s, models.is_due()) == (("a", "b"), KEEP_S, False)
        await anyio.sleep(AGAIN_S)
        assert models.is_due()

    run(main)


def test_a_gateway_that_is_away_leaves_no_trace_but_a_pause() -> None:
    async def away() -> tuple[Reader, Writer]:
        raise ConnectionRefusedError

    async def main() -> None:
        models = ModelList(key)

        await models.renew(away)

        assert (models.age_s, models.is_due()) == (None, False)

    run(main)
