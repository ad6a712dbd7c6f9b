"""REST to one API server: the Kubernetes library's calls over our connections and our login.

The library makes the requests. What it is given by its own hooks: each request's credential
(`refresh_api_key_hook`), and a session over our connections (`library_session`). Answers are taken
unread (`_preload_content=False`): its typed models cost a loop that is blocked for half a second at
200 pods, and its exceptions know nothing of proxies and login pages.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

import anyio

from llmgwctl.wire import ConditionKind
from llmgwd.cluster.api_errors import PROXY_REMEDY, Action, note_refusal, parse_action, refusal
from llmgwd.cluster.kubernetes_library import (
    AuthenticationV1Api,
    AuthorizationV1Api,
    Configuration,
    CoreV1Api,
    VersionApi,
    apps_v1_api,
)
from llmgwd.cluster.library_session import DIAL_S, LibraryClient, LibrarySession, sent_with
from llmgwd.errors import LlmgwError, Transient
from llmgwd.net.dial import NETWORK_REMEDY, reason, unanswered
from llmgwd.system import foreign
from llmgwd.system.fair_share import FairShare
from llmgwd.system.lean_aiohttp import aiohttp

if TYPE_CHECKING:
    from llmgwd.cluster.auth.credentials import Login
    from llmgwd.cluster.tls import ClusterTls
    from llmgwd.net.dial import Dialer

# A caller has scopes of its own; this only keeps a forgotten one from waiting for ever.
_REQUEST_S = 30.0
# A list of 800 pods of the usual 10 KB. Of a refusal, the sentence in it is read.
MAX_ANSWER_BYTES = 8 * 1024 * 1024
MAX_REFUSAL_BYTES = 256 * 1024
# A longer answer is decoded in a thread: a million values take the loop half a second.
_DECODED_AT_ONCE_BYTES = 128 * 1024
# An object in etcd is at most 1.5 MiB; a line of a log has no limit of its own.
_MAX_LINE_BYTES = 8 * 1024 * 1024
# The library's name for what goes into the header Authorization, whatever its scheme.
_AUTHORIZATION = "BearerToken"

Operation = Callable[..., Awaitable[aiohttp.ClientResponse]]


class Rest:
    """The library's APIs of one server, and how one of their operations is called."""

    def __init__(
        self,
        dialer: Dialer,
        login: Login,
        tls: ClusterTls,
        impersonation: Sequence[tuple[str, str]],
    ) -> None:
        self._dialer, self._where = dialer, dialer.server.authority
        self._login = login
        self._session = LibrarySession(dialer, tls, impersonation)
        configuration = Configuration(host=str(dialer.server))
        # The hook is called for each request, if there is a key at all.
        configuration.api_key[_AUTHORIZATION] = ""
        configuration.refresh_api_key_hook = self._authorize
        self._client = LibraryClient(configuration, self._session)
        self.core = CoreV1Api(self._client)
        self.authentication = AuthenticationV1Api(self._client)
        self.authorization = AuthorizationV1Api(self._client)
        self.version = VersionApi(self._client)

    @cached_property
    def apps(self) -> Any:
        """The API of workloads."""
        return apps_v1_api()(self._client)

    def pod_log(self, name: str, namespace: str, **options: Any) -> Awaitable[Any]:
        """The operation that reads a pod's log; `query` has the API's own names.

        Not `CoreV1Api.read_namespaced_pod_log`: it has no sinceTime (up to 36.1), without which a
        log that broke cannot be taken up again where it ended.
        """
        called: Awaitable[Any] = self._client.call_api(
            "/api/v1/namespaces/{namespace}/pods/{name}/log",
            "GET",
            path_params={"namespace": namespace, "name": name},
            query_params=list(options.pop("query").items()),
            auth_settings=[_AUTHORIZATION],
            **options,
        )
        return called

    async def call(
        self, operation: Operation, *arguments: object, **options: object
    ) -> dict[str, Any]:
        """Make one of the library's calls; give the object of its answer as JSON has it.

        Raises:
            Blocked: NotFound, Forbidden, Unauthorized, or a login that cannot be had.
            Transient: no answer, or one that says to try again.
        """
        options["_request_timeout"] = _REQUEST_S
        async with self._answer(operation, arguments, options) as answer:
            return await self._parsed(answer, await self._read(answer, MAX_ANSWER_BYTES))

    @asynccontextmanager
    async def stream(
        self, operation: Operation, *arguments: object, read_timeout_s: float, **options: object
    ) -> AsyncIterator[AsyncIterator[bytes]]:
        """Open a watch or a followed log, as lines. A silence above `read_timeout_s` ends it.

        Raises:
            as `call`; Transient also from the iterator, when the connection breaks.
        """
        options["_request_timeout"] = (DIAL_S, read_timeout_s)
        async with self._answer(operation, arguments, options) as answer:
            yield self._lines(answer)

    async def close(self) -> None:
        await self._session.close()

    @asynccontextmanager
    async def _answer(
        self, operation: Operation, arguments: tuple[object, ...], options: Mapping[str, object]
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """Make a call, again where its credential was refused and another may be had."""
        for may_renew in (True, False):
            answer = await self._request(operation, arguments, options)
            async with answer:
                if answer.status < 300 and answer.content_type != "text/html":
                    self._login.accept(sent_with.get())
                    yield answer
                    return
                status, body = answer.status, await self._read(answer, MAX_REFUSAL_BYTES)
                if note_refusal(self._login, sent_with.get(), status, body) and may_renew:
                    continue
                action, remedy = self._action(answer), self._login.remedy
                raise refusal(action, status, body, answer.headers, remedy)

    async def _request(
        self, operation: Operation, arguments: tuple[object, ...], options: Mapping[str, object]
    ) -> aiohttp.ClientResponse:
        if self._session.is_closed:
            # A task that still holds this access will be given the one that replaced it.
            raise Transient(
                ConditionKind.API_SERVER_UNREACHABLE, "the kubeconfig was read anew meanwhile"
            )
        try:
            answer = await operation(*arguments, _preload_content=False, **options)
            self._refuse_encoded(answer)
            return answer
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise self._unreachable(error) from error

    def _refuse_encoded(self, answer: aiohttp.ClientResponse) -> None:
        """Raises Transient: the body is compressed, which we did not ask for; a few bytes of that
        can become any number.
        """
        encoding = answer.headers.get("Content-Encoding", "identity").strip().lower()
        if encoding not in ("", "identity"):
            answer.close()
            raise Transient(
                ConditionKind.API_SERVER_FAILING,
                f"{self._where} compressed an answer that was to be sent as it is",
                PROXY_REMEDY,
            )

    async def _authorize(self, configuration: Any) -> None:
        """Called by the library before each request; it reads the key at once when this returns.

        Raises:
            Blocked: the login needs a person. Transient: it failed for want of a network.
        """
        credential = await self._login.current()
        sent_with.set(credential)
        configuration.api_key[_AUTHORIZATION] = credential.headers.get("Authorization", "")

    async def _read(self, answer: aiohttp.ClientResponse, most_bytes: int) -> bytes:
        """Read a body; raises Transient: it is longer than that."""
        chunks, size = [], 0
        async for chunk in self._chunks(answer):
            chunks.append(chunk)
            size += len(chunk)
            if size > most_bytes:
                # The error is kept for as long as it is shown, and with it this frame.
                chunks.clear()
                raise Transient(
                    ConditionKind.API_SERVER_FAILING,
                    f"the answer to {self._action(answer)} is above {most_bytes} bytes",
                )
        return b"".join(chunks)

    async def _lines(self, answer: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
        """Cut the body into lines, one at a time: a list of 100,000 empty ones takes 100 times
        their bytes. aiohttp's own readline has a limit below an object's size.
        """
        rest, share = bytearray(), FairShare()
        async for chunk in self._chunks(answer):
            start, seen = 0, len(rest)
            rest += chunk
            while (end := rest.find(b"\n", max(start, seen))) >= 0:
                yield bytes(rest[start:end])
                start = end + 1
                await share.give_way()
            del rest[:start]
            if len(rest) > _MAX_LINE_BYTES:
                rest.clear()
                raise Transient(
                    ConditionKind.API_SERVER_FAILING,
                    f"{self._where} sent a line above {_MAX_LINE_BYTES} bytes",
                )
        if rest:
            yield bytes(rest)

    async def _chunks(self, answer: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
        try:
            async for chunk in answer.content.iter_any():
                yield chunk
        except (aiohttp.ClientError, TimeoutError, OSError, RuntimeError) as error:
            raise self._unreachable(error) from error

    async def _parsed(self, answer: aiohttp.ClientResponse, body: bytes) -> dict[str, Any]:
        try:
            is_short = len(body) <= _DECODED_AT_ONCE_BYTES
            decode = partial(foreign.json, body)
            parsed = decode() if is_short else await anyio.to_thread.run_sync(decode)
        except foreign.Malformed:
            parsed = None
        if not isinstance(parsed, dict):
            # A captive portal answers everything with 200 and a page of its own.
            words = f"the answer to {self._action(answer)} is not JSON: something else than an API"
            words += " server gave it"
            raise Transient(ConditionKind.API_SERVER_FAILING, words, PROXY_REMEDY)
        return parsed

    def _action(self, answer: aiohttp.ClientResponse) -> Action:
        """Name what was asked for in the words of RBAC."""
        path = answer.url.path.removeprefix(self._dialer.server.prefix)
        return parse_action(answer.method, path, answer.url.query)

    def _unreachable(self, error: Exception) -> LlmgwError:
        if isinstance(error, TimeoutError):
            return unanswered(self._dialer)
        if isinstance(error, aiohttp.ClientResponseError):
            words = f"{self._where} answers with what is not HTTP"  # aiohttp would quote it
            return Transient(ConditionKind.API_SERVER_FAILING, words, PROXY_REMEDY)
        # Of an answer that broke off aiohttp quotes the head; between two reads it is RuntimeError.
        cuts = (aiohttp.ServerDisconnectedError, aiohttp.ClientPayloadError, RuntimeError)
        is_cut = isinstance(error, cuts)
        words = "it closed the connection before its answer's end" if is_cut else reason(error)
        return Transient(
            ConditionKind.API_SERVER_UNREACHABLE,
            f"the API server {self._where} went away: {words}",
            NETWORK_REMEDY,
        )
