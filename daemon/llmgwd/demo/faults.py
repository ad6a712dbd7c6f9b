"""What can be done to the simulated cluster: each public method is a fault call, here and by HTTP.

Arguments and results are plain JSON, so that a call means the same from Python and from another
process. A pod's name may be left out: the first pod of the gateway is meant.
"""

from __future__ import annotations

import asyncio
import inspect
from typing import TYPE_CHECKING, Any

from llmgwd.demo.access import ROLES, rule

if TYPE_CHECKING:
    from collections.abc import Callable

    from llmgwd.demo.network import Direction
    from llmgwd.demo.pod import Pod
    from llmgwd.demo.server import SimulatedCluster
    from llmgwd.demo.world import Workload

_NOT_CALLS = frozenset({"describe", "call"})


class _Base:
    def __init__(self, cluster: SimulatedCluster) -> None:
        self._cluster = cluster
        self._world = cluster.world
        self._behaviour = cluster.behaviour

    def call(self, name: str) -> Callable[..., Any] | None:
        method = getattr(self, name, None)
        return None if name.startswith("_") or name in _NOT_CALLS else method

    def describe(self) -> dict[str, str]:
        """Every fault call with its parameters."""
        calls = inspect.getmembers(self, callable)
        names = [(name, call) for name, call in calls if self.call(name)]
        return {name.replace("_", "-"): str(inspect.signature(call)) for name, call in names}

    def _pod(self, name: str | None, namespace: str | None = None) -> Pod:
        place = namespace or self._cluster.options.namespace
        if name is None:
            pods = [pod for pod in self._pods(place) if not pod.is_terminating]
            if not pods:
                raise LookupError("no pod")
            return pods[0]
        pod = self._world.pod(place, name)
        if pod is None:
            raise LookupError(f"no pod {name}")
        return pod

    def _pods(self, namespace: str) -> list[Pod]:
        return [pod for pod in self._world.pods.values() if pod.namespace == namespace]

    def _workload(self, name: str | None) -> Workload:
        options = self._cluster.options
        return self._world.workloads[options.namespace, name or options.service]


class _PodFaults(_Base):
    def pods(self) -> list[dict[str, Any]]:
        """Every pod with its state, and how many connections its program has."""
        return [
            {
                "name": pod.name,
                "namespace": pod.namespace,
                "uid": pod.uid,
                "phase": pod.phase,
                "is_ready": pod.is_ready,
                "is_terminating": pod.is_terminating,
                "restarts": pod.restarts,
                "connections": pod.program.connection_count if pod.program else 0,
            }
            for pod in self._world.pods.values()
        ]

    def delete_pod(
        self, pod: str | None = None, graceful: bool = True, grace_s: float | None = None
    ) -> str:
        """Delete a pod; its deployment replaces it. Returns the pod's name."""
        victim = self._pod(pod)
        self._world.delete_pod(victim, graceful, grace_s)
        return victim.name

    def delete_all_pods(
        self, hold_s: float = 0.0, graceful: bool = False, grace_s: float | None = None
    ) -> list[str]:
        """Delete every pod of the gateway's deployment; no new one is made for `hold_s`."""
        workload = self._workload(None)
        workload.held_until = asyncio.get_running_loop().time() + hold_s
        victims = self._world.pods_of(workload)
        for victim in victims:
            self._world.delete_pod(victim, graceful, grace_s)
        return [victim.name for victim in victims]

    async def roll(
        self,
        deployment: str | None = None,
        surge: bool = True,
        grace_s: float | None = None,
        wait: bool = False,
    ) -> None:
        """Replace every pod of a deployment, one after the other; `wait` for the last one."""
        work = self._world.run(self._world.roll(self._workload(deployment), surge, grace_s))
        if wait:
            await work

    async def scale(self, replicas: int, deployment: str | None = None) -> None:
        await self._world.scale(self._workload(deployment), replicas)

    def set_ready(
        self, ready: bool, pod: str | None = None, reason: str = "ContainersNotReady"
    ) -> str:
        """Mark a pod (not) ready; it answers all the same."""
        victim = self._pod(pod)
        victim.set_ready(ready, reason)
        return victim.name

    def lose_node(self, lost: bool = True) -> None:
        """No heartbeat from the node: all its pods are not ready, and answer."""
        for pod in self._world.pods.values():
            if pod.program is not None:
                pod.set_ready(not lost, "NodeNotReady" if lost else "")

    def crash(
        self,
        pod: str | None = None,
        restart_after_s: float = 0.5,
        exit_code: int = 137,
        reason: str = "OOMKilled",
    ) -> str:
        """The container dies and is started again: restartCount, lastState, previous log."""
        victim = self._pod(pod)
        victim.crash(exit_code, reason)
        self._world.run(self._world.restart(victim, restart_after_s))
        return victim.name

    def refuse_dials(self, refuse: bool = True, pod: str | None = None) -> None:
        """Connections to a pod's ports are refused; of all pods when none is named."""
        victims = [self._pod(pod)] if pod else list(self._world.pods.values())
        for victim in victims:
            victim.refuses_dials = refuse

    def log_line(self, text: str, pod: str | None = None) -> None:
        """Write a line into a pod's log."""
        self._pod(pod).log.add(text)

    async def add_pod(self, name: str, labels: dict[str, str], pending: bool = False) -> None:
        """Add a bare pod; with `pending` no node takes it."""
        options = self._cluster.options
        template = type(options.template)(labels, options.template.ports)
        if pending:
            self._world.add_pending_pod(name, options.namespace, template)
        else:
            await self._world.add_pod(name, options.namespace, template)

    async def add_workload(
        self, kind: str, name: str, labels: dict[str, str], replicas: int = 1
    ) -> None:
        """Add a Deployment or a StatefulSet with ready pods."""
        options = self._cluster.options
        template = type(options.template)(labels, options.template.ports)
        await self._world.add_workload(kind, name, options.namespace, replicas, template)

    def add_event(self, reason: str, message: str, pod: str | None = None) -> None:
        self._world.add_event(self._pod(pod), reason, message)


