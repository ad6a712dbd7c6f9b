"""What a row of the table acts on: the cluster, its kubeconfig, and the daemon."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from llmgwsim.kubeconfig import Credentials, Exec, kubeconfig, write_kubeconfig

if TYPE_CHECKING:
    from pathlib import Path

    from llmgwsim.remote import FaultClient, RemoteCluster
    from support.running_daemon import RunningDaemon


@dataclass(frozen=True, slots=True)
class Scene:
    folder: Path
    cluster: RemoteCluster
    daemon: RunningDaemon

    @property
    def faults(self) -> FaultClient:
        return self.cluster.faults

    def write_kubeconfig(
        self, server: str = "", credentials: Credentials | None = None, **fields: Any
    ) -> None:
        """Change the kubeconfig that the daemon reads; without arguments back to what it was."""
        chosen = credentials or Credentials(token=self.cluster.token)
        where = server or self.cluster.url
        document = kubeconfig(where, self.cluster.authority, chosen, **fields)
        write_kubeconfig(self.cluster.kubeconfig, document)

    def log_in_by(self, script: str, *, cut: bool = True) -> None:
        """Have a program of sh log in from now on; without a script there is none. It writes into
        a folder each time, as programs do, and unless told otherwise every tunnel breaks.
        """
        program, ran = self.folder / "corp-login", self.folder / "corp-login-ran"
        if script:
            program.write_text(f"#!/bin/sh\ntouch {ran}\n{script}\n")
            program.chmod(0o755)
        self.write_kubeconfig(credentials=Credentials(exec=Exec(str(program))))
        # Until it is read, the login of before goes on.
        self.daemon.wait_until(
            lambda: ran.exists() or self.daemon.conditions(), "has read the kubeconfig"
        )
        if cut:
            self.faults.cut()

    def inject_key(self) -> None:
        """Have the key of a Secret put into requests from now on."""
        secret = 'key = { secret = "litellm-secrets/LITELLM_MASTER_KEY" }'
        self.daemon.write_config(f"{self.daemon.config_path.read_text()}{secret}\ninject = true\n")

    def write_config(self, addition: str = "") -> None:
        """Add to the daemon's configuration; without an addition back to what it was."""
        before = self.daemon.config_path.read_text().partition("# added\n")[0]
        self.daemon.write_config(f"{before}# added\n{addition}" if addition else before)
