"""Kubernetes objects as far as llmgwd reads them, typed: what an API server sent in another shape
is refused here, each object by itself, and reaches no one.

Field names are the API's own in Python's spelling; what is not named here is passed over.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Final, TypeVar

import msgspec
import structlog

from llmgwctl.wire import ConditionKind
from llmgwd.errors import Transient

T = TypeVar("T")
Name = Annotated[str, msgspec.Meta(min_length=1, max_length=253)]
Text = Annotated[str, msgspec.Meta(max_length=1024)]
PortNumber = Annotated[int, msgspec.Meta(ge=1, le=65_535)]
# Far above any pod's containers, its ports or a service's.
Few = msgspec.Meta(max_length=1000)

_log: Final = structlog.get_logger()


class _Object(msgspec.Struct, rename="camel"):
    pass


class Metadata(_Object):
    name: Name
    namespace: Text | None = None
    uid: Text | None = None
    resource_version: Text | None = None
    creation_timestamp: Text | None = None
    deletion_timestamp: Text | None = None


class ContainerPort(_Object):
    container_port: PortNumber
    name: Text | None = None
    protocol: str | None = None


class Container(_Object):
    name: Text | None = None
    ports: Annotated[list[ContainerPort], Few] | None = None
    restart_policy: str | None = None


class PodSpec(_Object):
    containers: Annotated[list[Container], Few] | None = None
    init_containers: Annotated[list[Container], Few] | None = None
    node_name: Text | None = None


class PodCondition(_Object):
    type: str
    status: str
    reason: str | None = None
    message: str | None = None


class Ending(_Object):
    """How a container ended."""

    exit_code: int | None = None
    reason: str | None = None
    finished_at: str | None = None


class Waiting(_Object):
    reason: str | None = None


class ContainerState(_Object):
    waiting: Waiting | None = None
    terminated: Ending | None = None


class ContainerStatus(_Object):
    name: Text | None = None
    restart_count: int | None = None
    state: ContainerState | None = None
    last_state: ContainerState | None = None


class PodStatus(_Object):
    phase: Text | None = None
    reason: str | None = None
    message: str | None = None
    conditions: Annotated[list[PodCondition], Few] | None = None
    init_container_statuses: Annotated[list[ContainerStatus], Few] | None = None
    container_statuses: Annotated[list[ContainerStatus], Few] | None = None


class PodObject(_Object):
    metadata: Metadata
    spec: PodSpec | None = None
    status: PodStatus | None = None


class _Annotated(_Object):
    annotations: dict[str, str] | None = None


class AnnotatedPod(_Object):
    """A pod's containers, and which one of them its author named as the main one."""

    metadata: _Annotated
    spec: PodSpec | None = None


class ServicePortObject(_Object):
    port: PortNumber
    target_port: int | str | None = None
    name: str | None = None
    protocol: str | None = None


class ServiceSpec(_Object):
    type: str | None = None
    external_name: str | None = None
    selector: dict[str, str] | None = None
    ports: Annotated[list[ServicePortObject], Few] | None = None
    cluster_ip: str | None = msgspec.field(default=None, name="clusterIP")


class ServiceObject(_Object):
    metadata: Metadata
    spec: ServiceSpec | None = None


class Expression(_Object):
    key: str
    operator: str
    values: list[str] | None = None


class LabelSelector(_Object):
    match_labels: dict[str, str] | None = None
    match_expressions: list[Expression] | None = None


class WorkloadSpec(_Object):
    selector: LabelSelector | None = None


class WorkloadObject(_Object):
    spec: WorkloadSpec | None = None


class NamedObject(_Object):
    metadata: Metadata


class UserInfo(_Object):
    username: str | None = None


class ReviewStatus(_Object):
    allowed: bool | None = None
    user_info: UserInfo | None = None


class Review(_Object):
    """The answer to a question about this login."""

    status: ReviewStatus | None = None


class Version(_Object):
    git_version: Text | None = None


class InvolvedObject(_Object):
    name: str | None = None


class Series(_Object):
    last_observed_time: str | None = None


class EventObject(_Object):
    type: str | None = None
    reason: str | None = None
    message: str | None = None
    involved_object: InvolvedObject | None = None
    series: Series | None = None
    last_timestamp: str | None = None
    event_time: str | None = None


class _ListMetadata(_Object):
    resource_version: str | None = None


class _List(_Object):
    # A page's {"login": "needed"} is no list without items: those have their metadata.
    metadata: _ListMetadata
    items: Annotated[list[Any], msgspec.Meta(max_length=10_000)] | None = None


class WatchEvent(_Object):
    """`object` is not decoded yet: it may be bad, and the event all the same a good one."""

    type: str
    object: msgspec.Raw


def read(kind: type[T], value: object) -> T:
    """Read one object.

    Raises:
        Transient: it is not of that kind.
    """
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        # msgspec's sentence names fields and types, and quotes no value.
        raise Transient(
            ConditionKind.API_SERVER_FAILING,
            f"the API server sent what is no {_named(kind)}: {error}",
        ) from None


def read_list(kind: type[T], listed: Mapping[str, Any]) -> tuple[list[T], str]:
    """Read a list's objects without those that are bad, and its version.

    Raises:
        Transient: it is no list.
    """
    frame = read(_List, listed)
    return _good(kind, frame.items or []), frame.metadata.resource_version or ""


def _good(kind: type[T], items: list[Any]) -> list[T]:
    """Read what can be read; log one of the others, however many a server sends."""
    good, refused = list[T](), list[str]()
    for item in items:
        try:
            good.append(read(kind, item))
        except Transient as bad:
            refused.append(bad.message)
    if refused:
        _log.warning("objects refused", kind=_named(kind), count=len(refused), reason=refused[0])
    return good


def _named(kind: type) -> str:
    return kind.__name__.strip("_").removesuffix("Object").lower()
