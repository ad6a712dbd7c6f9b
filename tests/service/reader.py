"""Someone else's typed program, for mypy to check: it reads events through the client."""

from llmgwctl.api.client import Client
from llmgwctl.errors import ClientError
from llmgwctl.wire import Event, Status  # noqa: TC001 - as people write it


def outages(client: Client) -> list[tuple[str, float]]:
    """Give the forwards and seconds of the last day's outages."""
    found: list[tuple[str, float]] = []
    event: Event
    for event in client.events(since_s=86_400, follow=False):
        seconds = event.get("outage_s")
        if seconds is not None:
            found.append((event.get("forward") or "", seconds))
    return found


def main() -> None:
    client = Client("/run/user/1000/llmgw/control.sock", timeout_s=5.0)
    try:
        status: Status = client.status()
        print(status["version"], *(forward["name"] for forward in status["forwards"]))
        print(outages(client))
    except ClientError as error:
        print(error.code, error.message, error.remedy)
