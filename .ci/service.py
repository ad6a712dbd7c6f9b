"""Installs the service, has it killed and removes it: under launchd, or a user's systemd.

The service manager hands the port over, so that no request is refused while the daemon is away.
The gateway is the simulated cluster's. What a person has configured is left alone: the script ends
where there is a configuration already.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from llmgwsim.remote import cluster_process

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from support.ports import free_port

BIN = Path(sys.executable).parent
PATIENCE_S = 60.0


def main() -> None:
    config = Path(llmgwctl("config", "path").strip())
    if config.exists():
        sys.exit(f"{config} is there already: this script writes its own")
    with cluster_process() as cluster:
        port = free_port()
        config.parent.mkdir(parents=True, exist_ok=True)
        config.write_text(
            f'[[forward]]\nname = "litellm"\nlisten = "localhost:{port}"\n'
            f'kubeconfig = "{cluster.kubeconfig}"\n'
        )
        try:
            print(llmgwctl("service", "install"))
            survive(port)
        finally:
            print(llmgwctl("service", "uninstall"))
            config.unlink()


def survive(port: int) -> None:
    """Kill the daemon and ask at once: the answer must come, and from another process."""
    llmgwctl("wait", "--timeout", "60s")
    before = status()["pid"]
    assert answer(port) == 200

    os.kill(before, signal.SIGKILL)
    asked_at = time.monotonic()
    assert answer(port) == 200
    print(f"kill -9: the next request was answered after {time.monotonic() - asked_at:.1f} s")
    llmgwctl("wait", "--timeout", "60s")
    after = status()
    assert after["pid"] != before
    print(llmgwctl("status"))


def llmgwctl(*words: str) -> str:
    done = subprocess.run([BIN / "llmgwctl", *words], stdout=subprocess.PIPE, text=True, check=True)
    return done.stdout


def status() -> Any:
    return json.loads(llmgwctl("status", "--json"))


def answer(port: int) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_S)
    with contextlib.closing(connection):
        connection.request("GET", "/health/liveliness")
        return connection.getresponse().status


if __name__ == "__main__":
    main()
