"""The doctor where no daemon runs: `llmgwd doctor`, installed beside this program, checks."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING

from llmgwctl.errors import ClientError
from llmgwctl.service import installation

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from llmgwctl.wire import CheckStatus


def examine(
    config: str | None, forward: str | None, models: Sequence[str], *, is_paid: bool
) -> Iterator[CheckStatus]:
    """Yield its checks as they are done.

    Raises:
        ClientError: there is no llmgwd here, or it broke.
    """
    command = [installation.find().llmgwd, "doctor", "--json", "--models", ",".join(models)]
    command += ["--config", config] if config else []
    command += ["--forward", forward] if forward else []
    command += ["--paid"] if is_paid else []
    with subprocess.Popen(  # noqa: S603 - our own program
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, encoding="utf-8"
    ) as process:
        assert process.stdout is not None
        try:
            for text in process.stdout:
                yield json.loads(text)
        except BaseException:
            # The caller stopped reading: no one needs the other checks.
            process.terminate()
            raise
    # These are the exit statuses of a report; any other means that it failed before its end.
    if process.returncode not in (0, 1, 4):
        raise ClientError(
            "doctor-broke",
            f"{command[0]} doctor ended with status {process.returncode}",
            f"run it by itself: {command[0]} doctor",
        )
