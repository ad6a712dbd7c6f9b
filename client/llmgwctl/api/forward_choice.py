"""Which forward a verb acts on: the named one, or without a name the one that is meant."""

from __future__ import annotations

from llmgwctl.errors import ClientError, UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

    from llmgwctl.wire import ForwardStatus, Status


def add_forward(parser: argparse.ArgumentParser) -> None:
    """Add the option of the verbs that use a gateway; see `choose_gateway`."""
    parser.add_argument(
        "--forward", metavar="NAME", help="which forward (else the first that leads to a LiteLLM)"
    )


def choose(status: Status, name: str | None) -> ForwardStatus:
    """Give the forward of that name; without a name, the only one there is.

    Raises:
        UsageError: no forward has that name (the nearest is offered), or there are several and
            none was named.
        ClientError: no forward is configured.
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
    # difflib takes longer to import than a status takes to draw.
    from llmgwctl.rules.nearest import nearest

    near = nearest(name, [each["name"] for each in forwards], 1)
    remedy = f"did you mean {near[0]}?" if near else f"known: {_names(status) or 'none'}"
    raise UsageError(f"there is no forward {name!r}", remedy)


def choose_gateway(status: Status, name: str | None) -> ForwardStatus:
    """Give the forward of that name; without a name, the first that leads to a LiteLLM.

    Raises:
        UsageError, ClientError: as `choose` does.
    """
    if name is None:
        for each in status["forwards"]:
            if each["gateway"]["probe"] == "litellm":
                return each
    return choose(status, name)


def _names(status: Status) -> str:
    return ", ".join(each["name"] for each in status["forwards"])
