"""What llmgwctl says when it cannot do as asked: one sentence, a remedy, an exit status.

Only these reach a person as errors; any other exception that leaves a verb is a bug of ours.
"""

from __future__ import annotations

from llmgwctl.wire import Exit


class ClientError(Exception):
    """Base: `code` is stable for scripts, the sentence has no final full stop."""

    exit_status = Exit.NOT_SO

    def __init__(self, code: str, message: str, remedy: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.remedy = remedy

    def text(self) -> str:
        """Give what is printed: one line, unless the remedy is a text to be pasted."""
        if not self.remedy:
            return self.message
        separator = ":\n" if "\n" in self.remedy else "; "
        return f"{self.message.rstrip('.')}{separator}{self.remedy}"


class UsageError(ClientError):
    """The command line holds what is not allowed."""

    exit_status = Exit.USAGE

    def __init__(self, message: str, remedy: str = "") -> None:
        super().__init__("usage", message, remedy)


class Unreachable(ClientError):
    """There is no daemon that could be understood at the socket."""

    exit_status = Exit.UNREACHABLE


class NotRunning(Unreachable):
    """Nobody listens at the socket; `main` adds why, and how to start it."""

    def __init__(self, message: str = "llmgwd is not running", remedy: str = "") -> None:
        super().__init__("not-running", message, remedy)


class NeedsPerson(ClientError):
    """It waits for what only a person can do: a login, a permission."""

    exit_status = Exit.NEEDS_PERSON


class Refused(ClientError):
    """The daemon understood and said no; `http_status` says how."""

    def __init__(self, http_status: int, code: str, message: str, remedy: str = "") -> None:
        super().__init__(code, message, remedy)
        self.http_status = http_status
