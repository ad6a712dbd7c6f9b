"""kubernetes-asyncio, unmodified and whole, works against the simulated cluster."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, TypeVar

import pytest
from kubernetes_asyncio import client, config, watch

if TYPE_CHECKING:
    from llmgwsim.remote import RemoteCluster

T = TypeVar("T")
NAMESPACE = "litellm"


@asynccontextmanager
async def api_of(cluster: RemoteCluster) -> AsyncIterator[Any]:
    configuration = client.Configuration()
    await config.load_kube_config(str(cluster.kubeconfig), client_configuration=configuration)
    async with client.ApiClient(configuration) as api:
        yield api


def asked(cluster: RemoteCluster, ask: Callable[[Any], Awaitable[T]]) -> T:
    """What a program gets that does this with the library's own client."""

    async def main() -> T:
        async with asyncio.timeout(20), api_of(cluster) as api:
            return await ask(api)

    return asyncio.run(main())


def names_of(cluster: RemoteCluster) -> list[str]:
    return sorted(pod["name"] for pod in cluster.faults.pods())


def test_pods_are_read_as_typed_models(simulated_cluster: RemoteCluster) -> None:
    async def ask(api: Any) -> Any:
        return (await client.CoreV1Api(api).list_namespaced_pod(NAMESPACE)).items

    pods = asked(simulated_cluster, ask)

    assert sorted(pod.metadata.name for pod in pods) == names_of(simulated_cluster)
    assert {pod.status.phase for pod in pods} == {"Running"}
    assert all(pod.metadata.creation_timestamp.tzinfo is not None for pod in pods)


def test_services_deployments_and_secrets_are_read_by_name(
    simulated_cluster: RemoteCluster,
) -> None:
    async def ask(api: Any) -> Any:
        core, apps = client.CoreV1Api(api), client.AppsV1Api(api)
        return (
            await core.read_namespaced_service("litellm", NAMESPACE),
            await apps.read_namespaced_deployment("litellm", NAMESPACE),
            await core.read_namespaced_secret("litellm-secrets", NAMESPACE),
        )

    service, deployment, secret = asked(simulated_cluster, ask)

    assert 4000 in [port.port for port in service.spec.ports]
    assert deployment.status.ready_replicas == 2
    assert "LITELLM_MASTER_KEY" in secret.data


def test_a_watch_is_open_and_sends_each_change_at_once(simulated_cluster: RemoteCluster) -> None:
    lost = names_of(simulated_cluster)[0]

    async def ask(api: Any) -> list[tuple[str, str]]:
        core, seen = client.CoreV1Api(api), []
        version = (await core.list_namespaced_pod(NAMESPACE)).metadata.resource_version
        async with watch.Watch() as watcher:
            events = watcher.stream(
                core.list_namespaced_pod, NAMESPACE, resource_version=version, timeout_seconds=15
            )
            await asyncio.to_thread(simulated_cluster.faults.delete_pod, pod=lost)
            async for event in events:
                seen.append((event["type"], event["object"].metadata.name))
                if event["type"] == "DELETED":
                    break
        return seen

    seen = asked(simulated_cluster, ask)

    assert seen[-1] == ("DELETED", lost)
    # What was listed before is not sent again: the watch goes on from the version.
    assert ("ADDED", lost) not in seen
    assert simulated_cluster.faults.counts()["requests"]["watch pods"] >= 1


@pytest.mark.parametrize(("switch", "is_on"), [("True", True), ("0", False), ("false", False)])
def test_a_switch_is_on_whatever_it_says_but_no(
    simulated_cluster: RemoteCluster, switch: str, is_on: bool
) -> None:
    async def ask(api: Any) -> bytes:
        answer = await client.CoreV1Api(api).list_namespaced_pod(
            NAMESPACE, watch=switch, timeout_seconds=1, _preload_content=False
        )
        async with answer:
            return bytes(await answer.read())

    body = asked(simulated_cluster, ask)

    assert body.startswith(b'{"type"') == is_on
    assert (b"PodList" in body) != is_on


def test_a_log_is_read_and_followed(simulated_cluster: RemoteCluster) -> None:
    name = names_of(simulated_cluster)[0]
    simulated_cluster.faults.log_line(text="one line for the peer", pod=name)

    async def ask(api: Any) -> tuple[str, bytes]:
        core = client.CoreV1Api(api)
        text = await core.read_namespaced_pod_log(name, NAMESPACE, tail_lines=1)
        followed = await core.read_namespaced_pod_log(
            name, NAMESPACE, follow=True, tail_lines=1, _preload_content=False
        )
        async with followed:
            return text, await followed.content.readline()

    text, line = asked(simulated_cluster, ask)

    assert text == "one line for the peer\n"
    assert line == b"one line for the peer\n"


def test_what_a_login_may_do_is_asked_and_a_refusal_has_its_status(
    simulated_cluster: RemoteCluster,
) -> None:
    simulated_cluster.faults.deny(verb="get", resource="secrets")

    async def ask(api: Any) -> tuple[bool, bool, int]:
        def review(resource: str) -> Any:
            attributes = client.V1ResourceAttributes(
                verb="get", resource=resource, namespace=NAMESPACE
            )
            spec = client.V1SelfSubjectAccessReviewSpec(resource_attributes=attributes)
            return client.V1SelfSubjectAccessReview(spec=spec)

        create = client.AuthorizationV1Api(api).create_self_subject_access_review
        pods, secrets = [(await create(review(each))).status for each in ("pods", "secrets")]
        with pytest.raises(client.ApiException) as refused:
            await client.CoreV1Api(api).read_namespaced_secret("litellm-secrets", NAMESPACE)
        return pods.allowed, secrets.allowed, refused.value.status

    assert asked(simulated_cluster, ask) == (True, False, 403)


def test_the_version_is_the_servers(simulated_cluster: RemoteCluster) -> None:
    async def ask(api: Any) -> str:
        return str((await client.VersionApi(api).get_code()).git_version)

    assert asked(simulated_cluster, ask) == "v1.36.2"
