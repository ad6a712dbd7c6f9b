"""What a service manager must be able to do here; `available` gives the one of this machine."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from llmgwctl.service.state import ServiceState
    from llmgwctl.service.unit_files import File


class Wanted(NamedTuple):
    """What a unit holds of an installation; `listen` as in a status: "[::1]:4000"."""

    llmgwd: str
    llmgwctl: str
    environment: Mapping[str, str]
    listen: Sequence[str]
    has_setuid_plugins: bool = False


class Manager(Protocol):
    """One manager of services; each method returns when its work is done.

    Each raises ClientError where it was not done, with the reason.
    """

    name: str

    def files(self, wanted: Wanted) -> list[File]: ...

    def install(self, wanted: Wanted, is_current: bool) -> list[str]:
        """Write, enable and start; give sentences about what was done.

        A running daemon goes on where `is_current` and no file changed.
        """

    def uninstall(self) -> list[str]:
        """Stop, disable and remove; give sentences about what was done, if anything."""

    def start(self) -> None: ...

    def stop(self) -> None: ...

    def restart(self) -> None: ...

    def state(self) -> ServiceState: ...

    def log_command(self, lines: int, follow: bool) -> Sequence[str]: ...
