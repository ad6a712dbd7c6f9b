"""The access to a cluster, read from the kubeconfig again whenever a file of it changes.

A kubeconfig that became unreadable does not take away the access that was read from it before.
All routes of one kubeconfig and context have one access: one login, one set of connections.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Protocol
from weakref import WeakValueDictionary

import anyio

from llmgwd.cluster.access import ClusterAccess, open_access
from llmgwd.cluster.kubeconfig.files import kubeconfig_paths
from llmgwd.errors import Blocked, LlmgwError

if TYPE_CHECKING:
    from llmgwd.config.model import ClusterRoute
    from llmgwd.system.files.file_watch import WatchedFiles


class AccessUser(Protocol):
    """A route, as its access sees it."""

    def access_expired(self) -> None:
        """The access is to be `read` anew."""

    def login_changed(self) -> None:
        """A file changed from which the kubeconfig takes the login."""

    def access_replaced(self, before: ClusterAccess, after: ClusterAccess) -> None:
        """The kubeconfig was read anew; it may lead to another cluster now."""

    def access_questioned(self) -> None:
        """The kubeconfig cannot be read any more; `error` says why."""


class FollowedAccess:
    """Of one kubeconfig and context, for all routes that use it."""

    def __init__(self, kubeconfig: str | None, context: str | None, files: WatchedFiles) -> None:
        self.current: ClusterAccess | None = None
        self.error: LlmgwError | None = None  # of the last reading, while an older one is used
        self._users: list[AccessUser] = []
        self._kubeconfig = kubeconfig
        self._context = context
        self._files = files
        self._reading = anyio.Lock()
        self._version = 0  # of the files
        self._read_version = -1

    @asynccontextmanager
    async def used_by(self, user: AccessUser) -> AsyncIterator[None]:
        """Report to `user` while the block lasts; the end of the last one closes the access."""
        self._users.append(user)
        try:
            yield
        finally:
            self._users.remove(user)
            if not self._users:
                await self._close()

    async def read(self) -> ClusterAccess:
        """Read the kubeconfig if that was not done, or if it changed since.

        Raises:
            Blocked: it cannot be read, and never could.
        """
        async with self._reading:
            if self.current is None or self._read_version != self._version:
                await self._read(self._version)
            assert self.current is not None
            return self.current

    async def _read(self, version: int) -> None:
        paths = kubeconfig_paths(self._kubeconfig, os.environ)
        self._files.follow((self, "kubeconfig"), paths, self.expire)
        try:
            access = await open_access(self._kubeconfig, self._context)
        except Blocked as error:
            if self.current is None:
                raise
            self._read_version, self.error = version, error
            for user in tuple(self._users):
                user.access_questioned()
            return
        self._read_version, self.error = version, None
        login_files = [file for file in access.credential_files if file not in paths]
        self._files.follow((self, "login"), login_files, self._login_changed)
        before, self.current = self.current, access
        if before is not None:
            for user in tuple(self._users):
                user.access_replaced(before, access)
            await before.close()

    async def _close(self) -> None:
        self._files.forget((self, "kubeconfig"))
        self._files.forget((self, "login"))
        access, self.current = self.current, None
        with anyio.CancelScope(shield=True):
            if access is not None:
                await access.close()

    def expire(self) -> None:
        """Have it read anew: the kubeconfig changed, or a person wants it so."""
        self._version += 1
        for user in tuple(self._users):
            user.access_expired()

    def _login_changed(self) -> None:
        if self.current is not None:
            self.current.forget_login()
        for user in tuple(self._users):
            user.login_changed()


class Accesses:
    """Gives routes of one kubeconfig and context the same access."""

    def __init__(self, files: WatchedFiles) -> None:
        self._files = files
        self._known = WeakValueDictionary[tuple[str | None, str | None], FollowedAccess]()

    def of(self, route: ClusterRoute) -> FollowedAccess:
        key = route.kubeconfig, route.context
        access = self._known.get(key)
        if access is None:
            access = self._known[key] = FollowedAccess(*key, self._files)
        return access
