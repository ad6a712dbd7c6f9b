"""Which service manager this machine has for this user."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from llmgwctl.errors import ClientError
from llmgwctl.service.launchd import Launchd
from llmgwctl.service.systemd import Systemd

if TYPE_CHECKING:
    from llmgwctl.service.manager import Manager


def running_manager() -> Manager:
    """Give the manager that runs for this user.

    Raises:
        ClientError: there is none.
    """
    if sys.platform == "darwin":
        return Launchd()
    systemd = Systemd()
    reason = systemd.absence()
    if reason:
        raise ClientError("no-service-manager", reason, _IN_THE_FOREGROUND)
    return systemd


def manager_of_platform() -> Manager:
    """Give the manager of this platform, whether it runs or not."""
    return Launchd() if sys.platform == "darwin" else Systemd()


_IN_THE_FOREGROUND = (
    "run llmgwd in a terminal or under a supervisor of your own:\n"
    "  llmgwd                          in the foreground, Ctrl-C ends it\n"
    "  setsid llmgwd >~/llmgwd.log 2>&1 &    until the machine goes down"
)
