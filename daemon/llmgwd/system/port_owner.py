"""Who listens on a port that we want: a pid and a name, for the sentence that says so.

Slow (it reads much of /proc, or runs lsof): call it in a thread.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_LISTEN: Final = "0A"  # TCP_LISTEN in /proc/net/tcp
_LSOF_S: Final = 5.0


@dataclass(frozen=True, slots=True)
class PortOwner:
    pid: int
    name: str

    def __str__(self) -> str:
        return f"{self.name} (pid {self.pid})"


def port_owner(port: int) -> PortOwner | None:
    """Find who listens; None where it is another user's and the system does not say."""
    return _by_lsof(port) if sys.platform == "darwin" else _by_proc(port)


def _by_proc(port: int) -> PortOwner | None:
    wanted = {f"socket:[{inode}]" for inode in _listening_inodes(port)}
    if not wanted:
        return None
    for process in Path("/proc").iterdir():
        if process.name.isdecimal() and _holds(process / "fd", wanted):
            return PortOwner(int(process.name), _name_of(process))
    return None


def _listening_inodes(port: int) -> set[str]:
    inodes = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        with contextlib.suppress(OSError):
            for line in Path(table).read_text().splitlines()[1:]:
                fields = line.split()
                local_port = int(fields[1].rpartition(":")[2], 16)
                if local_port == port and fields[3] == _LISTEN:
                    inodes.add(fields[9])
    return inodes


def _holds(descriptors: Path, wanted: set[str]) -> bool:
    """Other users' folders cannot be read, and processes end while one looks."""
    with contextlib.suppress(OSError):
        for descriptor in descriptors.iterdir():
            with contextlib.suppress(OSError):
                if os.readlink(descriptor) in wanted:
                    return True
    return False


def _name_of(process: Path) -> str:
    """The program's name; of an interpreter, the script's too."""
    with contextlib.suppress(OSError):
        words = (process / "cmdline").read_bytes().split(b"\0")
        if words[0]:
            names = [os.path.basename(word).decode("utf-8", "replace") for word in words[:3]]
            is_script = names[0].startswith(("python", "node", "ruby"))
            script = next((n for n in names[1:] if n and not n.startswith("-")), "")
            return f"{names[0]} {script}".strip() if is_script else names[0]
    with contextlib.suppress(OSError):
        return (process / "comm").read_text().strip()
    return "?"


def _by_lsof(port: int) -> PortOwner | None:
    command = ["lsof", "-nP", f"-iTCP:{port}", "-sTCP:LISTEN", "-Fpc"]
    try:
        listed = subprocess.run(  # noqa: S603 - fixed words and a number
            command, capture_output=True, text=True, timeout=_LSOF_S, check=False, stdin=-3
        ).stdout
    except (OSError, subprocess.TimeoutExpired):
        return None
    return read_lsof(listed)


def read_lsof(listed: str) -> PortOwner | None:
    """Read `lsof -Fpc`: a line "p<pid>", then a line "c<name>"."""
    fields = {line[0]: line[1:] for line in reversed(listed.splitlines()) if line}
    if not fields.get("p", "").isdecimal():
        return None
    return PortOwner(int(fields["p"]), fields.get("c", "?"))
