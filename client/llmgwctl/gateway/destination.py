"""Where programs are led: a forward, the URL it is bound at right now, and the gateway's key."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from llmgwctl.api.client import Client
from llmgwctl.api.forward_choice import choose_gateway
from llmgwctl.api.waiting import serving
from llmgwctl.errors import ClientError, NeedsPerson, Refused
from llmgwctl.gateway.address import base_url
from llmgwctl.gateway.client import Gateway
from llmgwctl.wire import ApiPath, ConditionKind, State

if TYPE_CHECKING:
    import argparse

    from llmgwctl.wire import ForwardStatus, KeyStatus

# The daemon may have to run a command, or ask the cluster, before it has the key.
KEY_S = 30.0


def url_of(forward: ForwardStatus) -> str:
    """Give the URL of a forward.

    Raises:
        ClientError: it is bound to no address right now; its own condition says why.
    """
    if forward["listen"]:
        return base_url(forward["listen"])
    name = forward["name"]
    if forward["state"] == State.STOPPED:
        raise ClientError("stopped", f"{name} is stopped", f"llmgwctl start {name}")
    for condition in forward["conditions"]:
        if condition["kind"].startswith("port-"):
            raise ClientError(condition["kind"], condition["summary"], condition["remedy"])
    raise ClientError("not-bound", f"{name} is bound to no address", "see: llmgwctl doctor")


def key_of(
    client: Client,
    forward: ForwardStatus,
    within_s: float = KEY_S,
    *,
    reveal: bool = False,
    to_judge: bool = False,
) -> KeyStatus:
    """Get the key; where the daemon injects it, the placeholder, unless `reveal` is set.

    `to_judge`: even one that the gateway is known to reject.

    Raises:
        NeedsPerson: the gateway rejects the key that its source gives.
        ClientError: there is none, for the reason that the daemon gives.
    """
    query = {"forward": forward["name"]}
    if reveal:
        query["reveal"] = "true"
    if to_judge:
        query["to_judge"] = "true"
    try:
        return cast("KeyStatus", Client(client.path, within_s).get(ApiPath.KEY, query))
    except Refused as error:
        if error.code == ConditionKind.KEY_REJECTED:
            raise NeedsPerson(error.code, error.message, error.remedy) from None
        raise


def gateway(arguments: argparse.Namespace) -> Gateway:
    """Lead to the gateway of the forward the command line names, key in hand.

    Raises:
        NeedsPerson, ClientError: it does not serve, and is not waited for.
    """
    client = Client(arguments.socket)
    forward = choose_gateway(client.status(), arguments.forward)
    url = url_of(forward)
    serving(client, forward, arguments.wait)
    return Gateway(url, key_of(client, forward)["key"])
