"""The errors of llmgwctl: one sentence, a remedy and an exit status each.

Only these are shown to a person; any other exception that leaves a verb is a bug.
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
    """The command line holds a mistake."""

    exit_status = Exit.USAGE

    def __init__(self, message: str, remedy: str = "") -> None:
        super().__init__("usage", message, remedy)


class Unreachable(ClientError):
    """No daemon that can be understood is at the socket."""

    exit_status = Exit.UNREACHABLE


class NotRunning(Unreachable):
    """No process listens at the socket; `main` adds why, and how to start the daemon."""

    def __init__(self, message: str = "llmgwd is not running", remedy: str = "") -> None:
        super().__init__("not-running", message, remedy)


class NeedsPerson(ClientError):
    """Only a person can remove the cause: a login, a permission."""

    exit_status = Exit.NEEDS_PERSON


class Refused(ClientError):
    """The daemon answered with an error; `http_status` is its status."""

    def __init__(self, http_status: int, code: str, message: str, remedy: str = "") -> None:
        super().__init__(code, message, remedy)
        self.http_status = http_status
