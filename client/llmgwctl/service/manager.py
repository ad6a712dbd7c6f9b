"""What a service manager must be able to do here, and which one this machine has."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, NamedTuple, Protocol

from llmgwctl.errors import ClientError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from llmgwctl.service.units import Wanted


class File(NamedTuple):
    path: str
    text: str


class Facts(NamedTuple):
    """What the manager knows; `lines` are for people, `listen` as in a status."""

    is_installed: bool
    is_running: bool
    pid: int = 0
    holds_ports: bool = False
    program: str = ""
    listen: tuple[str, ...] = ()
    lines: tuple[str, ...] = ()


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

    def facts(self) -> Facts: ...

    def log_command(self, lines: int, follow: bool) -> Sequence[str]: ...


def choose() -> Manager:
    """Give the manager that runs for this user.

    Raises:
        ClientError: there is none.
    """
    if sys.platform == "darwin":
        from llmgwctl.service.launchd import Launchd

        return Launchd()
    from llmgwctl.service.systemd import Systemd

    systemd = Systemd()
    reason = systemd.absence()
    if reason:
        raise ClientError("no-service-manager", reason, in_the_foreground())
    return systemd


def for_printing() -> Manager:
    """Give the manager of this platform, whether it runs or not."""
    if sys.platform == "darwin":
        from llmgwctl.service.launchd import Launchd

        return Launchd()
    from llmgwctl.service.systemd import Systemd

    return Systemd()


def in_the_foreground() -> str:
    return (
        "run llmgwd in a terminal or under a supervisor of your own:\n"
        "  llmgwd                          in the foreground, Ctrl-C ends it\n"
        "  setsid llmgwd >~/llmgwd.log 2>&1 &    until the machine goes down"
    )
