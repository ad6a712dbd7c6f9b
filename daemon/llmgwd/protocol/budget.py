"""What one peer may make us do beside carrying bytes, as a bucket of units that refills with time.

A frame that carries no payload costs the peer eight bytes and us a dictionary look-up, a reply or
an inflated header block. Counting frames alone was not enough: 1 KB of them inflated to 131,071
empty headers and took 42 s of processor time, so what a frame makes of itself is charged too.

A real peer stays far below. What it owes us (two replies and two ends for each stream that we open,
a pong for each ping) is granted when we ask for it, so the bucket only pays for what the peer
starts by itself; a Kubernetes server starts nothing but a rare ping or GOAWAY.
"""

from __future__ import annotations

from typing import Final

from llmgwd.errors import ProtocolError

BURST_UNITS: Final = 2000
UNITS_A_SECOND: Final = 200.0
# A frame is one unit, and another for each piece of this size in its body or what that inflates to.
BYTES_A_UNIT: Final = 64
# Frames acted on in one turn of the loop, some 20 ms of processor time; the rest waits.
FRAMES_A_TURN: Final = 8192


class Budget:
    """One connection's. `refill` takes the time, so that the codecs need no clock."""

    def __init__(self, now: float) -> None:
        self._units = float(BURST_UNITS)
        self._refilled_at = now

    def refill(self, now: float) -> None:
        gained = (now - self._refilled_at) * UNITS_A_SECOND
        self._refilled_at = now
        # What was granted on top of the burst is not taken away again.
        self._units = max(self._units, min(self._units + gained, BURST_UNITS))

    def grant(self, units: int) -> None:
        """We asked for something: its answer is paid for."""
        self._units += units

    def spend(self, size: int) -> None:
        """Charge for one frame without payload whose body has this many bytes.

        Raises:
            ProtocolError: the peer has used up its budget.
        """
        self._units -= 1 + size // BYTES_A_UNIT
        if self._units < 0:
            raise ProtocolError("more control frames and empty frames than anyone can need")
