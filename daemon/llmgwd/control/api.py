"""The control API's server: the only file that speaks HTTP on the control socket.

One request a connection. Before a byte is read the peer's uid is checked; a client that is slow to
ask, or to take the answer, is cut off. What the routes answer is none of this file's business.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from typing import TYPE_CHECKING, Any, NoReturn, cast
from urllib.parse import unquote

import anyio
import msgspec
import structlog

from llmgwd.control.endpoint import (
    ApiError,
    Call,
    Endpoint,
    EndpointTable,
    Lines,
    Reply,
    read_query,
)
from llmgwd.control.peer import peer_uid
from llmgwd.errors import Blocked, ConfigError, Transient, UnknownForward
from llmgwd.system.aligned import until_next
from llmgwd.system.lean_aiohttp import web

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from llmgwd.control.daemon import Daemon
    from llmgwd.control.socket import ControlSocket

# No route takes a body yet; what is sent all the same is read and dropped, up to this.
BODY_LIMIT = 64 * 1024
# A local program asks within milliseconds; one that needs this long holds a connection for nothing.
ASK_WITHIN_S = 5.0
TAKE_WITHIN_S = 10.0
HEARTBEAT_S = 15.0
# A control socket that is gone is noticed within a minute.
LOOK_S = 30.0
# Twice the 100 watchers promised, so that the others' questions find room as well.
CONNECTION_LIMIT = 256

_log = structlog.get_logger()
_encode = msgspec.json.Encoder().encode


class ControlServer(web.Server):
    """Serves a table of endpoints on a listening Unix socket."""

    def __init__(
        self,
        daemon: Daemon,
        table: EndpointTable,
        *,
        ask_within_s: float = ASK_WITHIN_S,
        take_within_s: float = TAKE_WITHIN_S,
        heartbeat_s: float = HEARTBEAT_S,
        connection_limit: int = CONNECTION_LIMIT,
    ) -> None:
        super().__init__(self._answer, handler_cancellation=True)
        self._daemon = daemon
        self._table = table
        self.ask_within_s = ask_within_s
        self._take_within_s = take_within_s
        self._heartbeat_s = heartbeat_s
        self._connection_limit = connection_limit

    def __call__(self) -> web.RequestHandler:
        return _Connection(self)

    async def run(self, control_socket: ControlSocket) -> NoReturn:
        """Serve the control socket until cancelled; then every connection is closed, too.

        A socket whose file is gone (a cleaner of /tmp, an `rm`) is bound again; connections that
        came by the old one go on.
        """
        loop = asyncio.get_running_loop()
        async with self.closing():
            while True:
                if control_socket.is_reachable:
                    server = await loop.create_unix_server(self, sock=control_socket.listener)
                    try:
                        while control_socket.is_reachable:  # noqa: ASYNC110 - no one reports it
                            await anyio.sleep(until_next(LOOK_S))
                    finally:
                        server.close()
                await _bind_again(control_socket)

    @contextlib.asynccontextmanager
    async def closing(self) -> AsyncIterator[None]:
        """Close every connection at the end of the block."""
        try:
            yield
        finally:
            with anyio.CancelScope(shield=True):
                # Watchers would never end by themselves, and what else runs here is done at once.
                await self.shutdown(timeout=0.2)

    def refusal_of(self, connection: socket.socket) -> bytes | None:
        """Judge who connected: None for our own user while there is room, else a whole answer."""
        uid = peer_uid(connection)
        if uid != os.getuid():
            _log.warning("control connection refused", uid=uid)
            return _raw(403, "forbidden", f"this is the socket of uid {os.getuid()}, not of {uid}")
        return self.no_room()

    def no_room(self) -> bytes | None:
        """Give a whole answer where the limit of connections is reached."""
        if len(self.connections) < self._connection_limit:
            return None
        return _raw(503, "too-many-connections", "too many connections", "end some watchers")

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        cast("_Connection", request.protocol).asked()
        try:
            endpoint, names = _route(self._table, request.method, request.rel_url.raw_path)
            await _drop_body(request, self.ask_within_s)
            call = Call(names, read_query(endpoint.parameters, _single(request)))
            with anyio.fail_after(endpoint.time_limit_s):
                answer = await endpoint.answers(self._daemon, call)
        except Exception as error:
            return await self._send(request, _error_response(error))
        if isinstance(answer, Lines):
            return await self._stream(request, endpoint.media, answer.objects)
        return await self._send(request, _response(answer, endpoint.media))

    async def _send(self, request: web.BaseRequest, response: web.Response) -> web.StreamResponse:
        """Send within the time allowed: aiohttp itself would wait for ever for a slow reader.

        A client that has left meanwhile (one that timed out, or was interrupted) gets nothing.
        """
        response.force_close()
        with (
            contextlib.suppress(ConnectionError),
            anyio.move_on_after(self._take_within_s) as scope,
        ):
            await response.prepare(request)
            await response.write_eof()
        if scope.cancelled_caught:
            _abort(request)
        return response

    async def _stream(
        self, request: web.BaseRequest, media: str, objects: AsyncIterator[Any]
    ) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": media})
        response.force_close()
        async with contextlib.aclosing(cast("Any", objects)), anyio.create_task_group() as group:
            with contextlib.suppress(ConnectionError):
                await response.prepare(request)
                group.start_soon(self._beat, request, response)
                async for each in objects:
                    if not await self._write(request, response, _encode(each) + b"\n"):
                        break
            group.cancel_scope.cancel()
        return response

    async def _beat(self, request: web.BaseRequest, response: web.StreamResponse) -> None:
        """Send the sign of life, which also finds clients that hang without having closed."""
        with contextlib.suppress(ConnectionError):
            is_taken = True
            while is_taken:
                await anyio.sleep(self._heartbeat_s)
                is_taken = await self._write(request, response, b"\n")

    async def _write(
        self, request: web.BaseRequest, response: web.StreamResponse, line: bytes
    ) -> bool:
        """Write, or cut a reader that does not take it; say which."""
        with anyio.move_on_after(self._take_within_s) as scope:
            await response.write(line)
        if scope.cancelled_caught:
            _log.info("slow watcher cut")
            _abort(request)
        return not scope.cancelled_caught


async def _bind_again(control_socket: ControlSocket) -> None:
    """Bind the socket anew, however often it takes; the failure is logged once."""
    has_failed = False
    while True:
        try:
            control_socket.bind_again()
        except Blocked as error:
            if not has_failed:
                _log.warning("control socket lost", reason=error.message)
            has_failed = True
            await anyio.sleep(LOOK_S)
        else:
            _log.info("control socket bound again", path=control_socket.path)
            return


class _Connection(web.RequestHandler):
    """aiohttp's protocol, with a check of the peer, a deadline, and our shape of error."""

    def __init__(self, server: ControlServer) -> None:
        super().__init__(
            server,
            loop=asyncio.get_running_loop(),
            # A body that is not wanted is not waited for.
            lingering_time=0,
            access_log=None,  # type: ignore[arg-type]  # what aiohttp's own runner passes, too
        )
        self._server = server
        self._deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        refusal = self._server.refusal_of(transport.get_extra_info("socket"))
        super().connection_made(transport)
        if refusal is not None:
            cast("asyncio.Transport", transport).write(refusal)
            transport.close()
            return
        abort = cast("asyncio.Transport", transport).abort
        self._deadline = self._loop.call_later(self._server.ask_within_s, abort)

    def connection_lost(self, exc: BaseException | None) -> None:
        self.asked()
        super().connection_lost(exc)

    def asked(self) -> None:
        """Note that the request's head is complete: the deadline for it is met."""
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Answer what is no HTTP."""
        error = ApiError(status, "bad-request", "this is no HTTP request")
        response = _error_response(exc if status >= 500 and isinstance(exc, Exception) else error)
        response.force_close()
        return response


def _route(table: EndpointTable, method: str, path: str) -> tuple[Endpoint, Mapping[str, str]]:
    """Find the row for a request, and the names in its path.

    Raises:
        ApiError: 404, or 405 where the path is known.
    """
    allowed = []
    for endpoint in table:
        names = _match(endpoint.path, path)
        if names is None:
            continue
        if endpoint.method == method:
            return endpoint, names
        allowed.append(endpoint.method)
    if allowed:
        raise ApiError(
            405, "method-not-allowed", f"{path} takes no {method}", f"allowed: {', '.join(allowed)}"
        )
    raise ApiError(404, "route-unknown", f"there is no {path} here", "see: /v1/openapi.json")


def _match(pattern: str, path: str) -> dict[str, str] | None:
    wanted, found = pattern.split("/"), path.split("/")
    if len(wanted) != len(found):
        return None
    names = {}
    for part, text in zip(wanted, found, strict=True):
        if part.startswith("{") and text:
            names[part.strip("{}")] = unquote(text)
        elif part != text:
            return None
    return names


def _single(request: web.BaseRequest) -> dict[str, str]:
    query = request.rel_url.query
    for name in query:
        if len(query.getall(name)) > 1:
            raise ApiError(400, "bad-request", f"the query parameter {name!r} is there twice")
    return dict(query)


async def _drop_body(request: web.BaseRequest, within_s: float) -> None:
    size = 0
    try:
        with anyio.fail_after(within_s):
            async for chunk in request.content.iter_any():
                size += len(chunk)
                if size > BODY_LIMIT:
                    raise ApiError(413, "too-large", f"more than {BODY_LIMIT} bytes of body")
    except TimeoutError:
        raise ApiError(408, "too-slow", f"the body took more than {within_s:g} s") from None


def _response(reply: Reply, media: str) -> web.Response:
    body = reply.body if isinstance(reply.body, bytes) else _encode(reply.body)
    return web.Response(status=reply.status, body=body, headers={"Content-Type": media})


def _error_response(error: Exception) -> web.Response:
    status, code, message, remedy = _answer_to(error)
    headers = {"Content-Type": "application/json"}
    if status == 405:
        headers["Allow"] = remedy.removeprefix("allowed: ")
    return web.Response(status=status, body=_error_body(code, message, remedy), headers=headers)


def _answer_to(error: Exception) -> tuple[int, str, str, str]:
    """Choose status, code, sentence and remedy; only our own bugs are logged."""
    match error:
        case ApiError():
            return error.status, error.code, error.message, error.remedy
        case UnknownForward():
            return 404, error.code, error.message, error.remedy
        case ConfigError():
            return 422, error.code, error.message, error.remedy
        case Transient():
            return 503, error.code, error.message, error.remedy
        case Blocked():
            return 409, error.code, error.message, error.remedy
        case TimeoutError():
            return 503, "too-slow", "it took too long", "try again"
        case _:
            _log.error("control request failed", exc_info=error)
            return 500, "internal", "llmgwd made a mistake; its log says more", ""


def _error_body(code: str, message: str, remedy: str) -> bytes:
    return _encode({"error": {"code": code, "message": message, "remedy": remedy}})


def _raw(status: int, code: str, message: str, remedy: str = "") -> bytes:
    """Make a whole answer for whom no request is read from."""
    body = _error_body(code, message, remedy)
    head = f"HTTP/1.0 {status} Refused\r\nContent-Type: application/json\r\n"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


def _abort(request: web.BaseRequest) -> None:
    if request.transport is not None:
        request.transport.abort()
