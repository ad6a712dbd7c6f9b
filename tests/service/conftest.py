"""A user's machine: a service manager, an installation from a wheel, and a cluster to reach."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from support.ports import free_port

from . import package
from .manager import Manager, obstacle, systemd_is_booted, wait_until

MASTER_KEY = "sk-of-the-simulated-gateway"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "manager" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.service)


@pytest.fixture(scope="session")
def _booted() -> Iterator[None]:
    reason = obstacle()
    if reason and os.environ.get("CI") != "true":
        pytest.skip(reason)
    assert not reason, reason
    with systemd_is_booted():
        yield


@pytest.fixture
def new_manager(_booted: None) -> Iterator[Callable[..., Manager]]:
    """Start managers, each in a short path: a socket's may have 107 bytes."""
    with contextlib.ExitStack() as stack:

        def start(uid: int = 0) -> Manager:
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="llmgw-"))
            started = Manager(Path(folder), uid)
            started.start()
            stack.callback(started.stop)
            return started

        yield start


@pytest.fixture
def manager(new_manager: Callable[..., Manager]) -> Manager:
    return new_manager()


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return package.build(tmp_path_factory.mktemp("wheel"), "0.1.0")


@pytest.fixture(scope="session")
def newer_wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return package.build(tmp_path_factory.mktemp("newer"), "0.1.1")


@pytest.fixture(scope="session")
def venv(tmp_path_factory: pytest.TempPathFactory, wheel: Path) -> Path:
    return package.environment(tmp_path_factory.mktemp("env") / "venv", wheel)


@pytest.fixture(scope="session")
def kubeconfig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The simulated cluster, for all of the tests; what leads to it."""
    folder = tmp_path_factory.mktemp("cluster")
    path, ready = folder / "kubeconfig", folder / "ready.json"
    command = [sys.executable, "-m", "llmgwsim", "--kubeconfig", path, "--ready-file", ready]
    options = ["--start", "0.1", "--master-key", MASTER_KEY]
    with subprocess.Popen([*command, *options]) as process:
        wait_until(ready.exists, "the simulated cluster is up", process)
        yield path
        process.terminate()


@dataclass
class Machine:
    """A user's machine with llmgw installed from a wheel, and perhaps as a service."""

    manager: Manager
    venv: Path
    port: int

    @property
    def config(self) -> Path:
        return self.manager.home / ".config" / "llmgw" / "config.toml"

    def configure(self, port: int, kubeconfig: Path) -> None:
        self.port = port
        self.config.parent.mkdir(parents=True, exist_ok=True)
        self.config.write_text(
            f'[[forward]]\nname = "litellm"\nlisten = "localhost:{port}"\n'
            f'kubeconfig = "{kubeconfig}"\nprobe_every = "1s"\n'
        )

    def llmgwctl(self, *words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        return self.manager.call(str(self.venv / "bin" / "llmgwctl"), *words, check=check)

    @contextlib.contextmanager
    def foreground(self) -> Iterator[subprocess.Popen[bytes]]:
        """Run the daemon as a person would in a terminal."""
        command = [self.venv / "bin" / "llmgwd"]
        with subprocess.Popen(command, env=self.manager.environ) as process:
            try:
                self.wait_until_serving()
                yield process
            finally:
                process.terminate()

    def status(self) -> Any:
        return json.loads(self.llmgwctl("status", "--json").stdout)

    def pid(self) -> int:
        return int(self.manager.show("llmgwd.service", "MainPID"))

    def restarts(self) -> int:
        return int(self.manager.show("llmgwd.service", "NRestarts"))

    def wait_until_serving(self) -> None:
        self.llmgwctl("wait", "--timeout", "30s")

    def answer(self) -> int:
        url = f"http://127.0.0.1:{self.port}/health/liveliness"
        with urllib.request.urlopen(url, timeout=30) as answer:
            return int(answer.status)


@pytest.fixture
def machine(manager: Manager, venv: Path, kubeconfig: Path) -> Iterator[Machine]:
    machine = Machine(manager, venv, 0)
    machine.configure(free_port(), kubeconfig)
    log = manager.folder / "llmgwd.log"
    manager.set_drop_in(
        "llmgwd.service", f"[Service]\nStandardOutput=append:{log}\nStandardError=append:{log}\n"
    )
    yield machine
    if log.exists():
        # pytest shows it where the test failed.
        print(log.read_text())


@pytest.fixture
def installed(machine: Machine) -> Machine:
    machine.llmgwctl("service", "install")
    machine.wait_until_serving()
    return machine
