"""kubectl and we come from a service's port to the same port of its pods."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import anyio
import pytest

from llmgwd.cluster.access import open_access
from llmgwd.cluster.target.target_watch import TargetWatch
from llmgwd.config.target import Target
from peers.conformance.services import DIFFERENCES, NAMESPACE, SERVICES
from peers.conformance.test_matrix import written
from peers.conformance.world import document
from peers.kubectl import Kubectl

if TYPE_CHECKING:
    from pathlib import Path

    from llmgwd.cluster.target.pods import TargetView
    from peers.conformance.world import World

_FORWARDED = re.compile(r"Forwarding from 127\.0\.0\.1:\d+ -> (\d+)")


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_leads_where_it_leads_kubectl(
    name: str, world: World, kubectl_program: Path, home: Path, tmp_path: Path
) -> None:
    path = written(tmp_path, document(world.door(), {"token": world.token}))

    theirs, said = _by_kubectl(Kubectl(kubectl_program, path, home), name)
    view = anyio.run(_by_llmgw, str(path), name)

    ours = {endpoint.port for endpoint in view.endpoints}
    is_same = theirs in ours if theirs else not ours
    assert is_same != (name in DIFFERENCES), f"{said}\n{view}"
    assert len(ours) <= 1 or name == "pods-that-differ"
    assert ours or (view.problem and view.problem.message)


def _by_kubectl(kubectl: Kubectl, name: str) -> tuple[int | None, str]:
    """The pod's port that kubectl forwards to, or None and why not."""
    service = SERVICES[name]
    target = service.target.format(name=name)
    arguments = ("port-forward", "-n", NAMESPACE, target, f":{service.asked}")
    with kubectl.started(*arguments, "--pod-running-timeout=1s") as process:
        assert process.stdout is not None
        said = ""
        for line in process.stdout:
            said += line
            if found := _FORWARDED.search(line):
                return int(found[1]), said
    return None, said


async def _by_llmgw(kubeconfig: str, name: str) -> TargetView:
    access = await open_access(kubeconfig, None)
    target = Target.parse(SERVICES[name].target.format(name=name))
    watch = TargetWatch(access, NAMESPACE, target, SERVICES[name].asked)
    seen: list[TargetView] = []

    def take(view: TargetView) -> None:
        seen.append(view)
        group.cancel_scope.cancel()

    try:
        with anyio.fail_after(10):
            async with anyio.create_task_group() as group:
                group.start_soon(watch.run, take)
    finally:
        await access.close()
    return seen[0]
