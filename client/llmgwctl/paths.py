"""Where the control socket, the configuration and the history are, for both sides.

Decided from the environment alone: nothing is created, and no other process is asked.
"""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

APP = "llmgw"
SOCKET_NAME = "control.sock"
SOCKET_VARIABLE = "LLMGW_SOCKET"
CONFIG_VARIABLE = "LLMGW_CONFIG"
STATE_VARIABLE = "LLMGW_STATE_DIR"

# sizeof(sun_path) less the final NUL, which macOS and Linux both require.
SOCKET_PATH_LIMIT = 103 if sys.platform == "darwin" else 107


def runtime_folder(
    environ: Mapping[str, str] = os.environ, platform: str = sys.platform, uid: int | None = None
) -> str:
    """Give the folder (0700, made by the daemon) that holds the control socket.

    On macOS it is not a temporary folder: the system removes old files there, and TMPDIR may
    differ between a login shell and launchd.
    """
    uid = os.getuid() if uid is None else uid
    if platform == "darwin":
        return os.path.join(_home(environ), "Library", "Application Support", APP, "run")
    runtime = environ.get("XDG_RUNTIME_DIR")
    if runtime and os.path.isabs(runtime):
        return os.path.join(runtime, APP)
    # cron, sudo and ssh without PAM lack the variable, though the folder is there.
    if os.path.isdir(f"/run/user/{uid}"):
        return f"/run/user/{uid}/{APP}"
    return f"/tmp/{APP}-{uid}"  # noqa: S108 - the daemon refuses it unless it is its own, 0700


def socket_path(environ: Mapping[str, str] = os.environ, platform: str = sys.platform) -> str:
    """Give the path of the control socket: $LLMGW_SOCKET, or the one in the runtime folder."""
    chosen = environ.get(SOCKET_VARIABLE)
    if chosen:
        return os.path.abspath(chosen)
    return os.path.join(runtime_folder(environ, platform), SOCKET_NAME)


def config_path(environ: Mapping[str, str] = os.environ, platform: str = sys.platform) -> str:
    """Give the path of the configuration file, whether there is one or not."""
    chosen = environ.get(CONFIG_VARIABLE)
    if chosen:
        return os.path.abspath(chosen)
    return os.path.join(_folder(environ, platform, "XDG_CONFIG_HOME", ".config"), "config.toml")


def state_folder(environ: Mapping[str, str] = os.environ, platform: str = sys.platform) -> str:
    """Give the folder of what is kept across restarts: $LLMGW_STATE_DIR, or the platform's."""
    chosen = environ.get(STATE_VARIABLE)
    usual = os.path.join(".local", "state")
    return chosen or _folder(environ, platform, "XDG_STATE_HOME", usual)


def _folder(environ: Mapping[str, str], platform: str, variable: str, usual: str) -> str:
    """Give our folder in the one that a variable names, or in the usual one."""
    if platform == "darwin":
        return os.path.join(_home(environ), "Library", "Application Support", APP)
    chosen = environ.get(variable, "")
    folder = chosen if os.path.isabs(chosen) else os.path.join(_home(environ), usual)
    return os.path.join(folder, APP)


def _home(environ: Mapping[str, str]) -> str:
    return environ.get("HOME") or os.path.expanduser("~")
