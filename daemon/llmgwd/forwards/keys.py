"""The gateway's key for each forward: asked from its source, through that forward's own cluster."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final, NoReturn

import anyio

from llmgwctl.wire import ConditionKind
from llmgwd.cluster.api_errors import Forbidden
from llmgwd.cluster.target.object_watch import ObjectWatch
from llmgwd.config.key_source import Secret
from llmgwd.errors import Blocked, LlmgwError, Transient
from llmgwd.gateway.answer import NotHttp
from llmgwd.gateway.key import KEEP_S, Key, KeyRing, secrets_by
from llmgwd.gateway.key_question import ask_about
from llmgwd.relay.byte_stream import connect_through
from llmgwd.routes.kubernetes import KubernetesRoute
from llmgwd.telemetry import redaction

if TYPE_CHECKING:
    from anyio.abc import TaskGroup

    from llmgwctl.rules.litellm_answers import Judgement, KeyVerdict
    from llmgwd.cluster.access import ClusterAccess
    from llmgwd.config.key_source import KeySource
    from llmgwd.forwards.forward import Forward

# A watch that died unseen ends within this; till then a rejection shows that the key is another.
WATCH_S: Final = 300
# A healthy gateway answers within milliseconds, and a shell waits for this.
ASK_S: Final = 3.0


class Keys:
    """One ring a forward, made when first asked for and again when its route or source changes.

    While `run` runs, a Secret that a key was read from is watched, where the role allows that.
    """

    def __init__(self) -> None:
        self._rings: dict[str, tuple[object, KeyRing]] = {}
        self._watches: dict[str, _SecretWatch] = {}
        self._tasks: TaskGroup | None = None

    async def run(self) -> NoReturn:
        async with anyio.create_task_group() as self._tasks:
            await anyio.sleep_forever()
        raise AssertionError("unreachable")

    def forget(self, name: str) -> None:
        """This forward is no more."""
        self._rings.pop(name, None)
        watch = self._watches.pop(name, None)
        if watch is not None:
            watch.scope.cancel()

    async def key(self, forward: Forward, *, afresh: bool = False) -> Key:
        """Give the key of the gateway behind a forward; `afresh`: ask its source, not the memory.

        Raises:
            Blocked: there is none, or it may not be read.
            Transient: the cluster is away.
        """
        ring = self._ring(forward)
        if afresh:
            ring.forget()
        return await self._read(forward, ring)

    async def usable_key(self, forward: Forward) -> Key:
        """Give the key for a program: never one that the gateway is known to reject.

        One that it rejected was read again from its source by now. Where that still gives it, the
        gateway is asked: in the middle of a rotation one pod rejects what the next one accepts.

        Raises:
            Blocked: as `key`, or the gateway rejects it.
            Transient: as `key`.
        """
        ring = self._ring(forward)
        key = await self._read(forward, ring)
        if not ring.is_rejected(key):
            return key
        judgement = await _asked(forward, key)
        if judgement is not None:
            ring.judged(key, judgement.verdict)
        if not ring.is_rejected(key):
            return key
        said = f": {judgement.sentence}" if judgement is not None else ""
        raise Blocked(
            ConditionKind.KEY_REJECTED,
            f"The gateway rejects the key from {key.source}{said}.",
            judgement.remedy if judgement is not None else "llmgwctl key --check",
        )

    async def _read(self, forward: Forward, ring: KeyRing) -> Key:
        key = await ring.key()
        secret, route = forward.config.key, _cluster_route(forward)
        if self._tasks is None or not isinstance(secret, Secret) or route is None:
            return key
        watch = self._watches.get(forward.name)
        if route.access is None or (watch is not None and watch.is_of(route.access, secret)):
            return key
        if watch is not None:
            watch.scope.cancel()
        watch = _SecretWatch(route.access, route.config.namespace, secret)
        self._watches[forward.name] = watch
        self._tasks.start_soon(self._watch, forward, ring, watch)
        return key

    async def _watch(self, forward: Forward, ring: KeyRing, watch: _SecretWatch) -> None:
        """Watch until that breaks: the next use of the key reads and watches it anew."""

        def changed() -> None:
            ring.expire()
            if forward.relay.injector is not None:
                forward.relay.injector.source_changed()

        with watch.scope:
            await watch.run(changed)
        if self._watches.get(forward.name) is watch:
            del self._watches[forward.name]
        ring.expire()

    def rejected(self, forward: Forward, values: set[str]) -> None:
        """The gateway rejected a request that held these as keys."""
        if forward.config.key is not None:
            self._ring(forward).rejected(values)

    def judged(self, forward: Forward, key: Key, verdict: KeyVerdict) -> None:
        if forward.config.key is not None:
            self._ring(forward).judged(key, verdict)

    def _ring(self, forward: Forward) -> KeyRing:
        source = forward.config.key
        if source is None:
            raise _none_configured(forward.name)
        made_of = (source, forward.config.routes)
        known = self._rings.get(forward.name)
        if known is None or known[0] != made_of:
            known = made_of, _ring(forward, source)
            self._rings[forward.name] = known
        return known[1]


class _SecretWatch:
    """The watch of one Secret, by one access to its cluster."""

    def __init__(self, access: ClusterAccess, namespace: str, secret: Secret) -> None:
        self.scope = anyio.CancelScope()
        self._access = access
        self._namespace = namespace
        self._secret = secret

    def is_of(self, access: ClusterAccess, secret: Secret) -> bool:
        return access is self._access and secret == self._secret

    async def run(self, changed: Callable[[], None]) -> None:
        listed, name = self._access.core.list_namespaced_secret, self._secret.name
        watch = ObjectWatch(self._access, listed, self._namespace, name, changed, WATCH_S)
        try:
            await watch.follow()
        except Forbidden:
            # Nothing reports that it was granted, and it is not asked for at each read of the key.
            await anyio.sleep(KEEP_S)
        except LlmgwError:
            return


def _none_configured(name: str) -> Blocked:
    return Blocked(
        ConditionKind.KEY_MISSING,
        f"No key is configured for the forward {name}: the one of [gateway] is another gateway's.",
        "Give it one (key = { … } in its [[forward]]), or name it under"
        f' [gateway] forwards = ["{name}"].',
    )


def _ring(forward: Forward, source: KeySource) -> KeyRing:
    async def get(name: str) -> Mapping[str, Any]:
        return await _secret(forward, name)

    route = _cluster_route(forward)
    namespace = route.config.namespace if route else "litellm"
    release = (route and route.config.target.release) or "litellm"
    return KeyRing(
        source,
        secrets_by(get),
        redaction.register,
        namespace=namespace,
        release=release,
    )


async def _asked(forward: Forward, key: Key) -> Judgement | None:
    """Ask the gateway about a key; None where no route leads there, or it gives no answer."""
    route = forward.routes.usable
    if route is None:
        return None
    try:
        with anyio.fail_after(ASK_S):
            return (await ask_about(lambda: connect_through(route), key.value))[0]
    except (LlmgwError, TimeoutError, NotHttp, OSError, EOFError):
        return None


async def _secret(forward: Forward, name: str) -> Mapping[str, Any]:
    route = _cluster_route(forward)
    if route is None or route.access is None:
        raise Transient(
            ConditionKind.API_SERVER_UNREACHABLE,
            f"The forward {forward.name} has no cluster to read a Secret from.",
            "Take the key from elsewhere: [gateway] key = { file = … } or { command = […] }.",
        )
    return await route.access.secret(name, route.config.namespace)


def _cluster_route(forward: Forward) -> KubernetesRoute | None:
    routes = (route for route in forward.routes if isinstance(route, KubernetesRoute))
    return next(routes, None)
