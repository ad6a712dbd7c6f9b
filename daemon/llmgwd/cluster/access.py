"""Access to one cluster: a kubeconfig's context, the login that goes with it, and REST.

The only importer of kubernetes_asyncio (for its merging of kubeconfig files). That and aiohttp
cost over half a second to import, so it happens when the first access is opened, in a thread;
importing this module is cheap.
"""

from __future__ import annotations

import os
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import anyio.to_thread
import yaml

from llmgwctl.wire import ConditionKind
from llmgwd.cluster import kubeconfig as kube
from llmgwd.cluster.api_errors import Action, parse_action, refusal
from llmgwd.cluster.auth.credentials import Credential, impersonation
from llmgwd.cluster.auth.logins import login_for, plugin_command
from llmgwd.errors import Blocked, Transient
from llmgwd.net.dial import Dialer
from llmgwd.net.proxy import choose_proxy
from llmgwd.net.tls import ClientCertificate, ResumingContext, Trust, client_context
from llmgwd.system.descriptors import raise_if_exhausted

if TYPE_CHECKING:
    from llmgwd.cluster.rest import Answer, Rest

_SECTIONS = {"clusters": "cluster", "contexts": "context", "users": "user"}


def kubeconfig_paths(kubeconfig: str | None, environment: Mapping[str, str]) -> tuple[str, ...]:
    """The files a kubeconfig may be in, present or not: as given, else KUBECONFIG, else the
    default place.
    """
    text = kubeconfig or environment.get("KUBECONFIG") or "~/.kube/config"
    return tuple(os.path.expanduser(path) for path in text.split(os.pathsep) if path)


async def open_access(kubeconfig: str | None, context: str | None) -> ClusterAccess:
    """Read the kubeconfig and prepare; nothing is sent to the cluster yet.

    Raises:
        Blocked: no kubeconfig, one with a mistake, no such context, an unreadable certificate.
    """
    paths = kubeconfig_paths(kubeconfig, os.environ)
    chosen = await anyio.to_thread.run_sync(_load, paths, context)
    return ClusterAccess(chosen)


