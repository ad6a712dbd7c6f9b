"""What the configuration says that a service must know before it runs; asked of llmgwd itself.

The client does not read the configuration: the daemon that will is asked, so that the two can
never disagree.
"""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from llmgwctl.errors import ClientError, UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

_TIMEOUT_S: Final = 30.0


class Configured(NamedTuple):
    """`listen` as a status has it; `key_variable`: the key is to come from this variable."""

    path: str
    listen: tuple[str, ...]
    key_variable: str | None


def ask(llmgwd: str, environ: Mapping[str, str]) -> Configured:
    """Have llmgwd read its configuration.

    Raises:
        UsageError: the configuration holds a mistake, in the daemon's words.
        ClientError: llmgwd cannot be run.
    """
    command = [llmgwd, "check", "--json"]
    try:
        answer = subprocess.run(  # noqa: S603 - the daemon of this installation
            command,
            capture_output=True,
            text=True,
            timeout=_TIMEOUT_S,
            check=False,
            env=dict(environ),
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ClientError("llmgwd-broken", f"{llmgwd} cannot be run: {error}") from error
    if answer.returncode != 0:
        raise UsageError(answer.stderr.strip().removeprefix("llmgwd: ") or "llmgwd gave no reason")
    return read(json.loads(answer.stdout))


def read(found: Any) -> Configured:
    addresses = [address for forward in found["forwards"] for address in forward["listen"]]
    return Configured(found["path"], tuple(dict.fromkeys(addresses)), found.get("key_env"))
