"""The commands of kubectl that a person is given: each for the cluster that it is about. Pure."""

from __future__ import annotations

import os
from dataclasses import dataclass

from llmgwd.errors import command

_DEFAULT_FILE = "~/.kube/config"


@dataclass(frozen=True, slots=True)
class Kubectl:
    """Which cluster it is to act on, whatever the current context of the shell it is pasted into.

    `files` are the kubeconfig's; without any, or with the default one, kubectl finds it by itself.
    """

    context: str = ""
    files: tuple[str, ...] = ()

    def command(self, *words: str, namespace: str = "") -> str:
        """Write a command that can be pasted as it stands."""
        where = ["--context", self.context] if self.context else []
        where += ["-n", namespace] if namespace else []
        if self.files in ((), (os.path.expanduser(_DEFAULT_FILE),)):
            return command("kubectl", *where, *words)
        if len(self.files) == 1:
            return command("kubectl", "--kubeconfig", self.files[0], *where, *words)
        # No flag takes several files.
        variable = f"KUBECONFIG={os.pathsep.join(self.files)}"
        return command("env", variable, "kubectl", *where, *words)
