"""What the API server answers when a node's kubelet, or the runtime behind it, is not there.

It gives the error of its own dial as a Status without a reason; a kubelet without its runtime
answers by itself, in plain text, and the API server passes that on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from llmgwsim.api import answers
from llmgwsim.world.objects import NODE_ADDRESS

if TYPE_CHECKING:
    from llmgwsim.api.behaviour import Behaviour
    from llmgwsim.world.pod import Pod

_KUBELET = f"{NODE_ADDRESS}:10250"
_REFUSED = f"dial tcp {_KUBELET}: connect: connection refused"
_NO_RUNTIME = (
    'rpc error: code = Unavailable desc = connection error: desc = "transport: Error while '
    'dialing: dial unix /run/containerd/containerd.sock: connect: connection refused"'
)


def require_node(behaviour: Behaviour, pod: Pod) -> None:
    """Refuse an upgrade that no node takes.

    Raises:
        Refusal: the kubelet or the runtime is stopped.
    """
    if behaviour.stopped == "kubelet":
        raise answers.no_backend(f"error dialing backend: {_REFUSED}")
    if behaviour.stopped == "runtime":
        where = f"{pod.name}_{pod.namespace}({pod.uid})"
        text = f"failed to find sandboxID for pod {where}: {_NO_RUNTIME}"
        raise answers.Refusal(500, text)


def require_logs(behaviour: Behaviour, pod: Pod) -> None:
    """Refuse to read a log where no kubelet has it.

    Raises:
        Refusal: the kubelet is stopped.
    """
    if behaviour.stopped == "kubelet":
        path = f"containerLogs/{pod.namespace}/{pod.name}/{pod.template.container}"
        raise answers.no_backend(f'Get "https://{_KUBELET}/{path}": {_REFUSED}')
