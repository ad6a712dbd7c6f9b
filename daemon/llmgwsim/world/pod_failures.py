"""Why a pod never starts, or ends for good: its object and the events about it, as kubelets and
schedulers write them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from llmgwsim.world.pod import Pod
    from llmgwsim.world.world import World

UNSCHEDULABLE = "Unschedulable"
NO_NODE = "0/1 nodes are available: 1 Insufficient memory."


def stick(world: World, pod: Pod, reason: str) -> None:
    """It never starts: no node takes it, or its container waits for this reason."""
    pod.stick(reason)
    if reason == UNSCHEDULABLE:
        world.add_event(pod, "FailedScheduling", NO_NODE)
    else:
        world.add_event(pod, "Failed", f'Failed to pull image "{pod.template.image}": not found')


def evict(world: World, pod: Pod) -> None:
    """A kubelet short of memory fails it; its workload makes another."""
    message = "The node was low on resource: memory."
    world.add_event(pod, "Evicted", message)
    pod.fail("Evicted", message)
    world.fill(world.owner_of(pod))
