"""llmgwctl key: print the gateway's key, or ask the gateway whether it accepts it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llmgwctl.api.client import Client
from llmgwctl.api.forward_choice import add_forward, choose_gateway
from llmgwctl.api.waiting import serving
from llmgwctl.cli.arguments import add_wait
from llmgwctl.gateway.client import Gateway
from llmgwctl.gateway.destination import key_of, url_of
from llmgwctl.rules.litellm_answers import KeyVerdict, judge_key
from llmgwctl.rules.printable import clean
from llmgwctl.wire import Exit

if TYPE_CHECKING:
    import argparse

DESCRIPTION = """\
Print the gateway's key alone on a line, for programs that take it from a command.
The daemon gives it only over its socket, to the user who runs the daemon. Where it puts the key
into requests itself (inject = true), the placeholder for it is printed."""

EXAMPLES = (
    ("llmgwctl key", "print the key"),
    ("llmgwctl key --reveal", "print it even where programs only need the placeholder"),
    ("llmgwctl key --check", "ask the gateway whether it accepts the key; print none"),
)

# A limited key is one the gateway knows: calls fail now, but no other key is needed.
_STATUSES = {
    KeyVerdict.ACCEPTED: Exit.OK,
    KeyVerdict.LIMITED: Exit.NOT_SO,
    KeyVerdict.REJECTED: Exit.NEEDS_PERSON,
    KeyVerdict.UNKNOWN: Exit.NOT_SO,
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_wait(parser)
    add_forward(parser)
    parser.add_argument(
        "--reveal", action="store_true", help="the key itself, where the daemon injects it"
    )
    parser.add_argument(
        "--check",
        action="store_true",
        help="say whether the gateway accepts it: exit 0 yes, 4 no, 1 not now or not known",
    )


def run(arguments: argparse.Namespace) -> int:
    client = Client(arguments.socket)
    forward = choose_gateway(client.status(), arguments.forward)
    if not arguments.check:
        print(key_of(client, forward, reveal=arguments.reveal)["key"])
        return Exit.OK
    url = url_of(forward)
    serving(client, forward, arguments.wait)
    found = key_of(client, forward, to_judge=True)
    # Listing models is free, needs a key in every version, and is open to every kind of key.
    answer = Gateway(url, found["key"]).get("/v1/models")
    judgement = judge_key(answer.status, answer.body, found["key"])
    remedy = f"; {judgement.remedy}" if judgement.remedy else ""
    print(clean(f"{judgement.verdict}: {judgement.sentence} (from {found['source']}){remedy}"))
    return _STATUSES[judgement.verdict]
