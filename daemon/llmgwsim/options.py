"""What a simulated cluster is started with."""

from __future__ import annotations

from dataclasses import dataclass, field

from llmgwsim.gateway.settings import GatewaySettings
from llmgwsim.world.objects import ServicePort, Template


@dataclass(frozen=True)
class Options:
    """What a cluster is started with; all of it can be changed by faults later."""

    host: str = "127.0.0.1"
    port: int = 0
    control_port: int = 0
    rtt_s: float = 0.0
    pods: int = 2
    namespace: str = "litellm"
    service: str = "litellm"
    service_ports: tuple[ServicePort, ...] = (
        ServicePort(4000, "http", "http"),
        ServicePort(8080, "tcp", "tcp"),
    )
    template: Template = field(
        default_factory=lambda: Template({"app": "litellm"}, {"http": 4000, "tcp": 8080})
    )
    # From a pod's creation to Ready, as seen on a real cluster.
    start_s: float = 0.36
    gateway: GatewaySettings = field(default_factory=GatewaySettings)