class ClusterAccess:
    """One context of a kubeconfig, ready for requests and upgrades. Close it when done."""

    def __init__(self, chosen: kube.Kubeconfig) -> None:
        from llmgwd.cluster.rest import Rest

        server = chosen.server
        self.context = chosen.context
        self.cluster = chosen.cluster_name
        self.namespace = chosen.namespace
        self.server = str(server)
        cluster, user = chosen.cluster, chosen.user
        self._authorities = kube.read_pem(cluster, "certificate-authority")
        self._chain = kube.read_pem(user, "client-certificate")
        self._key = kube.read_pem(user, "client-key")
        self._is_verified = not cluster.flag("insecure-skip-tls-verify")
        self._impersonation = impersonation(user)
        self._login = login_for(chosen)
        self.plugin = plugin_command(user)
        pems = (self._authorities, self._chain, self._key)
        self.credential_files: tuple[str, ...] = (
            *chosen.files,
            *(pem.path for pem in pems if pem and pem.path),
            *self._login.files,
        )
        origin = f"{cluster.where}: proxy-url"
        self._dialer = Dialer(
            server=server,
            proxy=choose_proxy(server, cluster.text("proxy-url"), origin, os.environ),
            tls=None,
            tls_name=cluster.text("tls-server-name") or server.host,
        )
        self._tls_made_of: object = None
        self._tls: ResumingContext | None = None
        self._tls_for(Credential())  # so that an unreadable certificate is told at once
        self._rest: Rest = Rest(self._dialer)

    def __repr__(self) -> str:
        return f"<ClusterAccess {self.context}>"

    async def get(self, path: str, query: Mapping[str, str] | None = None) -> dict[str, Any]:
        """Get an object or a list.

        Raises:
            Blocked: NotFound, Forbidden, Unauthorized, or a login that cannot be had.
            Transient: no answer, or one that says to try again.
        """
        return await self._call("GET", path, query or {}, None)

    async def post(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Create an object; raises as `get` does."""
        return await self._call("POST", path, {}, body)

    @asynccontextmanager
    async def stream(
        self, path: str, query: Mapping[str, str], read_timeout_s: float
    ) -> AsyncIterator[AsyncIterator[bytes]]:
        """Open a watch or a followed log, as lines. A silence above `read_timeout_s` ends it.

        Raises:
            as `get`; Transient also from the iterator, when the connection breaks.
        """
        for may_renew in (True, False):
            credential = await self.credential()
            tls, headers = self._tls_for(credential), self._headers(credential)
            async with self._rest.stream(tls, path, query, headers, read_timeout_s) as opened:
                answer, lines = opened
                if answer.status < 300:
                    self.accepted(credential)
                    yield lines
                    return
            if answer.status != 401:
                self.accepted(credential)
            if answer.status != 401 or not self.rejected(credential) or not may_renew:
                break
        raise self._refusal(parse_action("GET", path, query), answer)

    async def credential(self) -> Credential:
        """Who we are right now; runs a login plugin where that is due.

        Raises:
            Blocked: the login needs a person. Transient: it failed for want of a network.
        """
        return await self._login.current()

    async def authorization(self) -> Mapping[str, str]:
        """The headers that an upgrade sends to say who we are; raises as `credential`."""
        return self._headers(await self.credential())

    def rejected(self, credential: Credential) -> bool:
        """Take note of a 401; return whether asking for a credential again may give another."""
        return self._login.reject(credential)

    def accepted(self, credential: Credential) -> None:
        """Take note that a credential got past the API server's door."""
        self._login.accept(credential)

    def forget_login(self) -> None:
        """A credential file changed: earlier failures count no more."""
        self._login.forget()

    def distrust_connections(self) -> None:
        """Make the next requests on connections of their own: those that are open may be dead
        without a sign of it (the machine slept). Streams that are open go on.
        """
        # Connections are kept by the context they were made with: another one, another pool.
        self._tls = None

    @property
    def login_remedy(self) -> str:
        return self._login.remedy

    def dialer(self, credential: Credential) -> Dialer:
        """How to dial the API server for an upgrade."""
        dialer = self._dialer
        return Dialer(dialer.server, dialer.proxy, self._tls_for(credential), dialer.tls_name)

    def upgrade_headers(self, credential: Credential) -> Mapping[str, str]:
        return self._headers(credential)

    async def self_subject_access(self, action: Action) -> bool:
        """Ask whether this login may do something."""
        resource, _, subresource = action.resource.partition("/")
        attributes = {
            "verb": action.verb,
            "group": action.group,
            "resource": resource,
            "subresource": subresource,
            "namespace": action.namespace,
            "name": action.name,
        }
        review = await self.post(
            "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews",
            {
                "apiVersion": "authorization.k8s.io/v1",
                "kind": "SelfSubjectAccessReview",
                "spec": {"resourceAttributes": attributes},
            },
        )
        return bool((review.get("status") or {}).get("allowed"))

    async def version(self) -> str:
        """The server's, such as "v1.36.2"."""
        return str((await self.get("/version")).get("gitVersion", ""))

    async def round_trip_s(self) -> float:
        """Time one small request on a connection that is open already."""
        await self.get("/version")
        began = time.perf_counter()
        await self.get("/version")
        return time.perf_counter() - began

    async def close(self) -> None:
        await self._login.close()
        await self._rest.close()

    async def _call(
        self, method: str, path: str, query: Mapping[str, str], body: Mapping[str, Any] | None
    ) -> dict[str, Any]:
        for may_renew in (True, False):
            credential = await self.credential()
            tls, headers = self._tls_for(credential), self._headers(credential)
            answer = await self._rest.call(tls, method, path, query, headers, body)
            if answer.status != 401:
                self.accepted(credential)
                break
            if not self.rejected(credential) or not may_renew:
                break
        action = parse_action(method, path, query)
        if answer.status >= 300:
            raise self._refusal(action, answer)
        return _parsed(action, answer)

    def _headers(self, credential: Credential) -> dict[str, str]:
        return {**credential.headers, **self._impersonation}

    def _refusal(self, action: Action, answer: Answer) -> Exception:
        return refusal(action, answer.status, answer.body, answer.headers, self.login_remedy)

    def _tls_for(self, credential: Credential) -> ResumingContext | None:
        """The context for a credential, made anew only when what it is made of changed."""
        if not self._dialer.server.is_tls:
            return None
        pems = (self._authorities, self._chain, self._key)
        made_of = (credential.certificate, *(pem and pem.stamp() for pem in pems))
        if self._tls is None or made_of != self._tls_made_of:
            certificate = credential.certificate or self._certificate()
            self._tls = client_context(self._trust(), certificate)
            self._tls_made_of = made_of
        return self._tls

    def _trust(self) -> Trust:
        pem = self._authorities
        return Trust(
            authorities=pem.read() if pem else None,
            origin=pem.origin if pem else "the system's authorities",
            is_verified=self._is_verified,
        )

    def _certificate(self) -> ClientCertificate | None:
        if self._chain is None:
            return None
        chain = self._chain.read()
        # kubectl, too, takes a key from the certificate's own file.
        key = self._key.read() if self._key else chain
        return ClientCertificate(chain, key, self._chain.origin)


def _parsed(action: Action, answer: Answer) -> dict[str, Any]:
    import msgspec

    try:
        parsed = msgspec.json.decode(answer.body)
    except msgspec.DecodeError:
        parsed = None
    if not isinstance(parsed, dict):
        # A captive portal answers everything with 200 and a page of its own.
        raise Transient(
            ConditionKind.API_SERVER_FAILING,
            f"the answer to {action} is not JSON: something else than an API server gave it",
            "is a network login page in the way?",
        )
    return parsed


def _load(paths: tuple[str, ...], context: str | None) -> kube.Kubeconfig:
    """Read and merge the files that exist. Runs in a thread: it reads and imports."""
    present = tuple(path for path in paths if os.path.exists(path))
    if not present:
        raise Blocked(
            ConditionKind.KUBECONFIG_MISSING,
            f"there is no kubeconfig: looked at {', '.join(paths)}",
            "log in to the cluster as its people say, or set KUBECONFIG",
        )
    documents = {path: _read(path) for path in present}
    filled = tuple(path for path in present if documents[path])
    # kubectl's rule: the first file to say it wins. The library takes the last (36.1).
    current = next(
        (str(found) for path in filled if (found := documents[path].get("current-context"))), ""
    )
    return kube.choose(present, _merged(filled), current, context)


def _read(path: str) -> Mapping[str, Any]:
    try:
        with open(path, encoding="utf-8") as file:
            return kube.check_document(path, yaml.safe_load(file))
    except (OSError, UnicodeDecodeError) as error:
        raise_if_exhausted(error)
        words = error.strerror if isinstance(error, OSError) else "it is not text"
        raise Blocked(
            ConditionKind.KUBECONFIG_INVALID, f"{path}: cannot read: {words}", "correct the file"
        ) from error
    except yaml.YAMLError as error:
        # Not chained: the parser quotes the lines around a mistake, and those hold secrets.
        mark = getattr(error, "problem_mark", None)
        where = f"{path}:{mark.line + 1}:{mark.column + 1}" if mark else path
        problem = getattr(error, "problem", None) or "cannot be parsed"
        raise Blocked(
            ConditionKind.KUBECONFIG_INVALID, f"{where}: not YAML: {problem}", "correct the file"
        ) from None


def _merged(paths: tuple[str, ...]) -> dict[str, dict[str, kube.Entry]]:
    """Each section's entries by name; the first file to name one wins."""
    from kubernetes_asyncio.config.kube_config import KubeConfigMerger

    try:
        merger = KubeConfigMerger(os.pathsep.join(paths))
    except (yaml.YAMLError, OSError, AttributeError, KeyError, TypeError):
        # Each file was fine a moment ago, and the library reads them for itself. Not chained:
        # its words may hold what is in them.
        raise Blocked(
            ConditionKind.KUBECONFIG_INVALID,
            f"{', '.join(paths)}: changed while it was read",
            "it is read again as soon as it changes again",
        ) from None
    nodes = merger.config.value if merger.config else {}
    return {
        section: {
            node.value["name"]: kube.Entry(
                f"{node.path}: {inner} {node.value['name']}", node.path, node.value[inner] or {}
            )
            for node in nodes.get(section, ())
        }
        for section, inner in _SECTIONS.items()
    }
