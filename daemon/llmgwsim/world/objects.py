"""Kubernetes objects as plain JSON: what the simulated world puts into its store."""

from __future__ import annotations

import base64
import datetime
import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

Object = dict[str, Any]
NODE = "demo-node"
NODE_ADDRESS = "192.168.40.1"


def now() -> str:
    return datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def metadata(name: str, namespace: str = "", **fields: Any) -> Object:
    known: Object = {"name": name, "uid": str(uuid.uuid4()), "creationTimestamp": now()}
    if namespace:
        known["namespace"] = namespace
    return known | fields


@dataclass(frozen=True, slots=True)
class ServicePort:
    port: int
    # A number, or the name of a container port; None: the same as `port`.
    target: int | str | None = None
    name: str = ""


@dataclass(frozen=True, slots=True)
class Template:
    """What a workload's pods are made of."""

    labels: Mapping[str, str]
    # Container ports by name; the first one is the gateway's.
    ports: Mapping[str, int] = field(default_factory=lambda: {"http": 4000})
    container: str = "litellm"
    image: str = "ghcr.io/berriai/litellm:v1.80.0"
    grace_s: float = 90.0


def namespace(name: str) -> Object:
    return {
        "metadata": metadata(name, labels={"kubernetes.io/metadata.name": name}),
        "spec": {"finalizers": ["kubernetes"]},
        "status": {"phase": "Active"},
    }


def node(is_ready: bool = True) -> Object:
    """The one node; without heartbeats its state is unknown."""
    condition: Object = {"type": "Ready", "status": "True" if is_ready else "Unknown"}
    if is_ready:
        condition |= {"reason": "KubeletReady", "message": "kubelet is posting ready status"}
    else:
        message = "Kubelet stopped posting node status."
        condition |= {"reason": "NodeStatusUnknown", "message": message}
    address = {"type": "InternalIP", "address": NODE_ADDRESS}
    status = {"conditions": [condition | {"lastTransitionTime": now()}], "addresses": [address]}
    return {"metadata": metadata(NODE), "spec": {}, "status": status}


def secret(name: str, place: str, values: Mapping[str, str]) -> Object:
    coded = {key: base64.b64encode(value.encode()).decode() for key, value in values.items()}
    return {"metadata": metadata(name, place), "type": "Opaque", "data": coded}


def service(
    name: str, place: str, selector: Mapping[str, str] | None, ports: tuple[ServicePort, ...]
) -> Object:
    entries: list[Object] = []
    for entry in ports:
        target = entry.port if entry.target is None else entry.target
        item: Object = {"protocol": "TCP", "port": entry.port, "targetPort": target}
        if entry.name:
            item["name"] = entry.name
        entries.append(item)
    spec: Object = {"type": "ClusterIP", "clusterIP": "10.96.40.4", "ports": entries}
    if selector:
        spec["selector"] = dict(selector)
    return {"metadata": metadata(name, place), "spec": spec, "status": {"loadBalancer": {}}}


def workload(name: str, place: str, replicas: int, template: Template) -> Object:
    """A deployment or a statefulset: the parts clients read are the same."""
    ports = [
        {"name": port_name, "containerPort": number, "protocol": "TCP"}
        for port_name, number in template.ports.items()
    ]
    container = {"name": template.container, "image": template.image, "ports": ports}
    return {
        "metadata": metadata(name, place, labels=dict(template.labels), generation=1),
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": dict(template.labels)},
            "template": {
                "metadata": {"labels": dict(template.labels)},
                "spec": {"containers": [container]},
            },
        },
        "status": {"observedGeneration": 1, "replicas": 0, "readyReplicas": 0},
    }


def event(place: str, kind: str, name: str, uid: str, reason: str, message: str) -> Object:
    moment = now()
    return {
        "metadata": metadata(f"{name}.{uuid.uuid4().hex[:16]}", place),
        "involvedObject": {"kind": kind, "namespace": place, "name": name, "uid": uid},
        "reason": reason,
        "message": message,
        "type": "Warning" if reason in _WARNINGS else "Normal",
        "source": {"component": "kubelet", "host": NODE},
        "firstTimestamp": moment,
        "lastTimestamp": moment,
        "count": 1,
    }


_WARNINGS = frozenset(
    {"BackOff", "Unhealthy", "Failed", "FailedScheduling", "NodeNotReady", "Evicted"}
)
