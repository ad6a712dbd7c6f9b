"""The control port: fault calls as HTTP, one POST each, on loopback without TLS."""

from __future__ import annotations

import asyncio
import inspect
from typing import TYPE_CHECKING

from llmgwsim.net.http1 import Connections, HttpConnection
from llmgwsim.net.request import Request, json_body

if TYPE_CHECKING:
    from llmgwsim.faults.calls import Faults


class Control:
    """`POST /faults/NAME` with the call's arguments as a JSON object; `GET /` lists the calls."""

    def __init__(self, faults: Faults) -> None:
        self._faults = faults
        self._connections = Connections()
        self._server: asyncio.Server | None = None
        self.port = 0

    async def start(self, port: int) -> None:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            lambda: HttpConnection(self._serve, self._connections), "127.0.0.1", port
        )
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()
        await self._connections.abort()

    async def _serve(self, request: Request) -> None:
        if request.path == "/":
            request.respond_json(200, self._faults.describe())
            return
        name = request.path.removeprefix("/faults/").replace("-", "_")
        call = self._faults.call(name)
        if call is None:
            request.respond_json(404, {"error": f"no fault call {name}"})
            return
        try:
            arguments = json_body(await request.body())
            answer = call(**arguments)
            if inspect.isawaitable(answer):
                answer = await answer
        except (TypeError, ValueError, LookupError) as error:
            request.respond_json(400, {"error": f"{name}: {error}"})
            return
        request.respond_json(200, {"result": answer})
