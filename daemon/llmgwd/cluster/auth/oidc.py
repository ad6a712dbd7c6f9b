"""Logins by an OpenID provider (`auth-provider: oidc`): the id token, and its refresh.

Ours, not the Kubernetes library's: that (36.1) sends the refresh token and the client's secret
over TLS that it does not verify.
"""

from __future__ import annotations

import base64
import contextlib
import os
import re
import ssl
import tempfile
import time
from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

import anyio.to_thread

from llmgwctl.wire import ConditionKind
from llmgwd.cluster.auth.credentials import Credential, bearer, is_header_value
from llmgwd.cluster.auth.known_plugins import look
from llmgwd.cluster.auth.renewal import Renewed, RenewingLogin
from llmgwd.cluster.kubeconfig import parsing
from llmgwd.cluster.kubeconfig.files import MAX_BYTES
from llmgwd.cluster.kubeconfig.kubeconfig import Entry, read_pem
from llmgwd.errors import Blocked, LlmgwError, Transient
from llmgwd.net.dial import NETWORK_REMEDY
from llmgwd.net.tls import ResumingContext, Trust, by_each_authority, client_context
from llmgwd.system import foreign

if TYPE_CHECKING:
    import aiohttp

    from llmgwd.cluster.kubectl import Kubectl

_PROVIDER_S = 15.0
# A description and a set of tokens are some kilobytes.
_MAX_ANSWER_BYTES = 256 * 1024
# What client-go calls expired: a token is of no use to a request that is still under way.
_EXPIRY_DELTA_S = 10.0


def login(entry: Entry, kubectl: Kubectl) -> RenewingLogin:
    """The login of an `auth-provider` entry whose name is oidc."""
    provider = _Provider(entry, kubectl)
    return RenewingLogin(provider.renew, files=(), remedy=provider.remedy)


class _Provider:
    """One provider; holds the tokens as they are now (a refresh may replace both)."""

    def __init__(self, entry: Entry, kubectl: Kubectl) -> None:
        config = entry.mapping("config")
        if config is None:
            raise entry.mistake("config", "is missing; idp-issuer-url and client-id are needed")
        self.remedy = look(kubectl)
        self._entry, self._config = entry, config
        self._issuer = config.text("idp-issuer-url").rstrip("/")
        self._client_id, self._secret = config.text("client-id"), config.text("client-secret")
        self._id_token = config.text("id-token")
        if not is_header_value(self._id_token):
            raise config.mistake("id-token", "has a line's end or another control character in it")
        self._refresh_token = config.text("refresh-token")
        self._is_handed_out = False

    async def renew(self) -> Renewed:
        """The id token of the kubeconfig while it lasts, then one from the provider.

        Raises:
            Blocked: no refresh token, or the provider refuses it. Transient: out of reach.
        """
        token, ends = self._id_token, expiry(self._id_token)
        if token and not self._is_handed_out and (ends is None or ends > time.time()):
            self._is_handed_out = True
            return Renewed(Credential(bearer(token)), ends)
        if not self._refresh_token:
            raise Blocked(
                ConditionKind.LOGIN_EXPIRED,
                f"{self._entry.where}: the id token has expired and there is no refresh token",
                self.remedy,
            )
        spent, tokens = self._refresh_token, await self._refresh()
        self._id_token = tokens["id_token"]
        self._refresh_token = tokens.get("refresh_token") or self._refresh_token
        save = partial(_save, self._entry.file, spent, self._id_token, self._refresh_token)
        await anyio.to_thread.run_sync(save)
        return Renewed(Credential(bearer(self._id_token)), expiry(self._id_token))

    async def _refresh(self) -> Mapping[str, Any]:
        import aiohttp

        pem = read_pem(self._config, "idp-certificate-authority")
        origin = pem.origin if pem else "the system's authorities"
        tls = client_context(Trust(pem.read() if pem else None, origin), None)
        try:
            return await by_each_authority(tls, self._ask)
        except ssl.SSLCertVerificationError as error:
            raise Blocked(
                ConditionKind.TLS_UNTRUSTED,
                f"the certificate of the login provider {self._issuer} is not trusted: "
                f"{error.verify_message} (judged by {origin})",
                f"Check idp-certificate-authority of {self._entry.where}.",
            ) from error
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError, foreign.Malformed) as error:
            # Only the kind of error: some quote what was sent.
            raise Transient(
                ConditionKind.LOGIN_PLUGIN_FAILED,
                f"cannot reach the login provider {self._issuer} ({type(error).__name__})",
                NETWORK_REMEDY,
            ) from None

    async def _ask(self, tls: ResumingContext | None) -> Mapping[str, Any]:
        """Have the tokens renewed; the context is the provider's.

        Raises:
            ssl.SSLCertVerificationError: nothing was sent yet.
        """
        import aiohttp

        timeout = aiohttp.ClientTimeout(total=_PROVIDER_S)
        connector = aiohttp.TCPConnector(ssl=tls or True)
        form = {
            "grant_type": "refresh_token",
            "refresh_token": self._refresh_token,
            "client_id": self._client_id,
        }
        # RFC 6749, 2.3.1: a client with a secret shows it this way; one without only says its id.
        auth = aiohttp.BasicAuth(self._client_id, self._secret) if self._secret else None
        try:
            async with aiohttp.ClientSession(
                connector=connector,
                timeout=timeout,
                trust_env=True,
                # Whatever is encoded could become a thousand times as much.
                headers={"Accept-Encoding": "identity"},
                auto_decompress=False,
            ) as session:
                url = f"{self._issuer}/.well-known/openid-configuration"
                async with session.get(url) as answer:
                    endpoint = _endpoint(await _content(answer))
                async with session.post(endpoint, data=form, auth=auth) as answer:
                    return self._tokens(answer.status, await _content(answer))
        except aiohttp.ClientConnectorCertificateError as error:
            raise error.certificate_error from error

    def _tokens(self, status: int, body: bytes) -> Mapping[str, Any]:
        try:
            tokens = foreign.json(body)
        except foreign.Malformed:
            tokens = {}
        if status == 200 and isinstance(tokens, dict) and _is_set(tokens):
            return tokens
        raise self._refused(status, tokens)

    def _refused(self, status: int, tokens: Any) -> LlmgwError:
        code = tokens.get("error") if isinstance(tokens, dict) else None
        # RFC 6749, 5.2: a word of ASCII.
        is_word = isinstance(code, str) and re.fullmatch(r"[a-z_]{1,40}", code)
        said = f"{status} {code}" if is_word else str(status)
        kind = Transient if status >= 500 or status == 429 else Blocked
        return kind(
            ConditionKind.LOGIN_EXPIRED,
            f"the login provider {self._issuer} does not renew the login ({said})",
            self.remedy,
        )


