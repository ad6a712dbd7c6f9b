"""What the configuration exposes, in words."""

from __future__ import annotations

import pytest

from llmgwd.config.model import Allow, ForwardConfig, ListenAddress, MetricsConfig, UrlRoute
from llmgwd.forwards.verdict.exposure import exposures, exposures_of_metrics

ANYONE = Allow(is_anyone=True)


@pytest.mark.parametrize(
    ("host", "allow", "said"),
    [
        ("127.0.0.1", ANYONE, []),
        ("::1", ANYONE, []),
        ("172.17.0.1", Allow(), ["can reach"]),
        ("0.0.0.0", Allow(("caddy",)), ["can reach"]),
        ("::", ANYONE, ["can use"]),
    ],
)
def test_an_address_that_is_not_loopback_is_named(host: str, allow: Allow, said: list[str]) -> None:
    listen = (ListenAddress("127.0.0.1", 4000), ListenAddress(host, 4000))
    forward = ForwardConfig("litellm", listen, (), allow=allow)

    found = [*exposures(forward), *exposures_of_metrics(MetricsConfig(listen[1], allow))]

    assert found == [
        f"Other machines {may} {what} at {listen[1]}."
        for may in said
        for what in ("the gateway", "the metrics")
    ]


@pytest.mark.parametrize(
    ("url", "is_exposed"),
    [
        ("https://gateway.example", False),
        ("http://localhost:4000", False),
        ("http://[::1]:4000", False),
        ("http://gateway.example/prefix", True),
        ("http://192.168.1.7:4000", True),
    ],
)
def test_a_url_that_sends_keys_in_the_clear_is_named(url: str, *, is_exposed: bool) -> None:
    found = list(exposures(ForwardConfig("litellm", (), (UrlRoute(url),))))

    assert [each.startswith("Keys and prompts go to ") for each in found] == [True] * is_exposed


def test_without_a_metrics_port_there_is_nothing_to_name() -> None:
    assert list(exposures_of_metrics(None)) == []
