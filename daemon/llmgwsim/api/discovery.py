"""API discovery and tables: what kubectl asks for before and besides the objects."""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

Object = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Kind:
    """A resource: its plural is the key it is stored under."""

    plural: str
    kind: str
    group: str = ""
    is_namespaced: bool = True
    short_names: tuple[str, ...] = ()
    verbs: tuple[str, ...] = ("get", "list", "watch")

    @property
    def api_version(self) -> str:
        return f"{self.group}/v1" if self.group else "v1"


KINDS = (
    Kind("namespaces", "Namespace", "", False, ("ns",)),
    Kind("nodes", "Node", "", False, ("no",)),
    Kind("services", "Service", "", True, ("svc",), ("get", "list", "watch", "patch")),
    Kind("pods", "Pod", "", True, ("po",), ("get", "list", "watch", "delete")),
    Kind("secrets", "Secret"),
    Kind("events", "Event", "", True, ("ev",)),
    Kind("deployments", "Deployment", "apps", True, ("deploy",), ("get", "list", "watch", "patch")),
    Kind("statefulsets", "StatefulSet", "apps", True, ("sts",)),
)
BY_PLURAL = {kind.plural: kind for kind in KINDS}
_REVIEWS = ("SelfSubjectAccessReview", "SelfSubjectRulesReview")
_SUBRESOURCES = (
    ("pods/log", "Pod", ["get"]),
    ("pods/portforward", "PodPortForwardOptions", ["create", "get"]),
)

VERSION = {
    "major": "1",
    "minor": "36",
    "gitVersion": "v1.36.2",
    "gitCommit": "0000000000000000000000000000000000000000",
    "gitTreeState": "clean",
    "buildDate": "2026-06-10T12:00:00Z",
    "goVersion": "go1.26",
    "compiler": "gc",
    "platform": "linux/amd64",
}


def discovery(path: str) -> Object | None:
    """The discovery document of a path, None where there is none."""
    documents: dict[str, Callable[[], Object]] = {
        "/api": _versions,
        "/apis": _groups,
        "/version": lambda: VERSION,
        "/api/v1": lambda: _resources(""),
        "/apis/apps/v1": lambda: _resources("apps"),
        "/apis/authorization.k8s.io/v1": _reviews,
    }
    make = documents.get(path.rstrip("/"))
    return make() if make else None


def _versions() -> Object:
    return {"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": []}


def _groups() -> Object:
    groups = []
    for name in ("apps", "authorization.k8s.io"):
        version = {"groupVersion": f"{name}/v1", "version": "v1"}
        groups.append({"name": name, "versions": [version], "preferredVersion": version})
    return {"kind": "APIGroupList", "apiVersion": "v1", "groups": groups}


def _resources(group: str) -> Object:
    items: list[Object] = [
        {
            "name": kind.plural,
            "singularName": kind.kind.lower(),
            "namespaced": kind.is_namespaced,
            "kind": kind.kind,
            "verbs": list(kind.verbs),
            "shortNames": list(kind.short_names),
        }
        for kind in KINDS
        if kind.group == group
    ]
    if not group:
        for name, kind_name, verbs in _SUBRESOURCES:
            item = {"name": name, "singularName": "", "namespaced": True, "kind": kind_name}
            items.append(item | {"verbs": verbs})
    version = f"{group}/v1" if group else "v1"
    return {"kind": "APIResourceList", "groupVersion": version, "resources": items}


def _reviews() -> Object:
    items = [
        {"name": f"{kind.lower()}s", "namespaced": False, "kind": kind, "verbs": ["create"]}
        for kind in _REVIEWS
    ]
    version = "authorization.k8s.io/v1"
    return {"kind": "APIResourceList", "groupVersion": version, "resources": items}


# Tables


@dataclass(frozen=True, slots=True)
class _Columns:
    names: tuple[str, ...]
    cells: Callable[[Object], list[Any]]


def _age(item: Object) -> str:
    created = datetime.datetime.fromisoformat(item["metadata"]["creationTimestamp"])
    seconds = int((datetime.datetime.now(datetime.UTC) - created).total_seconds())
    for size, letter in ((86400, "d"), (3600, "h"), (60, "m")):
        if seconds >= 2 * size:
            return f"{seconds // size}{letter}"
    return f"{seconds}s"


def _pod_cells(item: Object) -> list[Any]:
    containers = item["status"].get("containerStatuses", [])
    ready = sum(bool(container["ready"]) for container in containers)
    state = item["status"]["phase"]
    for container in containers:
        state = container["state"].get("waiting", {}).get("reason", state)
    if item["metadata"].get("deletionTimestamp"):
        state = "Terminating"
    restarts = sum(container["restartCount"] for container in containers)
    return [item["metadata"]["name"], f"{ready}/{len(containers)}", state, restarts, _age(item)]


def _service_cells(item: Object) -> list[Any]:
    spec = item["spec"]
    ports = ",".join(f"{port['port']}/{port['protocol']}" for port in spec["ports"])
    name, kind = item["metadata"]["name"], spec["type"]
    return [name, kind, spec["clusterIP"], "<none>", ports, _age(item)]


def _workload_cells(item: Object) -> list[Any]:
    wanted, status = item["spec"]["replicas"], item["status"]
    ready = f"{status.get('readyReplicas', 0)}/{wanted}"
    updated, available = status.get("updatedReplicas", 0), status.get("availableReplicas", 0)
    return [item["metadata"]["name"], ready, updated, available, _age(item)]


def _stateful_cells(item: Object) -> list[Any]:
    name, ready, *_, age = _workload_cells(item)
    return [name, ready, age]


def _event_cells(item: Object) -> list[Any]:
    about = item["involvedObject"]
    what = f"{about['kind'].lower()}/{about['name']}"
    return [_age(item), item["type"], item["reason"], what, item["message"]]


_WORKLOAD = _Columns(("Name", "Ready", "Up-to-date", "Available", "Age"), _workload_cells)
_TABLES = {
    "pods": _Columns(("Name", "Ready", "Status", "Restarts", "Age"), _pod_cells),
    "services": _Columns(
        ("Name", "Type", "Cluster-IP", "External-IP", "Port(s)", "Age"), _service_cells
    ),
    "deployments": _WORKLOAD,
    "statefulsets": _Columns(("Name", "Ready", "Age"), _stateful_cells),
    "events": _Columns(("Last Seen", "Type", "Reason", "Object", "Message"), _event_cells),
}
_PLAIN = _Columns(("Name", "Age"), lambda item: [item["metadata"]["name"], _age(item)])


def table(plural: str, items: list[Object], version: str, has_columns: bool = True) -> Object:
    """Objects as kubectl's Table; a watch sends the columns with its first event only."""
    columns = _TABLES.get(plural, _PLAIN)
    definitions = [
        {
            "name": name,
            "type": "integer" if name == "Restarts" else "string",
            "format": "name" if name == "Name" else "",
            "description": "",
            "priority": 0,
        }
        for name in columns.names
    ]
    rows = [{"cells": columns.cells(item), "object": _partial(item)} for item in items]
    body: Object = {"kind": "Table", "apiVersion": "meta.k8s.io/v1"}
    body["metadata"] = {"resourceVersion": version}
    return body | {"columnDefinitions": definitions if has_columns else None, "rows": rows}


def _partial(item: Object) -> Object:
    kind = {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1"}
    return kind | {"metadata": item["metadata"]}