async def _content(answer: aiohttp.ClientResponse) -> bytes:
    """Read a short answer; what is above the limit is cut, and then no JSON."""
    content = bytearray()
    async for chunk in answer.content.iter_any():
        content += chunk
        if len(content) > _MAX_ANSWER_BYTES:
            break
    return bytes(content)


def _endpoint(discovery: bytes) -> str:
    found = foreign.json(discovery)
    endpoint = found.get("token_endpoint") if isinstance(found, dict) else None
    if not isinstance(endpoint, str):
        raise foreign.Malformed("not a provider's description")
    return endpoint


def _is_set(tokens: Mapping[str, Any]) -> bool:
    """Say whether this is the answer to a refresh, with tokens that can be used."""
    found = tokens.get("id_token")
    renewed = tokens.get("refresh_token")
    is_usable = isinstance(found, str) and bool(found) and is_header_value(found)
    return is_usable and isinstance(renewed, str | None)


def expiry(token: str) -> float | None:
    """When a JWT ends, a little early; None where it does not say."""
    try:
        payload = token.split(".")[1]
        claims = foreign.json(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        return float(claims["exp"]) - _EXPIRY_DELTA_S
    except (IndexError, ValueError, KeyError, TypeError, foreign.Malformed):
        return None


def _save(path: str, spent: str, id_token: str, refresh_token: str) -> None:
    """Write the new tokens into the kubeconfig, as kubectl does: many a provider lets a refresh
    token be used only once. A file that cannot be written is left as it is.
    """
    with contextlib.suppress(OSError, parsing.NotYaml, AttributeError, TypeError):
        real = os.path.realpath(path)
        document: Any = parsing.read(real, MAX_BYTES)
        for user in document.get("users") or ():
            provider = (user.get("user") or {}).get("auth-provider") or {}
            found = provider.get("config") or {}
            if found.get("refresh-token") == spent:
                found["id-token"], found["refresh-token"] = id_token, refresh_token
        _replace(real, parsing.dump(document))


def _replace(path: str, text: str) -> None:
    """Whole or not at all; the new file is 0600."""
    descriptor, temporary = tempfile.mkstemp(dir=os.path.dirname(path), prefix=".kubeconfig-")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
        os.replace(temporary, path)
    except OSError:
        os.unlink(temporary)
        raise
