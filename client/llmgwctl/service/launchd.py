"""llmgwd as a launch agent of macOS, spoken to through launchctl."""

from __future__ import annotations

import os
import plistlib
import re
import subprocess
from typing import TYPE_CHECKING, Final

from llmgwctl.errors import ClientError
from llmgwctl.service.files import template
from llmgwctl.service.manager import Facts, File
from llmgwctl.service.plist import LABEL, NAME, agent, listen_of
from llmgwctl.service.store import refuse_foreign, remove, write

if TYPE_CHECKING:
    from collections.abc import Sequence

    from llmgwctl.service.units import Wanted

_TIMEOUT_S: Final = 60.0


class Launchd:
    """Implements `manager.Manager`."""

    name = "launchd"

    def __init__(self, home: str = os.path.expanduser("~")) -> None:
        self.path = os.path.join(home, "Library", "LaunchAgents", NAME)
        self.log_path = os.path.join(home, "Library", "Logs", "llmgw", "llmgwd.log")
        # Where a person sits at the machine; an agent in another domain would end with ssh.
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
            self._do("bootout", self._job)
        did = [f"wrote {path}" for path in changed] or ["the agent was up to date"]
        return [*did, "enabled at login", self._bring_up(is_current)]

    def uninstall(self) -> list[str]:
        refuse_foreign([File(self.path, "")])
        if not os.path.lexists(self.path):
            return ["there was no agent to remove"]
        self.stop()
        remove(self.path)
        return ["stopped and disabled", f"removed {self.path}"]

    def start(self) -> None:
        self._must_be_installed()
        if not self._is_loaded():
            self._do("bootstrap", self._domain, self.path)

    def stop(self) -> None:
        if self._is_loaded():
            self._do("bootout", self._job)

    def restart(self) -> None:
        self._must_be_installed()
        if self._is_loaded():
            # launchd keeps the sockets meanwhile.
            self._do("kickstart", "-k", self._job)
        else:
            self.start()

    def facts(self) -> Facts:
        if not os.path.isfile(self.path):
            return Facts(is_installed=False, is_running=False)
        with open(self.path, encoding="utf-8") as file:
            text = file.read()
        job = plistlib.loads(text.encode())
        answer = self._ask("print", self._job)
        state = re.search(r"^\s*state = (.+)$", answer.stdout, re.MULTILINE)
        pid = re.search(r"^\s*pid = (\d+)$", answer.stdout, re.MULTILINE)
        word = state[1] if state else "not loaded"
        lines = [f"agent      {word}" + (f", process {pid[1]}" if pid else "")]
        addresses = ", ".join(listen_of(text))
        lines += [f"ports      {addresses}, held by launchd", f"log        {self.log_path}"]
        return Facts(
            True,
            pid is not None,
            int(pid[1]) if pid else 0,
            answer.returncode == 0,
            job["ProgramArguments"][0],
            tuple(listen_of(text)),
            tuple(lines),
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
                "not-installed", "llmgwd is no service here yet", "llmgwctl service install"
            )

    def _is_loaded(self) -> bool:
        return self._ask("print", self._job).returncode == 0

    def _do(self, *words: str) -> None:
        answer = self._ask(*words)
        if answer.returncode != 0:
            raise ClientError(
                "service-failed",
                f"launchctl {' '.join(words)} failed: {answer.stderr.strip() or 'no reason given'}",
                f"see: {self.log_path}",
            )

    def _ask(self, *words: str) -> subprocess.CompletedProcess[str]:
        command = ["launchctl", *words]
        try:
            return subprocess.run(  # noqa: S603 - our own words
                command, capture_output=True, text=True, timeout=_TIMEOUT_S, check=False
            )
        except FileNotFoundError:
            return subprocess.CompletedProcess(command, 127, "", "launchctl: not found")
        except subprocess.TimeoutExpired:
            return subprocess.CompletedProcess(command, 124, "", "no answer from launchd")
