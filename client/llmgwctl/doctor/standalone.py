"""The doctor where no daemon runs: the program `llmgwd doctor` next to this one performs it."""

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
    """Yield its checks as they come.

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
            # Whoever reads stopped: nobody is left to tell.
            process.terminate()
            raise
    # Its exit status is of its worst line; others mean that it came to no end.
    if process.returncode not in (0, 1, 4):
        raise ClientError(
            "doctor-broke",
            f"{command[0]} doctor ended with status {process.returncode}",
            f"run it by itself: {command[0]} doctor",
        )
