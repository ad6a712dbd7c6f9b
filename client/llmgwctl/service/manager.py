"""What a service manager must be able to do here; `available` gives the one of this machine."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from llmgwctl.service.state import ServiceState
    from llmgwctl.service.unit_files import File


class Wanted(NamedTuple):
    """What of an installation ends in a unit; `listen` as in a status: "[::1]:4000"."""

    llmgwd: str
    llmgwctl: str
    environment: Mapping[str, str]
    listen: Sequence[str]
    has_setuid_plugins: bool = False


class Manager(Protocol):
    """One manager of services; every act waits until it is done.

    Raises, all of them: ClientError: it was not done, and why.
    """

    name: str

    def files(self, wanted: Wanted) -> list[File]: ...

    def install(self, wanted: Wanted, is_current: bool) -> list[str]:
        """Write, enable and start; say what was done.

        A daemon that runs is left alone where `is_current` and no file changed.
        """

    def uninstall(self) -> list[str]:
        """Stop, disable and remove; say what was done. Nothing installed is no error."""

    def start(self) -> None: ...

    def stop(self) -> None: ...

    def restart(self) -> None: ...

    def state(self) -> ServiceState: ...

    def log_command(self, lines: int, follow: bool) -> Sequence[str]: ...
