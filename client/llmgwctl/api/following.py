"""Following a stream of lines across restarts of the daemon, until Ctrl-C."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, TypeVar

from llmgwctl.errors import Refused, Unreachable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

T = TypeVar("T")

# How soon a daemon that went away is looked for again: a restart is over within about a second.
_RETRY_S = 0.5


def follow(watch: Callable[[], Iterator[T]]) -> Iterator[T]:
    """Yield the items of one watch after another, without an end.

    The caller leaves out what a new watch repeats.

    Raises:
        Unreachable, Refused: the first watch could not be opened.
    """
    was_opened = False
    while True:
        try:
            for item in watch():
                was_opened = True
                yield item
            was_opened = True
            _note("llmgwd ended the connection; waiting for it")
        except TimeoutError:
            _note("llmgwd shows no sign of life; asking again")
        except (Unreachable, Refused):
            # Refused too: a daemon that has just started does not reach the cluster yet.
            if not was_opened:
                raise
        time.sleep(_RETRY_S)


def _note(text: str) -> None:
    print(f"llmgwctl: {text}", file=sys.stderr)
