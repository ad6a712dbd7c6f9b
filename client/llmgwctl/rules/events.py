"""Which events are warnings: the client's display and the daemon's log agree on it."""

from __future__ import annotations

from llmgwctl.wire import EventKind

# What someone may want to look into. A change of state is shown in the colour of the state.
WARNINGS = (
    EventKind.CONFIG_REJECTED,
    EventKind.CONDITION_RAISED,
    EventKind.ROUTE_LOST,
    EventKind.CONNECTION_CUT,
    EventKind.HOLD_EXPIRED,
)