class _WireFaults(_Base):
    def reset_streams(self) -> int:
        """Reset every forwarded stream, keep the connections; returns how many upgrades."""
        return self._cluster.api.upgrades.reset_streams()

    def cut(self, reset: bool = False) -> int:
        """Drop every connection to the API server at once, by FIN or RST."""
        return self._cluster.network.cut(reset)

    def black_hole(
        self, direction: Direction = "both", existing: bool = True, new: bool = True
    ) -> int:
        """Let nothing through and close nothing: `in` is towards the server, `out` from it."""
        if direction not in ("in", "out", "both"):
            raise ValueError("direction is one of in, out, both")
        return self._cluster.network.black_hole(direction, existing, new)

    def restore(self, cut: bool = False) -> None:
        """End the black hole; `cut` drops what was in it, as a peer that gave up meanwhile."""
        if cut:
            self._cluster.network.cut(reset=True)
        self._cluster.network.restore()

    def set_rtt(self, rtt_s: float) -> None:
        """Add a round-trip time to every connection, the living ones too."""
        self._cluster.network.rtt_s = rtt_s

    def api_down(self, graceful: bool = False, upgrades_live_s: float = 60.0) -> None:
        """Stop the API server: SIGKILL, or SIGTERM that leaves upgrades living for a while."""
        if graceful:
            self._behaviour.watch_epoch += 1
            self._world.store.wake()
            self._cluster.server.terminate(upgrades_live_s)
        else:
            self._cluster.server.kill()

    async def api_up(self) -> None:
        """Start the API server again, on the same port."""
        await self._cluster.server.start()

    def refuse_upgrades(self, spdy: int | None = None, websocket: int | None = None) -> None:
        """Answer upgrades of a kind with this status, as a proxy; null lets them pass."""
        self._behaviour.refuse_spdy, self._behaviour.refuse_websocket = spdy, websocket

    def counts(self) -> dict[str, Any]:
        """What was asked of the API server and the gateways so far."""
        cluster, record = self._cluster, self._world.record
        return {
            "connections": cluster.network.accepted,
            "open_connections": len(cluster.network.wires),
            "open_upgrades": len(cluster.api.upgrades.open),
            "upgrades": dict(cluster.api.upgrades.counts),
            "requests": dict(cluster.api.request_counts),
            "gateway_requests": dict(record.requests),
            "paid_health_calls": record.paid_health_calls,
            "model_calls": record.model_calls,
            "open_streams": sum(
                upgrade.session.stream_count
                for upgrade in cluster.api.upgrades.open
                if upgrade.session is not None
            ),
        }

    def seen(self) -> dict[str, int]:
        """How often each X-Request-Id reached a gateway, over all pods."""
        return dict(self._world.record.seen)

    def clear_seen(self) -> None:
        self._world.record.seen.clear()


