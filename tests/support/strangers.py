"""Clients that are not this user's: another uid, another network namespace."""

from __future__ import annotations

import contextlib
import ctypes
import os
import shutil
import subprocess
import uuid
from collections.abc import Iterator

import pytest

NOBODY = 65534
# What curl says of a connection that was reset: at once, or when it read.
_CURL_RESET = (7, 56)

needs_root = pytest.mark.skipif(
    os.getuid() != 0 or shutil.which("curl") is None,
    reason="only root can be another user, and curl asks as that one",
)


def ask_as_nobody(url: str, *options: str) -> subprocess.CompletedProcess[str]:
    """Have curl ask as another user of this machine."""
    return _curl(["curl"], url, *options, user=NOBODY)


def is_reset(ended: subprocess.CompletedProcess[str]) -> bool:
    return ended.returncode in _CURL_RESET and ended.stdout == ""


def _curl(
    program: list[str], url: str, *options: str, user: int | None = None
) -> subprocess.CompletedProcess[str]:
    command = [*program, "--globoff", "--silent", "--show-error", "--include", "--max-time", "20"]
    return subprocess.run(
        [*command, *options, url],
        capture_output=True,
        text=True,
        user=user,
        group=user,
        extra_groups=[] if user is not None else None,
        cwd="/",
        check=False,
    )


@contextlib.contextmanager
def sockets_of_nobody() -> Iterator[None]:
    """Sockets that this thread makes within the block are another user's.

    The kernel takes a socket's uid from the thread's file-system uid, so 5,000 of them need no
    5,000 processes.
    """
    libc = ctypes.CDLL(None)
    libc.setfsuid(NOBODY)
    try:
        yield
    finally:
        libc.setfsuid(os.getuid())


class OtherNamespace:
    """A network namespace beside this one, as a container has it."""

    def __init__(self, name: str, number: int) -> None:
        self._name = name
        self.our_address = f"10.231.{number}.1"
        self.our_address6 = f"fd10:231:{number}::1"

    def ask(self, url: str, *options: str) -> subprocess.CompletedProcess[str]:
        return _curl(["ip", "netns", "exec", self._name, "curl"], url, *options)


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True)


@contextlib.contextmanager
def other_namespace() -> Iterator[OtherNamespace]:
    """Make one with a way to this machine; skips the test where the system does not let us."""
    name = f"llmgw-{uuid.uuid4().hex[:6]}"
    number = os.getpid() % 250
    inner, outer = f"i{name[6:]}", f"o{name[6:]}"
    made = OtherNamespace(name, number)
    try:
        _ip("netns", "add", name)
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"no network namespace can be made here: {error}")
    try:
        _ip("link", "add", outer, "type", "veth", "peer", "name", inner, "netns", name)
        _ip("addr", "add", f"{made.our_address}/24", "dev", outer)
        _ip("addr", "add", f"{made.our_address6}/64", "dev", outer, "nodad")
        _ip("link", "set", outer, "up")
        _ip("-n", name, "addr", "add", f"10.231.{number}.2/24", "dev", inner)
        _ip("-n", name, "addr", "add", f"fd10:231:{number}::2/64", "dev", inner, "nodad")
        _ip("-n", name, "link", "set", inner, "up")
        yield made
    finally:
        subprocess.run(["ip", "link", "del", outer], capture_output=True, check=False)
        subprocess.run(["ip", "netns", "del", name], capture_output=True, check=False)
