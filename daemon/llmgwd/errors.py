"""What can go wrong, sorted by what to do next.

The class says what to do (`Transient`: try again; `Blocked`: a person must act; anything else is a
bug of ours), `code` is the stable name that travels, the message is a sentence for people and
`remedy` what they can do. Foreign exceptions become one of these in the one file that imports
their library.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from llmgwctl.rules.nearest import nearest


def command(*words: str) -> str:
    """Write a command that a person may paste, whatever its words hold."""
    return shlex.join(words)


class LlmgwError(Exception):
    """Base of every error with a stable code, a sentence and, where there is one, a remedy.

    `code` is a value of `llmgwctl.wire.ConditionKind` wherever the error can end as a condition.
    `public` is the sentence for the users of a port; it is given where the message quotes what a
    cluster, a pod or a program said, which may hold anything.
    """

    def __init__(self, code: str, message: str, remedy: str = "", *, public: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.remedy = remedy
        self.public = public or message


class Transient(LlmgwError):
    """Trying again, here or at another pod, may succeed without anybody's help.

    `retry_after_s` is the peer's own word on when (Retry-After), or None.
    """

    def __init__(
        self,
        code: str,
        message: str,
        remedy: str = "",
        *,
        public: str = "",
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(code, message, remedy, public=public)
        self.retry_after_s = retry_after_s


class Blocked(LlmgwError):
    """Only a person can help; retried slowly, and at once when a file it rests on changes."""


class ConfigError(Blocked):
    """The configuration holds what is not allowed; the message names file, key and value."""

    def __init__(self, message: str, remedy: str = "") -> None:
        super().__init__("config-invalid", message, remedy)


class UnknownForward(LlmgwError):
    """No forward has that name; the remedy offers the nearest one, or all."""

    def __init__(self, name: str, known: Sequence[str]) -> None:
        near = nearest(name, known, 1)
        remedy = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(known) or 'none'}"
        super().__init__("forward-unknown", f"there is no forward {name!r}", remedy)


class ProtocolError(Transient):
    """The peer of one tunnel sent bytes its protocol does not allow: that tunnel is closed."""

    def __init__(self, message: str) -> None:
        super().__init__("protocol-error", message)
