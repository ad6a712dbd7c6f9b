"""A client without a socket: the daemon's own questions take the way of everybody's bytes."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, cast

from llmgwd.errors import LlmgwError

if TYPE_CHECKING:
    from llmgwd.gateway.answer import Reader, Writer
    from llmgwd.relay.connection import Carrier, LocalConnection
    from llmgwd.relay.route import Route


class ProbeClient:
    """What a route sees of it: the verbs of a `LocalConnection`."""

    is_probe = True

    def __init__(self) -> None:
        self.sent: list[bytes] = []
        self.has_finished = False
        self.is_closed = False
        self.opened_at = asyncio.get_running_loop().time()
        self.carrier: Carrier | None = None
        self.came: asyncio.Queue[bytes | LlmgwError] = asyncio.Queue()

    @property
    def first_bytes(self) -> bytes:
        return b"".join(self.sent)

    def attach(self, carrier: Carrier) -> None:
        self.carrier = carrier

    def give_back(self, cause: LlmgwError) -> None:
        self.carrier = None
        self.came.put_nowait(cause)

    def write(self, payload: bytes) -> None:
        self.came.put_nowait(payload)

    def write_eof(self) -> None:
        self.came.put_nowait(b"")

    def answer(self, response: bytes | None) -> None:
        self.came.put_nowait(response or b"")

    def abort(self) -> None:
        self.came.put_nowait(b"")

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...


class _Asker:
    """The other end of a `ProbeClient`: what it sends and reads."""

    def __init__(self, client: ProbeClient) -> None:
        self._client = client

    async def read(self, n: int = -1, /) -> bytes:
        """Give what came, b"" at the end; raises the reason when the route gave it back."""
        came = await self._client.came.get()
        if isinstance(came, LlmgwError):
            raise came
        return came

    def write(self, data: bytes, /) -> None:
        if self._client.carrier is not None:
            self._client.carrier.client_sent(data)
        else:
            self._client.sent.append(data)

    def close(self) -> None:
        self._client.is_closed = True
        carrier, self._client.carrier = self._client.carrier, None
        if carrier is not None:
            carrier.client_gone(is_reset=False)


async def connect_through(route: Route) -> tuple[Reader, Writer]:
    """Open a byte stream through a route; close the writer to end it."""
    client = ProbeClient()
    asker = _Asker(client)

    def carry() -> None:
        if not client.is_closed:
            route.carry(cast("LocalConnection", client))

    # A moment later, so that the question travels with the opening, as a client's would.
    asyncio.get_running_loop().call_soon(carry)
    return asker, asker
