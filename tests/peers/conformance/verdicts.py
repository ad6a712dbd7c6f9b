"""What kubectl and what we make of a kubeconfig: reached or refused, as whom, and the sentence."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import anyio

from llmgwd.cluster.access import open_access
from llmgwd.errors import LlmgwError

if TYPE_CHECKING:
    from llmgwsim.api.auth.callers import Caller
    from peers.conformance.world import World

_WITHIN_S = 20


@dataclass(frozen=True)
class Verdict:
    """`seen`: whom the server knew, or None; `said`: the refusal's sentence, or nothing."""

    is_reached: bool
    seen: Caller | None
    said: str

    def agrees_with(self, other: Verdict) -> bool:
        """The same end, and where pods were listed, the same identity."""
        if self.is_reached != other.is_reached:
            return False
        return not self.is_reached or self.seen == other.seen


def by_kubectl(program: Path, kubeconfig: Path | str, home: Path, world: World) -> Verdict:
    environment = {
        "PATH": os.environ.get("PATH", ""),
        "HOME": str(home),
        "KUBECONFIG": str(kubeconfig),
    }
    world.take_seen()
    ended = subprocess.run(
        [str(program), "get", "pods", "-n", "litellm", "-o", "name"],
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=_WITHIN_S,
        check=False,
    )
    is_reached = ended.returncode == 0 and "pod/" in ended.stdout
    return Verdict(is_reached, world.take_seen(), ended.stderr.strip())


def by_llmgw(kubeconfig: Path | str, world: World) -> Verdict:
    world.take_seen()
    said = anyio.run(_list_pods, str(kubeconfig))
    return Verdict(not said, world.take_seen(), said)


async def _list_pods(kubeconfig: str) -> str:
    """List the pods as the daemon does; the refusal's sentence, or nothing.

    Any other exception than ours ends the test: it would be a mistake in the daemon.
    """
    try:
        with anyio.fail_after(_WITHIN_S):
            access = await open_access(kubeconfig, None)
            try:
                listed = await access.call(access.core.list_namespaced_pod, "litellm")
            finally:
                await access.close()
    except LlmgwError as error:
        return f"{error.code}: {error.message}; {error.remedy}"
    assert listed["items"]
    return ""
