"""A real `systemd --user` of a test's own: its home, its runtime folder, its control groups.

The manager must not share control groups with another one, because systemd stops a unit by its
group's name. So it begins in a fresh group, below which it makes all of its own.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from support.written_logs import LOGS

SYSTEMD = Path("/lib/systemd/systemd")
# sd_booted(3): without this folder systemd refuses to be a user's manager.
BOOTED = Path("/run/systemd/system")
# Legacy and hybrid layouts have a hierarchy for systemd, the unified one only the root.
_HIERARCHIES = tuple(
    path
    for path in map(Path, ("/sys/fs/cgroup/systemd", "/sys/fs/cgroup/unified", "/sys/fs/cgroup"))
    if (path / "cgroup.procs").exists()
)
_PATIENCE_S = 60.0


def obstacle() -> str:
    """Say why no manager can run here; empty: one can."""
    for program in ("systemctl", "systemd-analyze"):
        if shutil.which(program) is None:
            return f"{program} is not installed"
    if not SYSTEMD.exists():
        return f"{SYSTEMD} is not installed"
    if os.getuid() != 0:
        return "control groups for a manager of its own can only be made by root"
    return "" if _HIERARCHIES else "no control groups are mounted"


@contextlib.contextmanager
def systemd_is_booted() -> Iterator[None]:
    """Have the folder by which systemd knows that it is the machine's own."""
    is_ours = not BOOTED.exists()
    BOOTED.mkdir(parents=True, exist_ok=True)
    yield
    if is_ours:
        with contextlib.suppress(OSError):
            BOOTED.rmdir()


@dataclass
class Manager:
    """One running manager; `uid` is who it runs as."""

    folder: Path
    uid: int = 0
    environ: dict[str, str] = field(init=False)
    _process: subprocess.Popen[bytes] = field(init=False)

    def __post_init__(self) -> None:
        self.home = self.folder / "home"
        self.log = self.folder / "manager.log"
        runtime = self.folder / "run"
        self.environ = {
            "PATH": "/usr/local/bin:/usr/bin:/bin",
            "HOME": str(self.home),
            "LANG": "C.UTF-8",
            "XDG_RUNTIME_DIR": str(runtime),
            "XDG_CONFIG_HOME": str(self.home / ".config"),
            "XDG_DATA_HOME": str(self.home / ".local" / "share"),
            "XDG_STATE_HOME": str(self.home / ".local" / "state"),
        }
        self.units = self.home / ".config" / "systemd" / "user"
        self.units.mkdir(parents=True)
        runtime.mkdir(mode=0o700)
        for path in (self.folder, *self.folder.rglob("*")):
            os.chown(path, self.uid, self.uid)

    def start(self) -> None:
        self._groups = [
            hierarchy / f"llmgw-{os.getpid()}-{self.folder.name}" for hierarchy in _HIERARCHIES[:2]
        ]
        for group in self._groups:
            group.mkdir()
            for path in (group, *group.iterdir()):
                os.chown(path, self.uid, self.uid)
        joins = "".join(f"echo $$ >{group}/cgroup.procs && " for group in self._groups)
        user = f"setpriv --reuid={self.uid} --regid={self.uid} --clear-groups"
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                ["sh", "-c", f"{joins} exec {user} {SYSTEMD} --user --log-target=console"],
                env=self.environ,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        wait_until(self._is_up, "the manager is up", self._process)

    def stop(self) -> None:
        """End it and all it started, whatever state it is in."""
        self._process.terminate()
        try:
            self._process.wait(timeout=40)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        for pid in self.processes():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        for group in self._groups:
            _remove_group(group)
        LOGS.collect_files(self.folder)

    def processes(self) -> list[int]:
        """Give the ids of what runs below the manager, itself included."""
        found: list[int] = []
        for path in self._groups[0].rglob("cgroup.procs"):
            # A group may go while it is looked at.
            with contextlib.suppress(OSError):
                found += map(int, path.read_text().split())
        return found

    def systemctl(self, *words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        return self.call("systemctl", "--user", "--no-pager", *words, check=check)

    def call(self, *command: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run a program as this manager's user, in its environment."""
        user = ["setpriv", f"--reuid={self.uid}", f"--regid={self.uid}", "--clear-groups"]
        done = subprocess.run(
            [*(user if self.uid else []), *command],
            env=self.environ,
            capture_output=True,
            text=True,
            timeout=_PATIENCE_S,
            check=False,
        )
        if check:
            assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
        return done

    def show(self, unit: str, name: str) -> str:
        return self.systemctl("show", unit, f"--property={name}", "--value").stdout.strip()

    def set_drop_in(self, unit: str, text: str) -> None:
        path = self.units / f"{unit}.d" / "50-test.conf"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def _is_up(self) -> bool:
        state = self.systemctl("is-system-running", check=False).stdout.strip()
        return state in ("running", "degraded")


def wait_until(is_so: object, claim: str, process: subprocess.Popen[bytes] | None = None) -> None:
    """Ask again and again, for what no event tells from outside of a process."""
    assert callable(is_so)
    deadline = time.monotonic() + _PATIENCE_S
    while not is_so():
        assert process is None or process.poll() is None, f"it ended before {claim}"
        assert time.monotonic() < deadline, f"in vain waited until {claim}"
        time.sleep(0.02)


def _remove_group(group: Path) -> None:
    folders = sorted((path for path in group.rglob("*") if path.is_dir()), reverse=True)
    for folder in (*folders, group):
        # A process that was just killed leaves its group a moment later.
        wait_until(lambda folder=folder: _is_removed(folder), f"{folder} is empty")


def _is_removed(folder: Path) -> bool:
    try:
        folder.rmdir()
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return True
