"""A login plugin whose runs are counted, and a clock that a test sets."""

from __future__ import annotations

import stat
import sys
import textwrap
from typing import TYPE_CHECKING, Any

import pytest

from llmgwd.errors import LlmgwError

if TYPE_CHECKING:
    from pathlib import Path

    from llmgwd.cluster.access import ClusterAccess

V1 = "client.authentication.k8s.io/v1"


class Script:
    """A plugin whose runs are counted in a file; it does what `body` (Python) says."""

    def __init__(self, folder: Path, body: str) -> None:
        self._runs = folder / "runs"
        self._runs.touch()
        path = folder / "login-plugin"
        prelude = f"""\
            #!{sys.executable}
            import json, os, sys, time
            from pathlib import Path
            folder = Path({str(folder)!r})
            with open(folder / "runs", "a") as file:
                file.write("x")
            def give(**status):
                kind = "ExecCredential"
                print(json.dumps({{"apiVersion": "{V1}", "kind": kind, "status": status}}))
            """
        path.write_text(textwrap.dedent(prelude) + textwrap.dedent(body))
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
        self.path = str(path)

    @property
    def runs(self) -> int:
        return len(self._runs.read_text())

    def user(self, **changes: Any) -> dict[str, Any]:
        return {"exec": {"apiVersion": V1, "command": self.path, **changes}}


async def problem_of(access: ClusterAccess) -> LlmgwError:
    with pytest.raises(LlmgwError) as caught:
        await access.version()
    return caught.value


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now
