"""Who listens at an address that we want: a pid and a name, for the sentence that says so.

Slow (it reads much of /proc, or runs lsof): call it in a thread.
"""

from __future__ import annotations

import contextlib
import ipaddress
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_LISTEN: Final = "0A"  # TCP_LISTEN in /proc/net/tcp
_LSOF_S: Final = 5.0
_NAME_CHARACTERS: Final = 40

_Address = ipaddress.IPv4Address | ipaddress.IPv6Address


@dataclass(frozen=True, slots=True)
class PortOwner:
    """`name` is short and printable; other users choose what their programs are called."""

    pid: int
    name: str

    def __str__(self) -> str:
        return f"{self.name} (pid {self.pid})"

    @property
    def is_llmgwd(self) -> bool:
        return "llmgwd" in self.name.split()


def port_owner(host: str, port: int) -> PortOwner | None:
    """Find who listens at an address, this process aside; None where the system does not say.

    Another program may hold `127.0.0.1` while this one serves `::1` at the same port. What listens
    at every address keeps one from binding any.
    """
    return _by_lsof(host, port) if sys.platform == "darwin" else _by_proc(host, port)


def remedy_for_taken(port: int, owner: PortOwner | None) -> str:
    """Give the command that ends the owner, or shows it to someone who may see it; no command
    ends an llmgwd that may be serving someone.
    """
    if owner is None:
        return f"sudo ss -ltnp 'sport = :{port}'"
    if owner.is_llmgwd:
        return (
            "It is another llmgwd, with a control socket of its own: set LLMGW_SOCKET to speak "
            "with it, or end it where it was started."
        )
    return f"kill {owner.pid}"


def _by_proc(host: str, port: int) -> PortOwner | None:
    wanted = {f"socket:[{inode}]" for inode in _listening_inodes(host, port)}
    if not wanted:
        return None
    for process in Path("/proc").iterdir():
        if process.name == str(os.getpid()) or not process.name.isdecimal():
            continue
        if _holds(process / "fd", wanted):
            return PortOwner(int(process.name), _shown(_name_of(process)))
    return None


def _listening_inodes(host: str, port: int) -> set[str]:
    """Find the sockets that keep one from binding an address."""
    inodes = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        with contextlib.suppress(OSError):
            for line in Path(table).read_text().splitlines()[1:]:
                fields = line.split()
                address, _, local_port = fields[1].rpartition(":")
                if int(local_port, 16) != port or fields[3] != _LISTEN:
                    continue
                if _is_in_the_way(_address(address), ipaddress.ip_address(host)):
                    inodes.add(fields[9])
    return inodes


def _address(text: str) -> _Address:
    """Read an address of /proc/net/tcp: words of four bytes in the machine's own order."""
    raw = bytes.fromhex(text)
    words = [raw[at : at + 4] for at in range(0, len(raw), 4)]
    if sys.byteorder == "little":
        words = [word[::-1] for word in words]
    return ipaddress.ip_address(b"".join(words))


def _is_in_the_way(bound: _Address, wanted: _Address) -> bool:
    if isinstance(bound, ipaddress.IPv6Address) and bound.ipv4_mapped is not None:
        bound = bound.ipv4_mapped
    if bound == wanted:
        return True
    is_same_family = bound.version == wanted.version
    # `::` takes IPv4 as well, unless it was made not to.
    return (bound.is_unspecified and (is_same_family or bound.version == 6)) or (
        wanted.is_unspecified and is_same_family
    )


def _shown(name: str) -> str:
    """Make a name fit for one line of a terminal."""
    text = "".join(letter if letter.isprintable() else "?" for letter in name)
    return text if len(text) <= _NAME_CHARACTERS else f"{text[: _NAME_CHARACTERS - 1]}…"


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


def _by_lsof(host: str, port: int) -> PortOwner | None:
    command = ["lsof", "-nP", f"-iTCP:{port}", "-sTCP:LISTEN", "-Fpcn"]
    try:
        listed = subprocess.run(  # noqa: S603 - fixed words and a number
            command, capture_output=True, text=True, timeout=_LSOF_S, check=False, stdin=-3
        ).stdout
    except (OSError, subprocess.TimeoutExpired):
        return None
    return read_lsof(listed, host, os.getpid())


def read_lsof(listed: str, host: str, own_pid: int) -> PortOwner | None:
    """Read `lsof -Fpcn`: for each process a line "p<pid>" and a line "c<name>", then for each of
    its sockets a line "n<address>:<port>", with `*` for every address.
    """
    pid, name = 0, "?"
    for line in listed.splitlines():
        field, value = line[:1], line[1:]
        if field == "p":
            pid, name = (int(value) if value.isdecimal() else 0), "?"
        elif field == "c":
            name = value
        elif field == "n" and pid not in (0, own_pid):
            bound = value.rpartition(":")[0].strip("[]")
            wanted = ipaddress.ip_address(host)
            with contextlib.suppress(ValueError):  # a name, which -n should not give
                if bound == "*" or _is_in_the_way(ipaddress.ip_address(bound), wanted):
                    return PortOwner(pid, _shown(name))
    return None
