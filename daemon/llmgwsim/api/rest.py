"""The simulated API server's REST surface: who asks, whether they may, what they get."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from llmgwsim.api import answers
from llmgwsim.api.auth.callers import Callers
from llmgwsim.api.auth.protobuf import CONTENT_TYPE as PROTOBUF
from llmgwsim.api.auth.protobuf import read_review
from llmgwsim.api.auth.reviews import review
from llmgwsim.api.backend import require_logs
from llmgwsim.api.discovery import BY_PLURAL, Kind, discovery, table
from llmgwsim.api.logs import serve_logs
from llmgwsim.api.portforward import Upgrades, serve_portforward, verbs_needed
from llmgwsim.api.proxies import answered_by_portal, refuse_by_proxy
from llmgwsim.api.selectors import matches
from llmgwsim.api.watch import Watch
from llmgwsim.net.request import Request, json_body

if TYPE_CHECKING:
    from collections.abc import Callable

    from llmgwsim.api.auth.access import Access
    from llmgwsim.api.behaviour import Behaviour
    from llmgwsim.world.world import World

Object = dict[str, Any]
_SUBRESOURCES = {"pods": ("log", "portforward")}


@dataclass(frozen=True, slots=True)
class _Place:
    """What a path names."""

    kind: Kind
    namespace: str | None
    name: str
    subresource: str

    @property
    def resource(self) -> str:
        return f"{self.kind.plural}/{self.subresource}" if self.subresource else self.kind.plural


_ROLE_NOT_LOADED = 'RBAC: clusterrole.rbac.authorization.k8s.io "llmgw" not found'
_REVIEWS = ("/apis/authorization.k8s.io/v1/", "/apis/authentication.k8s.io/v1/")


class Api:
    """Serves requests of all connections; holds nothing but references."""

    def __init__(self, world: World, access: Access, behaviour: Behaviour) -> None:
        self._world = world
        self._access = access
        self._behaviour = behaviour
        self.callers = Callers(access)
        self.upgrades = Upgrades()
        self.request_counts: dict[str, int] = {}

    async def serve(self, request: Request) -> None:
        try:
            await self._serve(request)
        except answers.Refusal as refusal:
            if isinstance(refusal.body, str):
                body = refusal.body.encode()
                request.respond(refusal.status, body, "text/plain; charset=utf-8" if body else "")
            else:
                request.respond_json(refusal.status, refusal.body, refusal.headers)

    async def _serve(self, request: Request) -> None:
        is_upgrade = "upgrade" in request.headers
        if answered_by_portal(request, self._behaviour):
            return
        if is_upgrade and refuse_by_proxy(request, self._behaviour):
            return
        await self._misbehave(is_upgrade)
        if request.path in ("/healthz", "/readyz", "/livez"):
            request.respond(200, b"ok", "text/plain; charset=utf-8")
            return
        user = self.callers.of(request).user
        document = discovery(request.path)
        if document is not None:
            request.respond_json(200, document)
            return
        if request.path.startswith(_REVIEWS):
            body = await self._read_review(request)
            request.respond_json(201, review(request.path, body, user, self._access))
            return
        place = _place(request.path)
        self._count(request, place)
        await self._dispatch(request, place, user)

    async def _misbehave(self, is_upgrade: bool) -> None:
        behaviour = self._behaviour
        if behaviour.delay_s:
            await asyncio.sleep(behaviour.delay_s)
        while behaviour.hangs and (behaviour.hangs_upgrades or not is_upgrade):
            await behaviour.changed.wait()
        failure = None if is_upgrade else behaviour.take_failure()
        if failure is not None:
            raise _failure(failure, behaviour.retry_after_s)

    def _require(self, user: str, verb: str, place: _Place) -> None:
        namespace = place.namespace or ""
        asked = (user, verb, place.resource, namespace, place.name)
        if asyncio.get_running_loop().time() < self._behaviour.rbac_loaded_at:
            raise answers.forbidden(*asked, reason=_ROLE_NOT_LOADED)
        if not self._access.allows(user, verb, place.resource, namespace):
            raise answers.forbidden(*asked)

    async def _dispatch(self, request: Request, place: _Place, user: str) -> None:
        if place.subresource == "portforward":
            for verb in verbs_needed(request, self._behaviour):
                self._require(user, verb, place)
            if self._behaviour.denial is not None:
                raise answers.denied_by_webhook(*self._behaviour.denial)
            pod = self._pod(place)
            serve_portforward(request, self._world, self._behaviour, self.upgrades, pod)
        elif place.subresource == "log":
            self._require(user, "get", place)
            pod = self._pod(place)
            require_logs(self._behaviour, pod)
            await serve_logs(request, pod)
        elif request.method == "GET":
            await self._read(request, place, user)
        elif request.method == "DELETE" and place.kind.plural == "pods" and place.name:
            self._require(user, "delete", place)
            await self._delete_pod(request, place)
        elif request.method == "PATCH" and place.kind.plural == "deployments" and place.name:
            self._require(user, "patch", place)
            await self._patch_deployment(request, place)
        elif request.method == "PATCH" and place.kind.plural == "services" and place.name:
            self._require(user, "patch", place)
            await self._patch_service(request, place)
        else:
            raise answers.method_not_allowed()

    def _pod(self, place: _Place) -> Any:
        pod = self._world.pod(place.namespace or "", place.name)
        if pod is None:
            raise answers.not_found("pods", place.name)
        return pod

    # Reading

    async def _read(self, request: Request, place: _Place, user: str) -> None:
        is_table = "as=Table" in request.headers.get("accept", "")
        if place.name:
            self._require(user, "get", place)
            item = self._item(place)
            version = item["metadata"]["resourceVersion"]
            shown = self._show(place.kind)(item)
            body = table(place.kind.plural, [shown], version) if is_table else shown
            request.respond_json(200, body)
        elif request.flag("watch"):
            self._require(user, "watch", place)
            show = self._show(place.kind)
            store = self._world.store
            watch = Watch(
                request, store, self._behaviour, place.kind, place.namespace, show, is_table
            )
            await watch.serve()
        else:
            self._require(user, "list", place)
            self._list(request, place, is_table)

    def _item(self, place: _Place) -> Object:
        item = self._world.store.get(place.kind.plural, place.namespace or "", place.name)
        if item is None:
            raise answers.not_found(place.kind.plural, place.name)
        return item

    def _list(self, request: Request, place: _Place, is_table: bool) -> None:
        store = self._world.store
        labels, fields = request.argument("labelSelector"), request.argument("fieldSelector")
        try:
            items = [
                item
                for item in store.items(place.kind.plural, place.namespace)
                if matches(item, labels, fields)
            ]
        except ValueError as error:
            raise answers.bad_request(str(error)) from error
        version = str(store.version)
        if is_table:
            request.respond_json(200, table(place.kind.plural, items, version))
            return
        body: Object = {"kind": f"{place.kind.kind}List", "apiVersion": place.kind.api_version}
        body["metadata"] = {"resourceVersion": version}
        request.respond_json(200, body | {"items": items})

    def _show(self, kind: Kind) -> Callable[[Object], Object]:
        head = {"kind": kind.kind, "apiVersion": kind.api_version}
        return lambda item: head | item

    # Changing

    async def _delete_pod(self, request: Request, place: _Place) -> None:
        pod = self._pod(place)
        options = await self._read_json(request)
        grace = request.argument("gracePeriodSeconds") or options.get("gracePeriodSeconds")
        grace_s = None if grace in (None, "") else float(grace)
        self._world.delete_pod(pod, graceful=grace_s != 0, grace_s=grace_s)
        request.respond_json(200, self._show(place.kind)(pod.to_object()))

    async def _patch_deployment(self, request: Request, place: _Place) -> None:
        """What `kubectl rollout restart` and `kubectl scale` send; the rest is ignored."""
        self._item(place)
        patch = await self._read_json(request)
        workload = self._world.workloads[place.namespace or "", place.name]
        spec = patch.get("spec") or {}
        if "template" in spec:
            self._world.run(self._world.roll(workload))
        if "replicas" in spec:
            await self._world.scale(workload, int(spec["replicas"]))
        request.respond_json(200, self._show(place.kind)(self._item(place)))

    async def _patch_service(self, request: Request, place: _Place) -> None:
        """A merge patch of its spec; a list takes the place of the one before."""
        self._item(place)
        patch = await self._read_json(request)
        spec = patch.get("spec") or {}
        item = self._world.change_service(place.name, place.namespace or "", spec)
        request.respond_json(200, self._show(place.kind)(item))

    async def _read_review(self, request: Request) -> Object:
        if request.headers.get("content-type", "").startswith(PROTOBUF):
            is_rules_review = request.path.endswith("rulesreviews")
            try:
                return read_review(await request.body(), is_rules_review)
            except ValueError as error:
                raise answers.bad_request(str(error)) from error
        return await self._read_json(request)

    async def _read_json(self, request: Request) -> Object:
        try:
            return json_body(await request.body())
        except (ValueError, json.JSONDecodeError) as error:
            raise answers.bad_request(f"the body is not JSON: {error}") from error

    def _count(self, request: Request, place: _Place) -> None:
        verb = "watch" if request.flag("watch") else request.method.lower()
        name = f"{verb} {place.resource}"
        self.request_counts[name] = self.request_counts.get(name, 0) + 1


def _place(path: str) -> _Place:
    """Read a resource's path.

    Raises:
        Refusal: nothing is served there.
    """
    parts = [part for part in path.split("/") if part]
    group = ""
    if parts[:2] == ["api", "v1"]:
        parts = parts[2:]
    elif len(parts) > 2 and parts[0] == "apis" and parts[2] == "v1":
        group, parts = parts[1], parts[3:]
    else:
        raise answers.no_such_path()
    namespace = None
    if len(parts) >= 3 and parts[0] == "namespaces":
        namespace, parts = parts[1], parts[2:]
    kind = BY_PLURAL.get(parts[0]) if parts else None
    if kind is None or kind.group != group or len(parts) > 3:
        raise answers.no_such_path()
    name = parts[1] if len(parts) > 1 else ""
    subresource = parts[2] if len(parts) > 2 else ""
    if subresource and subresource not in _SUBRESOURCES.get(kind.plural, ()):
        raise answers.no_such_path()
    return _Place(kind, namespace, name, subresource)


def _failure(status: int, retry_after_s: int | None) -> answers.Refusal:
    headers = {} if retry_after_s is None else {"retry-after": str(retry_after_s)}
    reason, text = "InternalError", "etcdserver: request timed out"
    if status == 429:
        reason, text = "TooManyRequests", "Too many requests, please try again later."
    return answers.Refusal(status, answers.status(status, reason, text), headers)
