"""What a forward answers to a request that no route carries: pure wording."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llmgwctl.rules.printable import clean
from llmgwd.gateway.error_answer import Trouble

if TYPE_CHECKING:
    from llmgwd.forwards.verdict.conditions import Condition


def stopped(forward: str) -> Trouble:
    """The user stopped it: to ask again soon is of no use."""
    return Trouble(
        503,
        "stopped",
        f"The forward {forward} was stopped.",
        f"llmgwctl start {forward}",
        retry_after_s=30,
        may_retry=False,
    )


def stopping() -> Trouble:
    """The daemon ends, and is most likely started again at once."""
    return Trouble(503, "stopping", "llmgwd is being stopped.", retry_after_s=1)


def without_route(worst: Condition | None, retry_after_s: int, *, is_blocked: bool) -> Trouble:
    """No route is up. `worst` says why; None: nothing has failed yet."""
    if worst is None:
        message = "The route to the gateway is not there yet."
        return Trouble(503, "starting", message, "llmgwctl status", retry_after_s=2)
    return Trouble(
        503,
        worst.kind.value,
        clean(worst.public or worst.summary),
        clean(worst.remedy),
        retry_after_s=retry_after_s,
        may_retry=not is_blocked,
    )
