"""The end of a forward's client connections, when the daemon is about to end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import anyio

if TYPE_CHECKING:
    from collections.abc import Callable

    from llmgwd.relay.admission import AdmissionQueue
    from llmgwd.relay.connections import Connections, Keep

# How long a kept connection may still ask.
LAST_REQUEST_S: Final = 0.7
LOOK_S: Final = 0.02


async def drain(
    admission: AdmissionQueue,
    connections: Connections,
    *,
    has_route: Callable[[], bool],
    keep: Keep | None = None,
) -> None:
    """Return when nothing is carried and no connection is left idle; the caller bounds the time.

    Kept connections come last. With `keep` the next daemon gets them. Else a request that is
    leaving on one just now would be lost if it were closed, so each is served once more, if its
    client asks within a moment, and told to close; only those that stay silent are closed.
    """
    if keep is None:
        connections.is_draining = True
    else:
        await _hand_on_in_time(admission, connections, keep)
    admission.is_draining = True
    if not has_route():
        admission.give_up_held()

    silent_at = anyio.current_time() + LAST_REQUEST_S

    def is_over() -> bool:
        is_carrying = (
            admission.streams > 0 or connections.has_unwritten or connections.has_unread_requests
        )
        connections.hand_on_idle()  # answers that their clients have read by now
        may_ask = connections.idle_count > 0 and anyio.current_time() < silent_at
        return not (is_carrying or may_ask)

    await _until(is_over)
    connections.close_idle()
    await _until(is_over)


async def _hand_on_in_time(admission: AdmissionQueue, connections: Connections, keep: Keep) -> None:
    """Serve kept connections as long as what is carried now takes, which may be long."""
    carried = admission.carried
    try:
        await _until(lambda: carried.isdisjoint(admission.carried))
    finally:
        connections.hand_on(keep)


async def _until(is_over: Callable[[], bool]) -> None:
    while not is_over():  # noqa: ASYNC110 - the byte path reports no single end
        await anyio.sleep(LOOK_S)
