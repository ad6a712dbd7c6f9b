"""llmgwd as a launch agent of macOS, controlled with launchctl."""

from __future__ import annotations

import contextlib
import os
import time
from typing import TYPE_CHECKING, Final

from llmgwctl.errors import ClientError
from llmgwctl.service.launchd_agent import LABEL, NAME, agent, listen_of, program_of
from llmgwctl.service.state import ServiceState, ask, of_launchd
from llmgwctl.service.unit_files import File, installed, refuse_foreign, remove, template, write

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Sequence

    from llmgwctl.service.manager import Wanted

_TIMEOUT_S: Final = 60.0
# The plist's ExitTimeOut, in which streams may end, and some.
_ENDS_WITHIN_S: Final = 40.0
_LOOK_EVERY_S: Final = 0.1
# EINPROGRESS of macOS: `bootout` returned before the job had ended.
_IN_PROGRESS: Final = 36


class Launchd:
    """Implements `manager.Manager`."""

    name = "launchd"

    def __init__(self, home: str = os.path.expanduser("~")) -> None:
        self.path = os.path.join(home, "Library", "LaunchAgents", NAME)
        self.log_path = os.path.join(home, "Library", "Logs", "llmgw", "llmgwd.log")
        # The domain of the graphical login; an agent of another domain would end with ssh.
        self._domain = f"gui/{os.getuid()}"
        self._job = f"{self._domain}/{LABEL}"

    def files(self, wanted: Wanted) -> list[File]:
        return [File(self.path, agent(template("launchd", NAME), wanted, self.log_path))]

    def install(self, wanted: Wanted, is_current: bool) -> list[str]:
        files = self.files(wanted)
        refuse_foreign(files)
        # launchd makes the log's file, but not its folder.
        os.makedirs(os.path.dirname(self.log_path), mode=0o700, exist_ok=True)
        changed = [file.path for file in files if write(file)]
        self._do("enable", self._job)
        if changed and self._is_loaded():
            # launchd reads a plist only when it loads it.
            self.stop()
        did = [f"wrote {path}" for path in changed] or ["the agent was up to date"]
        return [*did, "enabled at login", self._bring_up(is_current)]

    def uninstall(self) -> list[str]:
        refuse_foreign([File(self.path, "")])
        if not os.path.lexists(self.path):
            return ["there was no agent to remove"]
        self.stop()
        did = [f"removed {path}" for path in (self.path, self.log_path) if remove(path)]
        with contextlib.suppress(OSError):
            os.rmdir(os.path.dirname(self.log_path))
        return ["stopped and disabled", *did]

    def start(self) -> None:
        self._must_be_installed()
        if not self._is_loaded():
            self._do("bootstrap", self._domain, self.path)

    def stop(self) -> None:
        """Unload it, and wait until it is gone: launchd loads none while it ends one."""
        if not self._is_loaded():
            return
        self._do("bootout", self._job, but=_IN_PROGRESS)
        deadline = time.monotonic() + _ENDS_WITHIN_S
        while self._is_loaded():
            if time.monotonic() > deadline:
                raise ClientError(
                    "service-failed", f"{LABEL} does not end", f"launchctl print {self._job}"
                )
            time.sleep(_LOOK_EVERY_S)

    def restart(self) -> None:
        self._must_be_installed()
        if self._is_loaded():
            # launchd keeps the sockets meanwhile.
            self._do("kickstart", "-k", self._job)
        else:
            self.start()

    def state(self) -> ServiceState:
        if not os.path.isfile(self.path):
            return ServiceState(self.name)
        text = installed(self.path)
        answer = self._ask("print", self._job)
        is_loaded = answer.returncode == 0
        found = of_launchd(True, answer.stdout if is_loaded else None)
        word = "not loaded" if not is_loaded else "running" if found.is_running else "not running"
        lines = [f"agent      {word}" + (f", process {found.pid}" if found.pid else "")]
        listen = tuple(listen_of(text))
        lines += [f"ports      {', '.join(listen)}, held by launchd", f"log        {self.log_path}"]
        return found._replace(
            holds_ports=is_loaded,
            program=program_of(text),
            listen=listen,
            lines=tuple(lines),
        )

    def log_command(self, lines: int, follow: bool) -> Sequence[str]:
        return ["tail", "-n", str(lines), *(["-F"] if follow else []), self.log_path]

    def _bring_up(self, is_current: bool) -> str:
        if not self._is_loaded():
            self.start()
            return "started"
        if is_current:
            return "left running: it is this version already"
        self.restart()
        return "restarted, its ports kept open all the while"

    def _must_be_installed(self) -> None:
        if not os.path.isfile(self.path):
            raise ClientError(
                "not-installed",
                "llmgwd is not installed as a service here",
                "llmgwctl service install",
            )

    def _is_loaded(self) -> bool:
        return self._ask("print", self._job).returncode == 0

    def _do(self, *words: str, but: int = 0) -> None:
        answer = self._ask(*words)
        if answer.returncode not in (0, but):
            raise ClientError(
                "service-failed",
                f"launchctl {' '.join(words)} failed: {answer.stderr.strip() or 'no reason given'}",
                f"see: {self.log_path}",
            )

    def _ask(self, *words: str) -> subprocess.CompletedProcess[str]:
        return ask("launchctl", *words, within_s=_TIMEOUT_S)
