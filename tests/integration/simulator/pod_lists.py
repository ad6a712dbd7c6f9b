"""Lists and watches of the simulated cluster's pods."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from cluster_client import Client, connected

if TYPE_CHECKING:
    from collections.abc import Iterator

    from llmgwsim.remote import RemoteCluster

PODS = "/api/v1/namespaces/litellm/pods"
Event = dict[str, Any]


def listed(cluster: RemoteCluster, path: str = PODS) -> Any:
    with connected(cluster) as client:
        answer = client.ask("GET", path)
    assert answer.status == 200
    return answer.json


def version_of(cluster: RemoteCluster) -> str:
    return str(listed(cluster)["metadata"]["resourceVersion"])


def events(client: Client, query: str) -> Iterator[Event]:
    client.send_request("GET", f"{PODS}?watch=true&{query}")
    status, _ = client.read_head()
    assert status == 200
    for chunk in client.chunks():
        yield from (json.loads(line) for line in chunk.splitlines())


def is_ready(pod: dict[str, Any]) -> bool:
    if pod["metadata"].get("deletionTimestamp"):
        return False
    conditions = pod["status"]["conditions"]
    return any(item["type"] == "Ready" and item["status"] == "True" for item in conditions)
