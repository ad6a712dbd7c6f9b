"""A real llmgwd in a process of its own, with its own socket, state and ports."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

from llmgwctl.api import transport
from llmgwctl.api.client import Client
from llmgwctl.errors import ClientError
from llmgwctl.wire import ApiPath as Route
from support.ports import free_port
from support.written_logs import LOGS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from llmgwctl.wire import Event, ForwardStatus, Status

START_S = 20.0


class RunningDaemon:
    """`config` is the text of its configuration file; "PORT" in it becomes `port`."""

    def __init__(self, folder: Path, kubeconfig: Path, config: str, **environment: str) -> None:
        self.port = free_port()
        self.config_path = folder / "config.toml"
        self.log_path = folder / "log"
        self.socket = str(folder / "run" / "llmgwd.sock")
        self.client = Client(self.socket, timeout_s=5.0)
        self._environment = {
            **os.environ,
            "KUBECONFIG": str(kubeconfig),
            "LLMGW_STATE_DIR": str(folder / "state"),
            **environment,
        }
        self.write_config(config)
        self.process: subprocess.Popen[str] | None = None
        # Another way to start it: `HandedOver.popen`, on a socket that outlives it.
        self.popen: Callable[..., subprocess.Popen[str]] = subprocess.Popen

    def write_config(self, text: str) -> None:
        draft = self.config_path.with_suffix(".new")
        draft.write_text(text.replace("PORT", str(self.port)))
        draft.replace(self.config_path)

    def launch(
        self,
        *flags: str,
        preexec: Callable[[], None] | None = None,
        program: Sequence[str] = ("-m", "llmgwd"),
    ) -> None:
        command = [sys.executable, *program, "run", "--config", str(self.config_path)]
        command += ["--socket", self.socket, "--log-format", "json", *flags]
        with self.log_path.open("a") as log:
            self.process = self.popen(
                command,
                env=self._environment,
                stderr=log,
                stdout=log,
                text=True,
                preexec_fn=preexec,
            )
        self.wait_until(self._answers, "answers", START_S)

    def _answers(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, self.log()
        try:
            self.client.status()
        except (ClientError, OSError):
            return False
        return True

    def status(self) -> Status:
        return self.client.status()

    def forward(self, name: str = "litellm") -> ForwardStatus:
        return next(each for each in self.status()["forwards"] if each["name"] == name)

    def state(self, name: str = "litellm") -> str:
        return self.forward(name)["state"]

    def conditions(self, name: str = "litellm") -> list[str]:
        return [each["kind"] for each in self.forward(name)["conditions"]]

    def events(self) -> list[Event]:
        return list(self.client.events(since_s=3600, follow=False))

    def metrics(self) -> str:
        return transport.request(self.socket, "GET", Route.METRICS).body.decode()

    def kinds(self) -> list[str]:
        return [event["kind"] for event in self.events()]

    def wait_for(self, state: str, name: str = "litellm", within_s: float = 15.0) -> None:
        self.wait_until(lambda: self.state(name) == state, f"is {state}", within_s)

    def wait_until(self, claim: Callable[[], Any], what: str, within_s: float = 15.0) -> None:
        deadline = time.monotonic() + within_s
        while not claim():
            if time.monotonic() > deadline:
                raise AssertionError(f"after {within_s:g} s not so: {what}\n{self.log()}")
            time.sleep(0.02)

    def signal(self, number: int) -> None:
        assert self.process is not None
        self.process.send_signal(number)

    def end(self, within_s: float = 40.0) -> int:
        """Send SIGTERM and give the exit status."""
        assert self.process is not None
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.process.send_signal(signal.SIGTERM)
        return self.process.wait(within_s)

    def kill(self) -> None:
        """Leave nothing of it but what it wrote."""
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        LOGS.collect_files(self.config_path.parent)

    def log_events(self) -> set[str]:
        """The events that were logged so far, by the names they have in the journal."""
        lines = [json.loads(line) for line in self.log().splitlines() if line.startswith("{")]
        return {line["event"].replace(" ", "-") for line in lines}

    def log(self) -> str:
        return self.log_path.read_text() if self.log_path.exists() else ""

    def open_descriptors(self) -> int:
        assert self.process is not None
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))


DEFAULT = """
[[forward]]
name = "litellm"
listen = "localhost:PORT"
"""
TWO_FORWARDS = """
[[forward]]
name = "litellm"
listen = "localhost:PORT"

[[forward]]
name = "other"
listen = "localhost:OTHER"
"""


@contextlib.contextmanager
def running(
    folder: Path, kubeconfig: Path, config: str = DEFAULT, *flags: str, **environment: str
) -> Iterator[RunningDaemon]:
    """Run a daemon until the block ends; it must end cleanly then."""
    daemon = RunningDaemon(folder, kubeconfig, config, **environment)
    try:
        daemon.launch(*flags)
        yield daemon
    finally:
        daemon.kill()
