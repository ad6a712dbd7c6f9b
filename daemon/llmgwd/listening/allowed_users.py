"""Who may connect to a local port: this user, root, this user's containers, and those configured.

A port of the loopback interface is open to every user of the machine. The kernel knows whose socket
is at the other end, so each connection is asked about before a byte of it is read.
"""

from __future__ import annotations

import os
import pwd
import socket
import struct
from dataclasses import dataclass
from enum import Enum, auto
from typing import TYPE_CHECKING, Final

from llmgwd.system.peer_socket import NOT_HERE, can_tell, peer_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from llmgwd.config.model import Allow
    from llmgwd.system.peer_socket import PeerSocket

# Ranges of uids that a user's rootless containers run as: NAME:FIRST:COUNT (subuid(5)).
SUBUID_PATH: Final = "/etc/subuid"
_MAX_SUBUID_BYTES: Final = 1024 * 1024


class Verdict(Enum):
    ALLOWED = auto()
    FOREIGN = auto()  # another user's, another machine's, or no one's any more
    UNKNOWN = auto()  # this system does not tell


@dataclass(frozen=True, slots=True)
class AllowedUsers:
    """`ranges` are of subordinate uids."""

    uids: frozenset[int]
    ranges: tuple[range, ...] = ()
    is_anyone: bool = False

    def judge(self, peer: PeerSocket | None) -> Verdict:
        """Judge the socket at the other end.

        One without a holder proves nothing: it is closed already, and what was its uid may be
        left over from a process that handed it on.
        """
        if self.is_anyone:
            return Verdict.ALLOWED
        if peer is None:
            return Verdict.UNKNOWN
        if not peer.has_holder:
            return Verdict.FOREIGN
        is_known = peer.uid in self.uids or any(peer.uid in each for each in self.ranges)
        return Verdict.ALLOWED if is_known else Verdict.FOREIGN

    def judge_connection(self, accepted: socket.socket) -> tuple[Verdict, PeerSocket | None]:
        """Ask the kernel, and judge. A system that can tell and does not proves nothing."""
        peer = None if self.is_anyone else peer_of(accepted)
        verdict = self.judge(peer)
        if verdict is Verdict.UNKNOWN and can_tell():
            verdict = Verdict.FOREIGN
        return verdict, peer


def allowed_users(allow: Allow) -> AllowedUsers:
    """Look the configured names up; one that this machine does not know is left out."""
    if allow.is_anyone:
        return AllowedUsers(frozenset(), is_anyone=True)
    own = os.getuid()
    uids = {own, 0, *(uid for uid in map(_uid_of, allow.users) if uid is not None)}
    return AllowedUsers(frozenset(uids), tuple(subordinate_ranges(_subuid_lines(), own)))


def subordinate_ranges(lines: Iterable[str], uid: int) -> Iterable[range]:
    """Give the ranges that /etc/subuid gives to a user, who stands there by name or by number."""
    names = {str(uid), _name_of(uid)} - {""}
    for line in lines:
        owner, _, rest = line.strip().partition(":")
        first, _, count = rest.partition(":")
        if owner in names and first.isdecimal() and count.isdecimal() and len(first + count) < 24:
            yield range(int(first), int(first) + int(count))


def whose(peer: PeerSocket | None) -> str:
    """Say whose a refused connection was, as it ends a sentence.

    "" for one that its client has closed already: a look at the port (`nc -z`, the doctor) asked
    for nothing, so nothing was refused.
    """
    if peer is None:
        return "whose user is not known"
    if peer is NOT_HERE:
        return "from another machine or network namespace"
    if not peer.has_holder:
        return ""
    return f"of user {_name_of(peer.uid) or f'uid {peer.uid}'}"


def reset_when_closed(accepted: socket.socket) -> None:
    """Have it closed with a reset, so that the client sees a refusal and not an empty answer."""
    accepted.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def _subuid_lines() -> list[str]:
    try:
        with open(SUBUID_PATH, encoding="utf-8", errors="replace") as file:
            return file.read(_MAX_SUBUID_BYTES).splitlines()
    except OSError:
        return []


def _uid_of(name: str) -> int | None:
    try:
        return pwd.getpwnam(name).pw_uid
    except KeyError:
        return int(name) if name.isdecimal() else None


def _name_of(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return ""
