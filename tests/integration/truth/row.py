"""One fault, and what must be shown of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from scene import Scene

Act = Callable[["Scene"], Any]

# What is refused or reset is known at once, what falls silent only by the silence.
AT_ONCE_S = 2.0
BY_SILENCE_S = 10.0
# A pod that closes is heard of after the runtime's second of grace: for the client, and for us.
AFTER_GRACE_S = 4.0
NO_BLAME = frozenset({"permission-denied", "login-expired", "upgrade-refused"})
HELD = frozenset({"ok", "503"})
# What was under way when every tunnel broke.
CUT = frozenset({"ok", "503", "502", "cut"})


@dataclass(frozen=True, slots=True)
class Row:
    """`state` and `condition` must be shown within `within_s`, and none of `never` at any time.

    `check` is the doctor's only one that fails; None: it only warns. `cause` is in the words of
    both, of the doctor and of the status. `clients`, who are held for two seconds at most, may get
    these.
    """

    name: str
    begin: Act
    end: Act
    state: str
    condition: str
    check: str | None
    cause: str
    within_s: float = AT_ONCE_S
    never: frozenset[str] = NO_BLAME
    clients: frozenset[str] = HELD
    role: str = "admin"
    is_steady: bool = True  # the cause stands from when it is shown until the end
