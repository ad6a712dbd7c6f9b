"""A forward whose cluster goes away and comes back, with the same gateway's URL behind it."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from llmgwsim.options import Options
from llmgwsim.remote import cluster_in_thread
from support.load.traffic import Traffic, get
from support.running_daemon import running

if TYPE_CHECKING:
    from pathlib import Path

    from llmgwsim.remote import RemoteCluster

CONFIG = """
[[forward]]
name = "litellm"
listen = "localhost:PORT"
fallback = "{url}"
"""
OUTAGE_S = 10.0
# Longer than the outage and the 30 s in which the cluster has to prove itself.
STREAM = "/sse?n=140&ms=500"


def address_of_a_pod(cluster: RemoteCluster) -> str:
    """Where a pod's program is really served: what an ingress would lead to."""
    assert cluster.cluster is not None
    (pod,) = cluster.cluster.world.pods.values()
    assert pod.program is not None
    host, port = pod.program.address(4000) or ("", 0)
    return f"http://{host}:{port}"


def test_the_fallback_serves_while_the_cluster_is_away_and_not_a_request_fails(
    tmp_path: Path, simulated_cluster: RemoteCluster
) -> None:
    with cluster_in_thread(Options(pods=1)) as elsewhere:
        url = address_of_a_pod(elsewhere)
        with running(tmp_path, simulated_cluster.kubeconfig, CONFIG.format(url=url)) as daemon:
            daemon.wait_for("ready")
            simulated_cluster.faults.api_down()
            daemon.wait_for("reconnecting")
            with Traffic(daemon.port, rate=20) as traffic, ThreadPoolExecutor(1) as pool:
                daemon.wait_for("degraded")
                stream = pool.submit(get, daemon.port, STREAM, 90)
                routes = daemon.forward()["routes"]
                away = daemon.conditions()
                time.sleep(OUTAGE_S)
                simulated_cluster.faults.api_up()
                daemon.wait_for("ready", within_s=60)
                back = daemon.forward()["routes"]
                is_stream_on = not stream.done()
                said = stream.result()

            assert set(traffic.counts) == {"ok"}
            assert [route["name"] for route in routes if route["is_active"]] == [url]
            assert "on-fallback" in away
            # It began on the fallback, and stayed there when new ones went back.
            assert is_stream_on
            assert said.count(b"data:") == 141  # and the word that it is done
            assert [route["kind"] for route in back if route["is_active"]] == ["kubernetes"]
            assert "on-fallback" not in daemon.conditions()
            assert daemon.kinds().count("route-switched") == 2
            assert sum(elsewhere.faults.seen().values()) > 0
