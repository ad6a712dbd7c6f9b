"""The whole way of a newcomer, from a clean clone and an empty home to an uninstalled service.

    python tests/service/newcomer.py [--suite]

The read-me's two commands in a clone of HEAD; then the wheel by pipx, the service under a
`systemd --user` of its own, `setup`, `doctor` and `report`, an upgrade under load, and all taken
away. Every output is shown, to be read with the eyes of someone new, and how long each step took.
The read-me's tests are those that need no cluster; with `--suite` all of them. Needs root and
systemd, as tests/service does. The exit status is 1 where a step did not do what it is to do.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

TESTS = Path(__file__).parents[1]
sys.path.insert(0, str(TESTS))

from service import package  # noqa: E402 - by the path above
from service.manager import Manager, obstacle, systemd_is_booted  # noqa: E402
from support.load.kept_load import Group, kept_load  # noqa: E402
from support.ports import free_port  # noqa: E402

ROOT = TESTS.parent
PIPX = (sys.executable, "-m", "pipx")
NEWER = "0.1.1"
KINDS = ("raw", "httpx", "aiohttp")
# For what a command set going to show.
BETWEEN_S, OVER_S = 5.0, 60.0
# What belongs to the installers.
NOT_OURS = (".cache/", ".local/share/pipx", ".local/state/pipx")
CONFIGURATION = {".config/llmgw/config.toml"}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--suite", action="store_true", help="all of the read-me's tests")
    options = parser.parse_args()
    if reason := obstacle():
        sys.exit(f"no service manager can be started here: {reason}")
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="llmgw-new-")))
        stack.enter_context(systemd_is_booted())
        manager = Manager(folder)
        manager.start()
        stack.callback(manager.stop)
        walk = Walk(manager)
        in_a_clone(walk, options.suite)
        with cluster(walk):
            as_a_service(walk)
    print("\n" + "\n".join(f"{took:7.1f} s  {what}" for what, took in walk.took))


@dataclass
class Walk:
    """A person at an empty home; what they type and how long it took."""

    manager: Manager
    took: list[tuple[str, float]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.home = self.manager.home
        self.clone = self.manager.folder / "llmgw"
        self.environ = {
            **self.manager.environ,
            "PATH": f"{self.home / '.local' / 'bin'}:{self.manager.environ['PATH']}",
            "SHELL": "/bin/bash",
            "TERM": "dumb",
        }
        # Where a package index is reached by settings of this machine, pip is told of them.
        self.environ["PIP_QUIET"] = "1"
        self.environ |= {k: v for k, v in os.environ.items() if k.startswith(("PIP_", "SSL_"))}

    @contextlib.contextmanager
    def step(self, what: str) -> Iterator[None]:
        print(f"\n=== {what}", flush=True)
        begun = time.monotonic()
        yield
        self.took.append((what, time.monotonic() - begun))

    def types(self, *command: str | Path, status: int = 0, cwd: Path | None = None) -> str:
        """Run a command and show what it says; it must end with this status."""
        print(f"$ {' '.join(map(str, command))}", flush=True)
        done = subprocess.run(
            command,
            env=self.environ,
            cwd=cwd or self.home,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        print(done.stdout, end="", flush=True)
        assert done.returncode == status, f"exit status {done.returncode}, not {status}"
        return done.stdout

    def files(self) -> set[str]:
        """Give what is at home and in the runtime folder, folders aside."""
        places = (self.home, Path(self.environ["XDG_RUNTIME_DIR"]))
        found = ((place, path) for place in places for path in place.rglob("*"))
        files = {str(path.relative_to(place)) for place, path in found if not path.is_dir()}
        return {each for each in files if not each.startswith(NOT_OURS)}


def in_a_clone(walk: Walk, is_whole: bool) -> None:
    with walk.step("a clean clone"):
        walk.types("git", "clone", "--quiet", ROOT, walk.clone)
    try_the_demo(walk)
    with walk.step("the read-me's tests"):
        command = readme_command(walk.clone, "tests")
        if not is_whole:
            command = f"{command} -q tests/pure tests/virtual"
        walk.types("bash", "-c", command, cwd=walk.clone)


def try_the_demo(walk: Walk) -> None:
    command = readme_command(walk.clone, "demo")
    with running(walk, command) as demo:
        assert demo.stdout is not None
        said = ""
        with walk.step("the read-me's demo, until it is ready"):
            print(f"$ {command}", flush=True)
            for line in demo.stdout:
                print(line, end="", flush=True)
                said += line
                if "is ready" in line:
                    break
        with walk.step("what the demo says to try"):
            for shown in re.findall(r"LLMGW_SOCKET=\S+ \S+llmgwctl status|curl .*/roll", said):
                walk.types("bash", "-c", shown, cwd=walk.clone)
            time.sleep(BETWEEN_S)
        with walk.step("Ctrl-C"):
            os.killpg(demo.pid, signal.SIGINT)
            rest, _ = demo.communicate(timeout=OVER_S)
            print(rest, end="")
            assert "nothing is left behind" in rest


@contextlib.contextmanager
def running(walk: Walk, command: str) -> Iterator[subprocess.Popen[str]]:
    """A command in a terminal of its own, whose processes end with the block."""
    with subprocess.Popen(
        ["bash", "-c", command],
        env=walk.environ,
        cwd=walk.clone,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            yield process
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


def readme_command(clone: Path, name: str) -> str:
    text = (clone / "README.md").read_text()
    found = re.search(rf"<!-- {name} -->\n```sh\n(.+?)\n```", text, re.DOTALL)
    assert found is not None
    return found[1]


@contextlib.contextmanager
def cluster(walk: Walk) -> Iterator[None]:
    """A simulated cluster behind ~/.kube/config, as a person has one."""
    kubeconfig, ready = walk.home / ".kube" / "config", walk.manager.folder / "ready"
    kubeconfig.parent.mkdir()
    command = [sys.executable, "-m", "llmgwsim", "--kubeconfig", kubeconfig, "--ready-file", ready]
    with subprocess.Popen(command) as process:
        while not ready.exists():
            time.sleep(0.1)
        try:
            yield
        finally:
            process.terminate()


def as_a_service(walk: Walk) -> None:
    port = free_port()
    with walk.step("a wheel, built"):
        wheel = package.build(walk.manager.folder / "wheel", "0.1.0")
        newer = package.build(walk.manager.folder / "newer", NEWER)
    before = walk.files()
    with walk.step("pipx install"):
        walk.types(*PIPX, "install", wheel)
    with walk.step("before there is a service"):
        walk.types("llmgwctl", status=3)
        walk.types("llmgwctl", "config", "init")
        config = walk.home / ".config" / "llmgw" / "config.toml"
        # Port 4000 may be someone's on this machine.
        text = config.read_text().replace(
            '# listen = "localhost:4000"', f'listen = "localhost:{port}"'
        )
        config.write_text(text)
        walk.types("llmgwctl", "config", "check")
    with walk.step("service install"):
        walk.types("llmgwctl", "service", "install")
        walk.types("llmgwctl", "wait", "--timeout", "30s")
    with walk.step("a first look"):
        walk.types("llmgwctl")
        walk.types("llmgwctl", "service", "status")
        walk.types("llmgwctl", "setup", "claude", "--print")
    with walk.step("doctor"):
        walk.types("llmgwctl", "doctor")
    with walk.step("report"):
        walk.types("llmgwctl", "report", "--yes", "-o", walk.manager.folder / "report.txt")
    with walk.step("an upgrade under load"):
        with kept_load(port, [Group(kind, 4, (0.1, 0.4)) for kind in KINDS]) as kept:
            time.sleep(1)
            walk.types(*PIPX, "install", "--force", newer)
            walk.types("llmgwctl", "service", "install")
            time.sleep(2)
        print(kept.summary())
        assert not kept.lost, kept.summary()
        assert f"llmgwd   {NEWER}\n" in walk.types("llmgwctl", "version")
    with walk.step("all taken away"):
        walk.types("llmgwctl", "service", "uninstall")
        walk.types(*PIPX, "uninstall", "llmgw")
        left = walk.files() - before
        print("left:", *sorted(left))
        assert left == CONFIGURATION


if __name__ == "__main__":
    main()
