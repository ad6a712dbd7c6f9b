"""The access to a cluster, read from the kubeconfig again whenever a file of it changes.

A kubeconfig that became unreadable does not take away the access that was read from it before.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING

import anyio

from llmgwd.cluster.access import ClusterAccess, open_access
from llmgwd.cluster.kubeconfig.files import kubeconfig_paths
from llmgwd.errors import Blocked, LlmgwError
from llmgwd.relay.route_events import ClusterChanged

if TYPE_CHECKING:
    from llmgwd.config.model import ClusterRoute
    from llmgwd.relay.route_events import RouteEvents
    from llmgwd.system.files.file_watch import WatchedFiles


class FollowedAccess:
    """Of one route. `file_changed` is called when the kubeconfig changed (True: `read` it anew) or
    a file that it takes its login from (False); `moved` when it leads to another cluster.
    """

    def __init__(
        self,
        config: ClusterRoute,
        files: WatchedFiles,
        events: RouteEvents,
        file_changed: Callable[[bool], None],
        moved: Callable[[], None],
    ) -> None:
        self.current: ClusterAccess | None = None
        self.error: LlmgwError | None = None  # of the last reading, while an older one is used
        self._config = config
        self._files = files
        self._events = events
        self._file_changed = file_changed
        self._moved = moved
        self._is_stale = False

    async def read(self) -> ClusterAccess:
        """Read the kubeconfig if that was not done, or if it changed since.

        Raises:
            Blocked: it cannot be read, and never could.
        """
        if self.current is not None and not self._is_stale:
            return self.current
        self._is_stale = False
        paths = kubeconfig_paths(self._config.kubeconfig, os.environ)
        self._files.follow((self, "kubeconfig"), paths, self._kubeconfig_changed)
        try:
            access = await open_access(self._config.kubeconfig, self._config.context)
        except Blocked as error:
            if self.current is None:
                raise
            self.error = error
            self._events.changed()
            return self.current
        self.error = None
        login_files = [file for file in access.credential_files if file not in paths]
        self._files.follow((self, "login"), login_files, self._login_changed)
        await self._replace_by(access)
        return access

    async def close(self) -> None:
        self._files.forget((self, "kubeconfig"))
        self._files.forget((self, "login"))
        access, self.current = self.current, None
        with anyio.CancelScope(shield=True):
            if access is not None:
                await access.close()

    async def _replace_by(self, access: ClusterAccess) -> None:
        before, self.current = self.current, access
        if before is None:
            return
        if (before.context, before.server) != (access.context, access.server):
            self._moved()
            self._events.record(ClusterChanged(_place(before), _place(access)))
        await before.close()

    def _kubeconfig_changed(self) -> None:
        self._is_stale = True
        self._file_changed(True)

    def _login_changed(self) -> None:
        if self.current is not None:
            self.current.forget_login()
        self._file_changed(False)


def _place(access: ClusterAccess) -> str:
    return f"context {access.context} ({access.server})"
