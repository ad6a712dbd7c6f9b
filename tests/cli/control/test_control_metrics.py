"""Metrics: what the status says, in Prometheus' format, on the socket and on a port."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import aiohttp
import anyio
import anyio.lowlevel
import pytest
from prometheus_client.parser import text_string_to_metric_families

from llmgwctl.api.transport import request
from llmgwctl.wire import Counters, State
from llmgwd.config.model import ListenAddress, MetricsConfig
from llmgwd.control.metrics_port import offer_metrics
from llmgwd.telemetry.timings import BOUNDS_S, Timing
from support.client import sample
from support.client.plain_daemon import PlainDaemon

if TYPE_CHECKING:
    from support.client.plain_daemon import Served

Samples = dict[tuple[str, ...], float]


def read(text: str) -> Samples:
    """Give every sample by its name and its labels' values."""
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def scrape(served: Served) -> Samples:
    answer = request(served.path, "GET", "/metrics")
    assert answer.status == 200
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    return read(answer.body.decode())


def test_each_forward_is_in_exactly_the_state_it_is_in(served: Served) -> None:
    found = scrape(served)

    for forward in sample.SEVERAL["forwards"]:
        states = {state: found["llmgw_forward_state", forward["name"], state] for state in State}
        assert states == {state: float(state == forward["state"]) for state in State}


def test_what_is_counted_is_what_the_status_says(served: Served) -> None:
    found = scrape(served)

    for forward in sample.SEVERAL["forwards"]:
        name = forward["name"]
        assert found["llmgw_streams", name] == forward["streams"]
        assert found["llmgw_held", name] == forward["held"]
        for counter in Counters.__annotations__:
            assert found[f"llmgw_{counter}_total", name] == forward["counters"][counter]  # type: ignore[literal-required]
    assert found["llmgw_tunnels", "litellm", "kubernetes", "idle"] == 4
    assert found["llmgw_pods", "ready", "litellm", "kubernetes"] == 2
    assert found["llmgw_route_up", "staging", "kubernetes"] == 0
    assert found["llmgw_forward_condition", "dashboard", "login-expired", "error"] == 1


def test_the_tasks_of_the_loop_are_counted(served: Served) -> None:
    assert 1 <= scrape(served)["llmgw_tasks",] < 20


def test_a_timing_is_in_every_bucket_at_or_above_it(served: Served) -> None:
    for seconds in (0.001, 0.3, 1e6):
        served.daemon.timings.note(Timing.OUTAGE, "litellm", seconds)

    found = scrape(served)

    buckets = [found["llmgw_outage_seconds_bucket", "litellm", str(bound)] for bound in BOUNDS_S]
    assert buckets == [1.0 if bound < 0.3 else 2.0 for bound in BOUNDS_S]
    assert found["llmgw_outage_seconds_bucket", "litellm", "+Inf"] == 3
    assert found["llmgw_outage_seconds_count", "litellm"] == 3
    assert found["llmgw_outage_seconds_sum", "litellm"] == pytest.approx(1e6 + 0.301)


def test_the_port_offers_metrics_alone_and_comes_back_when_it_was_taken(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("llmgwd.control.metrics_port.AGAIN_S", 0.01)

    async def main() -> None:
        taken = socket.create_server(("127.0.0.1", 0))
        address = ListenAddress("127.0.0.1", taken.getsockname()[1])
        async with anyio.create_task_group() as tasks, aiohttp.ClientSession() as client:
            tasks.start_soon(
                offer_metrics, PlainDaemon(sample.READY), MetricsConfig(address), lambda *_: None
            )
            await anyio.lowlevel.checkpoint()
            taken.close()
            with anyio.fail_after(20):
                metrics = await ask_until_there(client, f"http://{address}/metrics")
            async with client.get(f"http://{address}/v1/status") as status:
                code = (await status.json())["error"]["code"]
            tasks.cancel_scope.cancel()

        assert read(metrics)["llmgw_streams", "litellm"] == 2
        assert (status.status, code) == (404, "route-unknown")

    anyio.run(main)


async def ask_until_there(client: aiohttp.ClientSession, url: str) -> str:
    while True:
        try:
            async with client.get(url) as answer:
                return await answer.text()
        except aiohttp.ClientConnectionError:
            await anyio.sleep(0.01)
