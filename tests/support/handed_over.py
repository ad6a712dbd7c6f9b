"""Listening sockets held outside the daemon, as a service manager holds them (sd_listen_fds(3))."""

from __future__ import annotations

import fcntl
import os
import socket
import subprocess
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any, Self

_FIRST = 3
# Above any number that a handed-over descriptor gets, so that no copy overwrites another.
_HIGH = 50
# LISTEN_PID is the number of the process that the sockets are for: known only once it runs.
_WITH_OWN_PID = 'LISTEN_PID=$$ exec "$@"'


class HandedOver:
    """One port on 127.0.0.1 that stays bound while one daemon after the other serves it."""

    def __init__(self, port: int) -> None:
        listening = socket.create_server(("127.0.0.1", port), backlog=4096)
        self._descriptor = fcntl.fcntl(listening.fileno(), fcntl.F_DUPFD_CLOEXEC, _HIGH)
        listening.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        os.close(self._descriptor)

    def popen(
        self, command: Sequence[str], env: dict[str, str], **options: Any
    ) -> subprocess.Popen[Any]:
        """Start a process that finds the port's socket as its descriptor 3."""
        return subprocess.Popen(
            ["/bin/sh", "-c", _WITH_OWN_PID, "sh", *command],
            env={**env, "LISTEN_FDS": "1"},
            pass_fds=(_FIRST, self._descriptor),
            preexec_fn=self._place(options.pop("preexec_fn", None)),
            **options,
        )

    def _place(self, then: Callable[[], None] | None) -> Callable[[], None]:
        def place() -> None:
            os.dup2(self._descriptor, _FIRST)
            os.close(self._descriptor)
            if then is not None:
                then()

        return place
