"""`llmgwctl doctor`, called as a person calls it."""

from __future__ import annotations

import json
import os
import subprocess
from typing import TYPE_CHECKING

from support.called import PROGRAM
from support.ports import free_port

if TYPE_CHECKING:
    from pathlib import Path

    from llmgwctl.wire import CheckStatus
    from support.running_daemon import RunningDaemon


class Doctor:
    """Calls `llmgwctl doctor` as a person does, with or without a daemon."""

    def __init__(self, folder: Path, kubeconfig: Path, daemon: RunningDaemon | None = None) -> None:
        self.port = daemon.port if daemon else free_port()
        self.config = folder / "doctor.toml"
        self.config.write_text(f'[[forward]]\nname = "litellm"\nlisten = "127.0.0.1:{self.port}"\n')
        self.socket = daemon.socket if daemon else str(folder / "nobody.sock")
        home = folder / "home"
        home.mkdir(exist_ok=True)
        self.environ = {
            "PATH": os.environ["PATH"],
            "HOME": str(home),
            "KUBECONFIG": str(kubeconfig),
            "PYTHONIOENCODING": "utf-8",
        }

    def text(self, *flags: str) -> tuple[int, str]:
        ended = self._call(*flags)
        return ended.returncode, ended.stdout

    def checks(self, *flags: str) -> tuple[int, list[CheckStatus]]:
        ended = self._call("--json", *flags)
        return ended.returncode, [json.loads(line) for line in ended.stdout.splitlines()]

    def failed(self, *flags: str) -> CheckStatus:
        """Give the first line that failed, the local port's aside."""
        _, checks = self.checks(*flags)
        states = ("failed", "needs-person")
        return next(c for c in checks if c["state"] in states and c["check"] != "local-port")

    def started(self) -> subprocess.Popen[str]:
        """Start it in a process group of its own, as a shell does."""
        pipe = subprocess.PIPE
        return subprocess.Popen(
            self._command(),
            stdout=pipe,
            stderr=pipe,
            text=True,
            env=self.environ,
            start_new_session=True,
        )

    def _call(self, *flags: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self._command(*flags),
            capture_output=True,
            text=True,
            env=self.environ,
            timeout=60,
            check=False,
        )

    def _command(self, *flags: str) -> list[str]:
        return [PROGRAM, "doctor", "--socket", self.socket, "--config", str(self.config), *flags]


def by_name(checks: list[CheckStatus]) -> dict[str, CheckStatus]:
    return {check["check"]: check for check in checks}
