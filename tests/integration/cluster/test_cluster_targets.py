"""A target is followed through changes, short watches, old versions and stingy roles."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import web
from following import answering, failure_of, following, is_watch, sending, watched

from llmgwctl.wire import ConditionKind
from llmgwd.cluster.api_errors import Forbidden, Unauthorized
from llmgwd.cluster.target import pod_watch, target_watch
from llmgwd.errors import Transient
from support.scripted_api import (
    PODS,
    SERVICE,
    event,
    listed,
    pod,
    service,
    serving,
)

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.anyio
NAMESPACE = "/api/v1/namespaces/litellm"
SERVICES = f"{NAMESPACE}/services"


async def test_pods_are_told_as_they_come_and_go(tmp_path: Path) -> None:
    async with serving() as api:
        api.answers |= {SERVICE: service(), PODS: listed(pod("a"))}
        api.watches.put_nowait(
            sending(
                event("ADDED", pod("b", is_ready=False)),
                event("MODIFIED", pod("b")),
                event("DELETED", pod("a")),
            )
        )
        async with following(tmp_path, api) as (views, _):
            await views.names("b")

        shown = [[(pod.name, pod.is_ready) for pod in view.pods] for view in views.told]
        assert shown == [
            [("a", True)],
            [("a", True), ("b", False)],
            [("a", True), ("b", True)],
            [("b", True)],
        ]


async def test_a_watch_goes_on_from_the_last_bookmark(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pod_watch, "_MIN_WATCH_S", 0.0)
    bookmark = {"kind": "Pod", "metadata": {"resourceVersion": "70"}}
    async with serving() as api:
        api.answers |= {SERVICE: service(), PODS: listed(pod("a"), version="7")}
        api.watches.put_nowait(sending(event("BOOKMARK", bookmark), stays=False))
        api.watches.put_nowait(sending(event("ADDED", pod("b", version="71")), stays=False))
        api.watches.put_nowait(sending(event("ADDED", pod("c", version="72"))))
        async with following(tmp_path, api) as (views, _):
            await views.names("a", "b", "c")

        assert watched(api) == ["7", "70", "71"]
        assert all(
            r.query["allowWatchBookmarks"].lower() == "true" and r.query["timeoutSeconds"]
            for r in api.requests
            if is_watch(r)
        )


@pytest.mark.parametrize("in_stream", [True, False])
async def test_a_version_that_is_too_old_is_listed_anew(tmp_path: Path, in_stream: bool) -> None:
    gone = event("ERROR", {"kind": "Status", "code": 410, "message": "too old"})
    async with serving() as api:
        pods = [listed(pod("a"), version="1"), listed(pod("b"), version="2")]

        async def list_pods(request: web.Request) -> web.Response:
            return web.json_response(pods.pop(0))

        api.answers |= {SERVICE: service(), PODS: list_pods}
        api.watches.put_nowait(sending(gone) if in_stream else answering(410))
        async with following(tmp_path, api) as (views, _):
            await views.names("b")


async def test_a_watch_that_dies_in_silence_is_opened_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pod_watch, "WATCH_S", 0)
    monkeypatch.setattr(pod_watch, "_WATCH_GRACE_S", 0.1)
    async with serving() as api:
        api.answers |= {SERVICE: service(), PODS: listed(pod("a"))}
        api.watches.put_nowait(sending())
        api.watches.put_nowait(sending(event("ADDED", pod("b"))))
        async with following(tmp_path, api) as (views, _):
            await views.names("a", "b")


async def test_without_the_verb_watch_pods_are_listed_again_and_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pod_watch, "_POLL_S", 0.01)
    async with serving() as api:
        api.answers |= {SERVICE: service(), PODS: listed(pod("a"))}
        for _ in range(1000):
            api.watches.put_nowait(answering(403))
        async with following(tmp_path, api) as (views, _):
            await views.names("a")
            api.answers[PODS] = listed(pod("b"))
            await views.names("b")


async def test_without_the_verb_list_one_pod_is_asked_for_by_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pod_watch, "_POLL_S", 0.01)
    async with serving() as api:
        api.answers |= {PODS: answering(403), f"{PODS}/litellm-0": pod("litellm-0")}
        async with following(tmp_path, api, "pod/litellm-0") as (views, _):
            await views.names("litellm-0")
            del api.answers[f"{PODS}/litellm-0"]
            await views.problem(ConditionKind.NO_PODS)
            api.answers[f"{PODS}/litellm-0"] = pod("litellm-0")
            await views.names("litellm-0")


async def test_without_the_verb_list_a_service_names_the_rule_to_add(tmp_path: Path) -> None:
    async with serving() as api:
        api.answers |= {SERVICE: service(), PODS: answering(403)}

        error = await failure_of(tmp_path, api)

        assert isinstance(error, Forbidden)
        assert 'resources: ["pods"], verbs: ["list"]' in error.remedy


async def test_a_login_that_ends_during_a_watch_is_told(tmp_path: Path) -> None:
    async with serving() as api:
        api.answers |= {SERVICE: service(), PODS: listed(pod("a"))}
        gone = event("ERROR", {"kind": "Status", "code": 401, "message": "Unauthorized"})
        api.watches.put_nowait(sending(gone))

        assert isinstance(await failure_of(tmp_path, api), Unauthorized)


async def test_a_server_that_goes_away_is_told(tmp_path: Path) -> None:
    async with serving() as api:
        api.answers |= {SERVICE: service(), PODS: answering(503)}

        assert isinstance(await failure_of(tmp_path, api), Transient)


async def test_a_selector_that_changes_leads_to_other_pods(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(target_watch, "_REREAD_S", 0.02)
    monkeypatch.setattr(target_watch, "_REREAD_PAUSE_S", 0.0)

    async def by_selector(request: web.Request) -> web.Response:
        name = request.query["labelSelector"].removeprefix("app=")
        return web.json_response(listed(pod(name)))

    async with serving() as api:
        api.answers |= {SERVICE: service(), PODS: by_selector}
        async with following(tmp_path, api) as (views, _):
            await views.names("litellm")
            api.answers[SERVICE] = service(selector={"app": "other"})
            await views.names("other")


async def test_pods_that_vanish_have_the_service_read_again_at_once(tmp_path: Path) -> None:
    vanish = asyncio.Event()

    async def losing(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await vanish.wait()
        await response.write(event("DELETED", pod("a")))
        await asyncio.Event().wait()
        return response

    async with serving() as api:
        api.answers |= {SERVICE: service(), PODS: listed(pod("a")), NAMESPACE: {"metadata": {}}}
        api.watches.put_nowait(losing)
        async with following(tmp_path, api) as (views, _):
            await views.names("a")
            del api.answers[SERVICE]
            api.answers[SERVICES] = {"metadata": {}, "items": []}
            vanish.set()
            await views.problem(ConditionKind.TARGET_MISSING)


async def test_a_port_the_service_no_longer_declares_is_told_and_heals(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(target_watch, "_MISSING_RETRY_S", 0.02)
    async with serving() as api:
        api.answers |= {SERVICE: service(port=80), PODS: listed(pod("a"))}
        async with following(tmp_path, api) as (views, _):
            view = await views.problem(ConditionKind.TARGET_PORT_MISSING)
            assert "declares 80" in str(view.problem)
            api.answers[SERVICE] = service()
            await views.names("a")


async def test_a_missing_service_is_told_with_the_nearest_and_heals(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(target_watch, "_MISSING_RETRY_S", 0.02)
    near: dict[str, Any] = listed(*({"metadata": {"name": n}} for n in ("db", "litellm-svc")))
    async with serving() as api:
        api.answers |= {
            NAMESPACE: {"metadata": {"name": "litellm"}},
            SERVICES: near,
            PODS: listed(pod("a")),
        }
        async with following(tmp_path, api) as (views, _):
            view = await views.problem(ConditionKind.TARGET_MISSING)
            assert view.problem is not None
            assert "no service/litellm in namespace litellm" in view.problem.message
            assert view.problem.remedy == "There is litellm-svc, db."
            api.answers[SERVICE] = service()
            await views.names("a")


@pytest.mark.parametrize("target", ["service/litellm", "app=litellm", "pod/litellm-0"])
async def test_a_missing_namespace_is_told_with_the_nearest(tmp_path: Path, target: str) -> None:
    near: dict[str, Any] = listed(*({"metadata": {"name": n}} for n in ("kube-system", "llm")))
    async with serving() as api:
        api.answers |= {"/api/v1/namespaces": near, PODS: listed()}
        async with following(tmp_path, api, target) as (views, _):
            view = await views.problem(ConditionKind.NAMESPACE_MISSING)

            assert view.problem is not None
            assert "no namespace litellm in cluster test (context test)" in view.problem.message
            assert view.problem.remedy.startswith("There is ")


async def test_where_the_namespace_may_not_be_looked_at_the_service_is_what_is_missing(
    tmp_path: Path,
) -> None:
    async with serving() as api:
        api.answers |= {
            NAMESPACE: answering(403),
            SERVICES: answering(403),
        }
        async with following(tmp_path, api) as (views, _):
            view = await views.problem(ConditionKind.TARGET_MISSING)

            assert view.problem is not None
            assert view.problem.remedy.endswith(" --context test -n litellm get services")


async def test_a_deployments_pods_are_found_by_its_selector(tmp_path: Path) -> None:
    selector = {"matchExpressions": [{"key": "app", "operator": "In", "values": ["x"]}]}
    async with serving() as api:
        api.answers |= {
            "/apis/apps/v1/namespaces/litellm/deployments/litellm": {
                "metadata": {"name": "litellm"},
                "spec": {"selector": selector},
            },
            PODS: listed(pod("a")),
        }
        async with following(tmp_path, api, "deployment/litellm", "http") as (views, _):
            view = await views.names("a")

        assert view.endpoints[0].port == 4000
        selectors = {r.query["labelSelector"] for r in api.requests if r.path == PODS}
        assert selectors == {"app in (x)"}


async def test_a_refresh_lists_again_at_once_and_tells_only_what_changed(tmp_path: Path) -> None:
    async with serving() as api:
        api.answers |= {SERVICE: service(), PODS: listed(pod("a"))}
        async with following(tmp_path, api) as (views, watch):
            await views.names("a")
            watch.refresh()
            api.answers[PODS] = listed(pod("a"), pod("b"))
            watch.refresh()
            await views.names("a", "b")

        assert len(views.told) == 2
