"""Metrics in Prometheus' text format: everything that can be counted in the status, and timings.

Read from the status at each request, so nothing is counted twice and nothing can disagree.
prometheus-client is imported then, too: most daemons are never asked.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING

from llmgwctl.wire import ApiPath, State
from llmgwd.control.endpoint import PROMETHEUS_TEXT, Call, Endpoint, Reply
from llmgwd.system.process.loop_turns import TURNS
from llmgwd.telemetry.timings import BOUNDS_S, Timing

if TYPE_CHECKING:
    from collections.abc import Iterator

    from prometheus_client.core import Metric

    from llmgwctl.wire import ForwardStatus, RouteStatus, Status
    from llmgwd.control.daemon import Daemon
    from llmgwd.telemetry.timings import Timings

_COUNTERS = (
    ("connections", "Local connections accepted"),
    ("held", "Connections that had to wait for a route"),
    ("hold_expired", "Connections that waited in vain"),
    ("redialed", "Connections sent again, because provably no one had received them"),
    ("cut", "Connections closed, because that could not be proved"),
    ("failed", "Connections that no route could carry"),
    ("outages", "Times without a route"),
    ("refused", "Connections and requests of other users, and of other sites' web pages"),
    ("sent_bytes", "Bytes from local clients to the gateway"),
    ("received_bytes", "Bytes from the gateway to local clients"),
)
_TIMINGS = {
    Timing.PROBE: "Asking the gateway whether it is well",
    Timing.DIAL: "Making a tunnel: connect, TLS, upgrade",
    Timing.HOLD: "Connections' waits for a route",
    Timing.FIRST_BYTE: "Requests, until the first byte of the answer",
    Timing.REQUEST: "Requests, until the end of the answer",
    Timing.OUTAGE: "Times without a route",
}
_Samples = Sequence[tuple[Sequence[str], float]]


def exposition(status: Status, timings: Timings, tasks: int, long_turns: int) -> bytes:
    """Write all metrics as text; tasks and long turns are those of the event loop."""
    from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
    from prometheus_client.registry import Collector

    class Reading(Collector):
        def collect(self) -> Iterator[Metric]:
            yield from _metrics(status, timings)
            text = "What the daemon does side by side; it grows with connections, not with time"
            yield _gauge("llmgw_tasks", text, (), [((), tasks)])
            text = "Turns of the event loop above 250 ms of processor time"
            yield _counter("llmgw_long_turns", text, (), [((), long_turns)])

    registry = CollectorRegistry()
    registry.register(Reading())
    ProcessCollector(registry=registry)
    return generate_latest(registry)


def _metrics(status: Status, timings: Timings) -> Iterator[Metric]:
    forwards = status["forwards"]
    yield _gauge("llmgw_info", "The daemon", ("version",), [((status["version"],), 1)])
    yield _gauge(
        "llmgw_forward_state",
        "1 for the state that a forward is in",
        ("forward", "state"),
        [
            ((each["name"], str(state)), float(each["state"] == state))
            for each in forwards
            for state in State
        ],
    )
    yield _gauge(
        "llmgw_forward_condition",
        "1 for each condition of a forward, or of the daemon (no forward)",
        ("forward", "kind", "severity"),
        _conditions(status),
    )
    yield from _now(forwards)
    yield from _totals(forwards)
    yield from _routes(forwards)
    yield from _histograms(timings)


def _conditions(status: Status) -> _Samples:
    samples: dict[tuple[str, str, str], float] = {}
    for name, conditions in (
        ("", status["conditions"]),
        *((each["name"], each["conditions"]) for each in status["forwards"]),
    ):
        for condition in conditions:
            samples[name, condition["kind"], condition["severity"]] = 1
    return list(samples.items())


def _now(forwards: list[ForwardStatus]) -> Iterator[Metric]:
    label = ("forward",)
    yield _gauge(
        "llmgw_streams",
        "Connections carried now",
        label,
        [((each["name"],), each["streams"]) for each in forwards],
    )
    yield _gauge(
        "llmgw_held",
        "Connections waiting for a route now",
        label,
        [((each["name"],), each["held"]) for each in forwards],
    )
    yield _gauge(
        "llmgw_gateway_healthy",
        "1 when the last probe found the gateway well",
        label,
        [
            ((each["name"],), float(each["gateway"]["healthy"]))
            for each in forwards
            if each["gateway"]["healthy"] is not None
        ],
    )


def _totals(forwards: list[ForwardStatus]) -> Iterator[Metric]:
    from prometheus_client.core import CounterMetricFamily

    for name, text in _COUNTERS:
        family = CounterMetricFamily(f"llmgw_{name}", text, labels=("forward",))
        for forward in forwards:
            family.add_metric((forward["name"],), forward["counters"][name])  # type: ignore[literal-required]
        yield family


def _routes(forwards: list[ForwardStatus]) -> Iterator[Metric]:
    pairs = [(each["name"], route) for each in forwards for route in each["routes"]]
    label = ("forward", "route")
    for name, text, field in (
        ("llmgw_route_up", "1 for a route that can carry", "is_up"),
        ("llmgw_route_active", "1 for the route that carries", "is_active"),
        ("llmgw_route_attempts", "Failed attempts in a row", "attempts"),
        ("llmgw_route_round_trip_seconds", "Of the last ping", "round_trip_s"),
    ):
        samples = [
            ((forward, route["name"]), float(value))
            for forward, route in pairs
            if (value := route[field]) is not None  # type: ignore[literal-required]
        ]
        yield _gauge(name, text, label, samples)
    yield _gauge(
        "llmgw_tunnels",
        "Tunnels by what they do",
        (*label, "state"),
        [
            ((forward, route["name"], state), float(count))  # type: ignore[arg-type]
            for forward, route in pairs
            for state, count in (route["tunnels"] or {}).items()
        ],
    )
    yield _gauge(
        "llmgw_pods",
        "Pods by readiness",
        (*label, "condition"),
        [
            ((forward, route["name"], condition), float(count))
            for forward, route in pairs
            for condition, count in _pods(route).items()
        ],
    )


def _pods(route: RouteStatus) -> dict[str, int]:
    counts = {"ready": 0, "unready": 0, "terminating": 0}
    for pod in route["pods"]:
        counts["terminating" if pod["terminating"] else "ready" if pod["ready"] else "unready"] += 1
    return counts


def _histograms(timings: Timings) -> Iterator[Metric]:
    from prometheus_client.core import HistogramMetricFamily

    for timing, text in _TIMINGS.items():
        family = HistogramMetricFamily(f"llmgw_{timing}_seconds", text, labels=("forward",))
        for (noted, forward), histogram in timings.histograms.items():
            if noted == timing:
                buckets, below = [], 0
                for bound, count in zip((*BOUNDS_S, None), histogram.counts, strict=True):
                    below += count
                    buckets.append(("+Inf" if bound is None else str(bound), below))
                family.add_metric((forward,), buckets, histogram.total_s)
        yield family


def _counter(name: str, text: str, labels: Sequence[str], samples: _Samples) -> Metric:
    from prometheus_client.core import CounterMetricFamily

    family = CounterMetricFamily(name, text, labels=labels)
    for values, value in samples:
        family.add_metric(values, value)
    return family


def _gauge(name: str, text: str, labels: Sequence[str], samples: _Samples) -> Metric:
    from prometheus_client.core import GaugeMetricFamily

    family = GaugeMetricFamily(name, text, labels=labels)
    for values, number in samples:
        family.add_metric(values, number)
    return family


async def _answer(daemon: Daemon, call: Call) -> Reply:
    return Reply(exposition(daemon.status(), daemon.timings, len(asyncio.all_tasks()), TURNS.count))


ENDPOINTS = (
    Endpoint("GET", ApiPath.METRICS, "Metrics for Prometheus", str, _answer, media=PROMETHEUS_TEXT),
)