class _ApiFaults(_Base):
    def issue_token(self, user: str = "demo", lifetime_s: float | None = None) -> str:
        """Make a token; with a lifetime it expires, and is answered 401 from then on."""
        return self._cluster.access.issue(user, lifetime_s)

    def revoke_token(self, token: str | None = None) -> None:
        """Revoke a token, or all of them: 401."""
        self._cluster.access.revoke(token)

    def restore_token(self) -> str:
        """Let the cluster's first token be accepted again; returns it."""
        return self._cluster.access.issue(token=self._cluster.token)

    def refuse_user(self, user: str = "demo", refuse: bool = True) -> None:
        """Answer 401 to all of a user's credentials, certificates too."""
        refused = self._cluster.access.refused_users
        refused.add(user) if refuse else refused.discard(user)

    def deny(self, verb: str, resource: str) -> None:
        """Take a verb on a resource from everybody: 403."""
        self._cluster.access.denied.add((verb, resource))

    def allow(self, verb: str | None = None, resource: str | None = None) -> None:
        """Give a denied verb back; without arguments all of them."""
        denied = self._cluster.access.denied
        if verb is None or resource is None:
            denied.clear()
        else:
            denied.discard((verb, resource))

    def set_role(self, role: str, user: str = "demo") -> None:
        """Give a user one of the named roles, see `access.ROLES`."""
        if role not in ROLES:
            raise ValueError(f"role {role} is none of {', '.join(ROLES)}")
        self._cluster.access.rules[user] = ROLES[role]

    def set_rules(self, rules: list[list[str]], user: str = "demo") -> None:
        """Give a user rules: each is [verbs, resources, namespace…], e.g. ["get,list", "pods"]."""
        self._cluster.access.rules[user] = tuple(rule(*item) for item in rules)

    def websocket_verbs(self, verbs: str) -> None:
        """`get` for a server before 1.35, `get,create` since."""
        if verbs not in ("get", "get,create"):
            raise ValueError("verbs is one of get | get,create")
        self._behaviour.websocket_verbs = verbs  # type: ignore[assignment]

    def fail_requests(self, status: int, count: int = -1, retry_after_s: int | None = None) -> None:
        """Answer the next `count` REST requests with a status (-1: all); 0 ends it."""
        self._behaviour.fail_status, self._behaviour.fail_count = status, count
        self._behaviour.retry_after_s = retry_after_s

    def slow(self, delay_s: float) -> None:
        """Every request waits this long before it is looked at."""
        self._behaviour.delay_s = delay_s

    def hang(self, hangs: bool = True, upgrades: bool = True) -> None:
        """Requests are taken and never answered; those that hang go on when it ends."""
        self._behaviour.hangs, self._behaviour.hangs_upgrades = hangs, hangs and upgrades
        self._behaviour.wake()

    def close_watches(self) -> None:
        """End every open watch, as the server does after its time-out."""
        self._behaviour.watch_epoch += 1
        self._world.store.wake()

    def hang_watches(self, hangs: bool = True) -> None:
        """Open watches stay open and say nothing; new ones too."""
        self._behaviour.hangs_watches = hangs
        self._world.store.wake()

    def compact(self, gone_as: str = "event") -> None:
        """Forget the change log: watches from older versions get 410, as an event or by HTTP."""
        if gone_as not in ("event", "http"):
            raise ValueError("gone_as is one of event, http")
        self._behaviour.gone_as = gone_as  # type: ignore[assignment]
        self._world.store.compact()

    def set_bookmarks(self, every_s: float) -> None:
        self._behaviour.bookmark_s = every_s

    def set_pair_timeout(self, timeout_s: float) -> None:
        """How long the server waits for the second stream of a pair."""
        self._behaviour.pair_timeout_s = timeout_s


class _ObjectFaults(_Base):
    def remove_service(self, name: str | None = None) -> None:
        options = self._cluster.options
        self._world.store.remove("services", options.namespace, name or options.service)

    def set_service(
        self,
        name: str | None = None,
        selector: dict[str, str] | None = None,
        port: int = 4000,
        target_port: int | str | None = "http",
        port_name: str = "http",
        headless: bool = False,
    ) -> None:
        """Make or change a service; without a selector it selects as the gateway's does.

        An empty selector object makes a service without one.
        """
        options = self._cluster.options
        entry = type(options.service_ports[0])(port, target_port, port_name)
        chosen = dict(options.template.labels) if selector is None else selector
        self._world.add_service(name or options.service, options.namespace, (entry,), chosen)
        if headless:
            item = self._world.store.get("services", options.namespace, name or options.service)
            assert item is not None
            spec = item["spec"] | {"clusterIP": "None"}
            self._world.store.put("services", item | {"spec": spec})

    async def rename_port(self, name: str) -> None:
        """Roll the deployment to pods whose gateway port has another name."""
        workload = self._workload(None)
        old = workload.template.ports
        numbers = list(old.values())
        names = [name, *list(old)[1:]]
        ports = dict(zip(names, numbers, strict=True))
        workload.template = type(workload.template)(workload.template.labels, ports)
        await self._world.roll(workload)

    def remove_namespace(self, name: str | None = None) -> None:
        self._world.delete_namespace(name or self._cluster.options.namespace)

    def add_namespace(self, name: str) -> None:
        self._world.add_namespace(name)

    def set_secret(self, values: dict[str, str], name: str = "litellm-secrets") -> None:
        self._world.add_secret(name, self._cluster.options.namespace, values)

    def set_gateway(self, **settings: Any) -> None:
        """Change the gateway's settings (fields of `litellm.GatewaySettings`)."""
        for name, value in settings.items():
            if not hasattr(self._world.gateway, name):
                raise ValueError(f"the gateway has no setting {name}")
            kept = tuple(value) if isinstance(value, list) else value
            setattr(self._world.gateway, name, kept)

    def add_key(self, key: str, alias: str, **fields: Any) -> None:
        """Add a virtual key to the gateway (fields of `litellm.VirtualKey`)."""
        from llmgwd.demo.litellm import VirtualKey

        if isinstance(fields.get("models"), list):
            fields["models"] = tuple(fields["models"])
        self._world.gateway.keys[key] = VirtualKey(alias, **fields)


class Faults(_PodFaults, _WireFaults, _ApiFaults, _ObjectFaults):
    """All fault calls of one cluster."""
