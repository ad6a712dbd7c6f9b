"""What the client connections of one forward share."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from llmgwd.config.model import ProbeKind, Protocol
from llmgwd.relay.connections import Connections
from llmgwd.relay.counters import ForwardCounters
from llmgwd.relay.kept_request import ResendBudget

if TYPE_CHECKING:
    from collections.abc import Callable

    from llmgwd.config.model import ForwardConfig
    from llmgwd.gateway.unavailable import Trouble
    from llmgwd.relay.records import RequestRecords
    from llmgwd.relay.route import Admission


@dataclass(slots=True)
class RelayContext:
    """`trouble` words why nothing can carry a request now; `expects_http`: the forward's probe
    speaks HTTP, so that a silent client is one that has not asked yet.
    """

    admission: Admission
    trouble: Callable[[], Trouble]
    records: RequestRecords
    counters: ForwardCounters = field(default_factory=ForwardCounters)
    connections: Connections = field(default_factory=Connections)
    budget: ResendBudget = field(default_factory=ResendBudget)
    protocol: Protocol = Protocol.AUTO
    expects_http: bool = True

    def reconfigure(self, forward: ForwardConfig) -> None:
        """Read connections that come from now on as the configuration says."""
        self.protocol = forward.protocol
        self.expects_http = forward.probe.kind in (ProbeKind.LITELLM, ProbeKind.HTTP)
