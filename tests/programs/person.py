"""A new user before the gateway: what an old setup left in the shell, a proxy that is a trap."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from installed import Package, installed

from support.called import PROGRAM

if TYPE_CHECKING:
    from trap import Trap

    from llmgwsim.remote import RemoteCluster
    from support.fake_provider import Provider
    from support.running_daemon import RunningDaemon

OLD_KEY = "sk-old-key-of-another-gateway"
# Nothing that a program does besides asking the gateway: with it off, whatever reaches the trap
# is a leak.
QUIET = {
    "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
    "DISABLE_AUTOUPDATER": "1",
    "DISABLE_TELEMETRY": "1",
    "CLAUDE_CODE_DISABLE_OFFICIAL_MARKETPLACE_AUTOINSTALL": "1",
    "OPENCODE_DISABLE_AUTOUPDATE": "1",
    "OPENCODE_DISABLE_MODELS_FETCH": "1",
    "OPENCODE_DISABLE_LSP_DOWNLOAD": "1",
    "OPENCODE_DISABLE_DEFAULT_PLUGINS": "1",
    "OPENCODE_PURE": "1",
    # It would fetch a package of its own.
    "npm_config_offline": "true",
}


@dataclass(frozen=True)
class World:
    cluster: RemoteCluster
    daemon: RunningDaemon
    provider: Provider


@dataclass(frozen=True)
class Person:
    """A new user: an empty home, what an old setup left in the shell, a proxy that is a trap."""

    home: Path
    world: World
    trap: Trap
    environ: dict[str, str] = field(default_factory=dict)

    @property
    def socket(self) -> str:
        return self.world.daemon.socket

    def run(
        self, package: Package, *words: str, flags: tuple[str, ...] = (), **more: str
    ) -> subprocess.CompletedProcess[str]:
        """Run a program by `llmgwctl run`, with a time-out above what it may take."""
        return self._ended(self.run_command(package, *words, flags=flags), more)

    def run_command(self, package: Package, *words: str, flags: tuple[str, ...] = ()) -> list[str]:
        command = [PROGRAM, "run", "--socket", self.socket, *flags, "--"]
        return [*command, str(installed(package)), *words]

    def plainly(
        self, package: Package, *words: str, **more: str
    ) -> subprocess.CompletedProcess[str]:
        """Run a program as it is, led by its own files."""
        return self._ended([str(installed(package)), *words], more)

    def ctl(self, verb: str, *words: str) -> subprocess.CompletedProcess[str]:
        return self._ended([PROGRAM, verb, *words, "--socket", self.socket], {})

    @contextlib.contextmanager
    def started(self, command: list[str], **more: str) -> Iterator[subprocess.Popen[str]]:
        """Start a program, and let it be watched meanwhile."""
        with subprocess.Popen(
            command,
            env=self.environ | more,
            cwd=self.home,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            try:
                yield process
            finally:
                process.kill()

    def _ended(self, command: list[str], more: dict[str, str]) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command,
            env=self.environ | more,
            cwd=self.home,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def sent_past_the_port(self) -> list[str]:
        """Give the first line of each request that went to the proxy instead of the port."""
        return [each.partition(b"\r\n")[0].decode(errors="replace") for each in self.trap.caught]
