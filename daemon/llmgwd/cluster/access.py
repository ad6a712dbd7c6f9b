"""Access to one cluster: a kubeconfig's context, the login that goes with it, and REST.

Importing this module is cheap. The Kubernetes library and aiohttp are not: they are imported when
the first access is opened, in a thread.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable, Hashable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from importlib import import_module
from typing import TYPE_CHECKING, Any, TypeVar, cast
from weakref import WeakValueDictionary

import anyio.to_thread

from llmgwd.cluster.api_errors import note_refusal
from llmgwd.cluster.auth.credentials import Credential, impersonation
from llmgwd.cluster.auth.entry_rules import unknown_keys
from llmgwd.cluster.auth.logins import login_for, plugin_command
from llmgwd.cluster.kubeconfig.files import kubeconfig_paths, read_kubeconfig
from llmgwd.cluster.kubectl import Kubectl
from llmgwd.cluster.target import objects
from llmgwd.cluster.target.shared_watch import SharedWatch
from llmgwd.cluster.tls import ClusterTls
from llmgwd.net.dial import Dialer, unanswered
from llmgwd.net.proxy import choose_proxy

if TYPE_CHECKING:
    from llmgwd.cluster.api_errors import Action
    from llmgwd.cluster.kubeconfig.kubeconfig import Kubeconfig
    from llmgwd.cluster.rest import Operation
    from llmgwd.errors import LlmgwError

W = TypeVar("W", bound="SharedWatch")


async def open_access(kubeconfig: str | None, context: str | None) -> ClusterAccess:
    """Read the kubeconfig and prepare; nothing is sent to the cluster yet.

    Raises:
        Blocked: no kubeconfig, one with a mistake, no such context, an unreadable certificate.
    """
    chosen = await read_kubeconfig(kubeconfig_paths(kubeconfig, os.environ), context)
    await anyio.to_thread.run_sync(import_module, "llmgwd.cluster.rest")
    return ClusterAccess(chosen)


class ClusterAccess:
    """One context of a kubeconfig, ready for requests and upgrades. Close it when done.

    `call` and `stream` take the operations of `core` and `apps`, the Kubernetes library's APIs.
    """

    def __init__(self, chosen: Kubeconfig) -> None:
        from llmgwd.cluster.rest import Rest

        self.context = chosen.context
        self.cluster = chosen.cluster_name
        self.namespace = chosen.namespace
        self.server = str(chosen.server)
        self.kubectl = Kubectl(chosen.context, chosen.files)
        self.plugin = plugin_command(chosen)
        self._impersonation = impersonation(chosen.user)
        self._login = login_for(chosen)
        self._tls = ClusterTls(chosen)
        self.is_verified = self._tls.is_verified
        self.unknown_keys = unknown_keys(chosen.user, chosen.cluster)
        self._tls.context(Credential())  # so that an unreadable certificate is reported at once
        self.credential_files = (*chosen.files, *self._tls.files, *self._login.files)
        self._dialer = _dialer(chosen)
        self._watches = WeakValueDictionary[Hashable, SharedWatch]()
        self._rest = Rest(self._dialer, self._login, self._tls, self._impersonation)

    def __repr__(self) -> str:
        return f"<ClusterAccess {self.context}>"

    @property
    def core(self) -> Any:
        """The library's CoreV1Api, for operations to `call` and `stream`."""
        return self._rest.core

    @property
    def apps(self) -> Any:
        """The library's AppsV1Api."""
        return self._rest.apps

    async def call(
        self, operation: Operation, *arguments: object, **options: object
    ) -> dict[str, Any]:
        """Call an operation; give the object or list that it answers.

        Raises:
            Blocked: NotFound, Forbidden, Unauthorized, or a login that cannot be had.
            Transient: no answer, or one that says to try again.
        """
        return await self._rest.call(operation, *arguments, **options)

    def stream(
        self, operation: Operation, *arguments: object, read_timeout_s: float, **options: object
    ) -> AbstractAsyncContextManager[AsyncIterator[bytes]]:
        """Open a watch, as lines. A silence above `read_timeout_s` ends it.

        Raises:
            as `call`; Transient also from the iterator, when the connection breaks.
        """
        return self._rest.stream(operation, *arguments, read_timeout_s=read_timeout_s, **options)

    def shared_watch(self, of: Hashable, make: Callable[[], W]) -> W:
        """Give the watch of this that someone holds now, or a new one."""
        watch = self._watches.get(of)
        if watch is None:
            watch = self._watches[of] = make()
        return cast("W", watch)

    def pod_log(
        self, name: str, namespace: str, query: Mapping[str, str], read_timeout_s: float
    ) -> AbstractAsyncContextManager[AsyncIterator[bytes]]:
        """Open the log of a pod, as lines; `query` has the API's own names. Raises as `stream`."""
        return self.stream(
            self._rest.pod_log, name, namespace, query=query, read_timeout_s=read_timeout_s
        )

    async def secret(self, name: str, namespace: str) -> dict[str, Any]:
        """Read a Secret; raises as `call`."""
        return await self.call(self.core.read_namespaced_secret, name, namespace)

    async def credential(self) -> Credential:
        """Who we are right now; runs a login plugin where that is due.

        Raises:
            Blocked: the login needs a person. Transient: it failed for want of a network.
        """
        return await self._login.current()

    def refused(self, credential: Credential, status: int, body: bytes) -> bool:
        """Take note of an answer that is no success; return whether another credential may help."""
        return note_refusal(self._login, credential, status, body)

    def accepted(self, credential: Credential) -> None:
        """Take note that the API server knows a credential."""
        self._login.accept(credential)

    def forget_login(self) -> None:
        """A credential file changed: earlier failures no longer count."""
        self._login.forget()

    def distrust_connections(self) -> None:
        """Make the next requests on connections of their own: those that are open may be dead
        without a sign of it (the machine slept). Streams that are open go on.
        """
        self._tls.forget()

    @property
    def login_remedy(self) -> str:
        return self._login.remedy

    def dialer(self, credential: Credential) -> Dialer:
        """How to dial the API server for an upgrade."""
        return self._tls.armed(self._dialer, credential)

    def unanswered(self, within_s: float) -> LlmgwError:
        """Say that the API server gave no answer."""
        return unanswered(self._dialer, within_s)

    def upgrade_headers(self, credential: Credential) -> Sequence[tuple[str, str]]:
        """The headers that say who asks; a name may be there several times."""
        return (*credential.headers.items(), *self._impersonation)

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
        body = {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectAccessReview",
            "spec": {"resourceAttributes": attributes},
        }
        create = self._rest.authorization.create_self_subject_access_review
        review = await self.call(create, body)
        status = objects.read(objects.Review, review).status
        return status is not None and bool(status.allowed)

    async def user(self) -> str | None:
        """The name by which the API server knows this login (1.28 and later); raises as `call`."""
        body = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
        review = await self.call(self._rest.authentication.create_self_subject_review, body)
        status = objects.read(objects.Review, review).status
        user = status.user_info if status is not None else None
        return user.username if user is not None else None

    async def version(self) -> str:
        """The server's, such as "v1.36.2"."""
        answer = await self.call(self._rest.version.get_code)
        return objects.read(objects.Version, answer).git_version or ""

    async def close(self) -> None:
        await self._login.close()
        await self._rest.close()


def _dialer(chosen: Kubeconfig) -> Dialer:
    server, cluster = chosen.server, chosen.cluster
    origin = f"{cluster.where}: proxy-url"
    return Dialer(
        server=server,
        proxy=choose_proxy(server, cluster.text("proxy-url"), origin, os.environ),
        tls=None,
        tls_name=cluster.text("tls-server-name") or server.host,
        proxy_name=cluster.text("tls-server-name"),
    )
