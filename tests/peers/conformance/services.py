"""Services and their pods: one row per way from a service's port to a pod's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from llmgwsim.world.objects import Template

if TYPE_CHECKING:
    from llmgwsim.world.world import World as SimulatedWorld

NAMESPACE: Final = "services"
Ports = Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class Service:
    """`asked` is the port; `pods` are specs; `spec` is laid over the service's. `target` is what is
    forwarded to: the service, or its first pod.
    """

    ports: Ports
    pods: Sequence[Mapping[str, Any]]
    asked: str = "80"
    spec: Mapping[str, Any] = field(default_factory=dict)
    target: str = "service/{name}"


def pod(*containers: Ports, sidecars: Sequence[Ports] = (), once: Sequence[Ports] = ()) -> Any:
    """A pod's spec: its containers' ports, those of its sidecars, and of what runs before it."""
    before = [(ports, {"restartPolicy": "Always"}) for ports in sidecars]
    before += [(ports, {}) for ports in once]
    return {
        "containers": [
            {"name": f"c{at}", "image": "i", "ports": list(ports)}
            for at, ports in enumerate(containers)
        ],
        "initContainers": [
            {"name": f"i{at}", "image": "i", "ports": list(ports), **how}
            for at, (ports, how) in enumerate(before)
        ],
    }


def named(name: str, number: int, **fields: Any) -> dict[str, Any]:
    return {"name": name, "containerPort": number, **fields}


def port(number: int = 80, target: int | str | None = None, **fields: Any) -> dict[str, Any]:
    return {"port": number, **({} if target is None else {"targetPort": target}), **fields}


_PLAIN: Final = pod([named("http", 4000)])
_POD: Final = "pod/{name}-0"
_UDP: Final = {"protocol": "UDP"}
_TWO: Final = [port(80, 4000, name="http"), port(81, 4001, name="metrics")]

SERVICES: Final[Mapping[str, Service]] = {
    "number": Service([port(80, 4000)], [_PLAIN]),
    "name": Service([port(80, "http")], [_PLAIN]),
    "no-target": Service([port(4000)], [_PLAIN], "4000"),
    "target-zero": Service([port(4000, 0)], [_PLAIN], "4000"),
    "number-not-declared-by-the-pod": Service([port(80, 4000)], [pod([])]),
    "headless": Service([port(4000, 1)], [_PLAIN], "4000", {"clusterIP": "None"}),
    "headless-by-name": Service([port(80, "http")], [_PLAIN], "80", {"clusterIP": "None"}),
    "first-of-several": Service(_TWO, [pod([named("http", 4000), named("metrics", 4001)])], "80"),
    "second-of-several": Service(_TWO, [_PLAIN], "81"),
    "by-the-ports-name": Service(_TWO, [_PLAIN], "metrics"),
    "port-missing": Service([port(80, 4000)], [_PLAIN], "8080"),
    "port-name-missing": Service([port(80, 4000, name="http")], [_PLAIN], "grpc"),
    "target-name-missing": Service([port(80, "web")], [_PLAIN]),
    "renamed": Service([port(80, "http")], [pod([named("web", 4000)])]),
    "two-containers-one-name": Service(
        [port(80, "http")], [pod([named("http", 4000)], [named("http", 4001)])]
    ),
    "one-container-twice": Service(
        [port(80, "http")], [pod([named("http", 4000), named("http", 4001)])]
    ),
    "name-in-the-second-container": Service(
        [port(80, "http")], [pod([named("proxy", 1)], [named("http", 4000)])]
    ),
    "name-in-a-sidecar": Service([port(80, "http")], [pod([], sidecars=[[named("http", 4000)]])]),
    "container-before-sidecar": Service(
        [port(80, "http")], [pod([named("http", 4000)], sidecars=[[named("http", 4001)]])]
    ),
    "name-in-what-runs-once": Service([port(80, "http")], [pod([], once=[[named("http", 4000)]])]),
    "udp-port-of-the-service": Service([port(80, 4000, **_UDP)], [_PLAIN]),
    "tcp-and-udp": Service(
        [port(80, 4001, name="u", **_UDP), port(80, 4000, name="t")], [_PLAIN], "80"
    ),
    "udp-port-of-the-pod": Service([port(80, "http")], [pod([named("http", 4000, **_UDP)])]),
    "udp-and-tcp-of-one-name": Service(
        [port(80, "http")], [pod([named("http", 4001, **_UDP)], [named("http", 4000)])]
    ),
    "pods-that-differ": Service(
        [port(80, "http")], [pod([named("http", 4000)]), pod([named("http", 4001)])]
    ),
    "only-one-pod-has-the-name": Service(
        [port(80, "http")], [pod([named("http", 4000)]), pod([named("http", 4000)])]
    ),
    "node-port": Service([port(80, 4000, nodePort=30080)], [_PLAIN], "80", {"type": "NodePort"}),
    "node-port-asked": Service(
        [port(80, 4000, nodePort=30080)], [_PLAIN], "30080", {"type": "NodePort"}
    ),
    "external-name": Service(
        [port(80)], [_PLAIN], "80", {"type": "ExternalName", "externalName": "a.test"}
    ),
    "no-selector": Service([port(80, 4000)], [_PLAIN], "80", {"selector": {}}),
    "no-pods": Service([port(80, 4000)], []),
    "sctp": Service([port(80, 4000, protocol="SCTP")], [_PLAIN]),
    "pod-by-number": Service([], [_PLAIN], "4000", target=_POD),
    "pod-by-a-number-it-does-not-declare": Service([], [_PLAIN], "9999", target=_POD),
    "pod-by-name": Service([], [pod([named("x", 1)], [named("http", 4000)])], "http", target=_POD),
    "pod-by-a-name-it-does-not-have": Service([], [_PLAIN], "grpc", target=_POD),
    "pod-by-the-name-of-a-sidecars-port": Service(
        [], [pod([], sidecars=[[named("http", 4000)]])], "http", target=_POD
    ),
    "host-network": Service([port(80, "http")], [_PLAIN | {"hostNetwork": True}]),
}

# Where we and kubectl differ, and why.
DIFFERENCES: Final[Mapping[str, str]] = {
    "tcp-and-udp": "a number may be declared for UDP and for TCP; kubectl sees the first, we TCP's",
    "udp-and-tcp-of-one-name": "a name may be of a UDP port and of a TCP port; kubectl takes the "
    "first, we TCP's, as the service itself does",
    "external-name": "such a service leads to a name, not to pods; kubectl takes its selector",
    "sctp": "a forward carries TCP alone; kubectl refuses UDP, and takes SCTP for TCP",
}


async def add_services(world: SimulatedWorld) -> None:
    """Make all of them, each with pods of its own, in their namespace."""
    world.add_namespace(NAMESPACE)
    for name, service in SERVICES.items():
        labels = {"app": name}
        for number, spec in enumerate(service.pods):
            made = await world.add_pod(f"{name}-{number}", NAMESPACE, Template(labels))
            item = made.to_object()
            world.store.put("pods", item | {"spec": item["spec"] | spec})
        world.add_service(name, NAMESPACE, (), labels)
        world.change_service(name, NAMESPACE, {"ports": list(service.ports), **service.spec})
