"""llmgwctl usage: what the key has spent, on what, and what it has left."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from llmgwctl.api.client import Client
from llmgwctl.api.forward_choice import add_forward, choose_gateway
from llmgwctl.cli.arguments import add_wait, duration
from llmgwctl.errors import ClientError, NeedsPerson, Unreachable
from llmgwctl.gateway.client import odd, refusal
from llmgwctl.gateway.destination import gateway
from llmgwctl.rules.litellm_answers import fault_of, has_no_database
from llmgwctl.show import spend, usage
from llmgwctl.wire import ApiPath, Exit

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator
    from datetime import date

    from llmgwctl.gateway.client import Answer, Gateway

DESCRIPTION = """\
Show spend, tokens and budget of the key, as the gateway's database has them; days are UTC's.
A master key has no record of its own. Where the gateway has no database, what llmgwd saw is shown:
the costs that the gateway named in its answers, which it does not in streamed ones."""

EXAMPLES = (
    ("llmgwctl usage", "the last seven days, by model"),
    ("llmgwctl usage --since 30d --by day", "a month, day by day"),
    ("llmgwctl usage --all-keys --by key", "all keys' usage, as far as this key may see it"),
    ("llmgwctl usage --json | jq .total.spend", "dollars, for a script"),
)

_NO_DATABASE = "no-database"
_PAGE_ROWS = 1000
# A bound, against a gateway that always answers `has_more`.
_PAGE_LIMIT = 100


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--since", type=duration, default=7 * 86400.0, metavar="TIME", help="how far back (7d)"
    )
    parser.add_argument("--by", choices=usage.GROUPINGS, default="model", help="what to add up by")
    parser.add_argument(
        "--all-keys",
        action="store_true",
        help="of all keys that this one may see, not only its own",
    )
    parser.add_argument("--json", action="store_true", help="full numbers, for scripts")
    add_wait(parser)
    add_forward(parser)


def run(arguments: argparse.Namespace) -> int:
    until = datetime.now(UTC).date()
    since = usage.first_day(until, arguments.since)
    try:
        return _print_record(arguments, since, until)
    except ClientError as error:
        seen = _seen(arguments, since, until) if error.code == _NO_DATABASE else None
        if seen is None or not seen.total.requests:
            raise
        print(f"llmgwctl: {error.message}; this is what passed through llmgwd", file=sys.stderr)
        if arguments.json:
            print(json.dumps(spend.as_json(seen, arguments.by), indent=2))
        else:
            sys.stdout.write(spend.render(seen, arguments.by))
        return Exit.OK


def _print_record(arguments: argparse.Namespace, since: date, until: date) -> int:
    """Print what the gateway's database has."""
    asked = gateway(arguments)
    budget, digest = (None, None) if arguments.all_keys else _own_record(asked)
    try:
        results = list(_activity(asked, since, until, digest))
    except ClientError as error:
        if budget is None or error.code != "key-limited":
            raise
        # A key over its budget may ask for nothing but its own record.
        return _print_budget(budget, as_json=arguments.json)
    found = usage.add_up(results, arguments.by, since, until, budget)
    if arguments.json:
        print(json.dumps(usage.as_json(found, arguments.by), indent=2))
    else:
        sys.stdout.write(usage.render(found, arguments.by))
    return Exit.OK


def _seen(arguments: argparse.Namespace, since: date, until: date) -> spend.Spend | None:
    """Add up what the daemon saw; None where that cannot be had: by key, or of an older daemon."""
    if arguments.by == "key":
        return None
    client = Client(arguments.socket)
    forward = choose_gateway(client.status(), arguments.forward)["name"]
    try:
        days = client.get(ApiPath.SPEND)["days"]
    except Unreachable:
        return None
    return spend.add_up(days, arguments.by, since, until, forward)


def _print_budget(budget: usage.Budget, *, as_json: bool) -> int:
    if as_json:
        print(json.dumps(usage.budget_as_json(budget), indent=2))
    else:
        print("\n".join(usage.budget_lines(budget)))
        print("the gateway shows no calls to a key whose budget is used up", file=sys.stderr)
    return Exit.OK


def _own_record(asked: Gateway) -> tuple[usage.Budget, str]:
    """Give the gateway's record of the key, and the hash it knows the key by."""
    answer = asked.get("/key/info")
    if answer.status == 404 and fault_of(answer.body).kind == "not_found_error":
        raise ClientError(
            "master-key",
            "the key is the gateway's master key, which has no record of its own",
            "llmgwctl usage --all-keys shows that of all keys",
        )
    if answer.status != 200:
        raise _refusal("/key/info", answer)
    digest = answer.body.get("key") if isinstance(answer.body, dict) else None
    if not isinstance(digest, str):
        raise odd("/key/info")
    return usage.budget_of(answer.body), digest


def _activity(
    asked: Gateway, since: date, until: date, digest: str | None
) -> Iterator[dict[str, Any]]:
    """Yield the days of all pages.

    Without `digest` a key that belongs to no user sees all users': only for --all-keys.
    """
    query: dict[str, str | int] = {
        "start_date": since.isoformat(),
        "end_date": until.isoformat(),
        "page_size": _PAGE_ROWS,
    }
    if digest is not None:
        query["api_key"] = digest
    for page in range(1, _PAGE_LIMIT + 1):
        answer = asked.get("/user/daily/activity", {**query, "page": page})
        if answer.status != 200:
            raise _refusal("/user/daily/activity", answer)
        results = answer.body.get("results") if isinstance(answer.body, dict) else None
        if not isinstance(results, list):
            raise odd("/user/daily/activity")
        yield from results
        paging = answer.body.get("metadata")
        if not results or not (isinstance(paging, dict) and paging.get("has_more")):
            return


def _refusal(path: str, answer: Answer) -> ClientError:
    """Say why there is nothing to show."""
    message = fault_of(answer.body).message
    if has_no_database(answer.body):
        return ClientError(
            _NO_DATABASE,
            "the gateway has no database: it keeps no record of spend",
            "give it one (general_settings.database_url) to have usage",
        )
    if answer.status == 404:
        return ClientError(
            "no-usage-here",
            f"the gateway does not serve {path}: where its parts are split, the backend does",
            "add a forward to the backend's service, and name it with --forward",
        )
    if "Only proxy admin" in message or answer.status == 403:
        return NeedsPerson(
            "usage-forbidden",
            "the key may not see usage",
            "an admin can give it a user with the role internal_user",
        )
    return refusal(path, answer)
