"""Which forward a person means: one by name, or the only one there is."""

from __future__ import annotations

from llmgwctl.errors import ClientError, UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from llmgwctl.wire import ForwardStatus, Status


def forward(status: Status, name: str | None) -> ForwardStatus:
    """Pick one.

    Raises:
        UsageError: no forward has that name (the nearest is offered), or there are several and
            none was named.
    """
    forwards = status["forwards"]
    if name is None:
        if len(forwards) == 1:
            return forwards[0]
        if not forwards:
            raise ClientError("no-forward", "no forward is configured", "see: llmgwctl config show")
        raise UsageError("there are several forwards", f"name one: {_names(status)}")
    for each in forwards:
        if each["name"] == name:
            return each
    from llmgwctl.rules.nearest import nearest

    near = nearest(name, [each["name"] for each in forwards], 1)
    remedy = f"did you mean {near[0]}?" if near else f"known: {_names(status) or 'none'}"
    raise UsageError(f"there is no forward {name!r}", remedy)


def _names(status: Status) -> str:
    return ", ".join(each["name"] for each in status["forwards"])
