"""What the client connections of one forward share."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from llmgwd.config.model import ProbeKind, Protocol
from llmgwd.relay.connections import Connections
from llmgwd.relay.counters import ForwardCounters
from llmgwd.relay.http.kept_request import ResendBudget
from llmgwd.relay.http.web_guard import WebGuard, guard_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from llmgwd.config.model import ForwardConfig
    from llmgwd.gateway.error_answer import Trouble
    from llmgwd.relay.http.key_injection import KeyInjector
    from llmgwd.relay.http.request_records import RequestRecords
    from llmgwd.relay.route import Admission


@dataclass(slots=True)
class RelayContext:
    """`trouble` words why nothing can carry a request now; `expects_http`: the forward's probe
    speaks HTTP, so that a silent client is one that has not asked yet. `note_refusal` is called
    with a few words on each request that `guard` refused, `note_rejected_keys` with the keys that
    a program's own request held when the gateway rejected it.
    """

    admission: Admission
    trouble: Callable[[], Trouble]
    records: RequestRecords
    counters: ForwardCounters = field(default_factory=ForwardCounters)
    connections: Connections = field(default_factory=Connections)
    budget: ResendBudget = field(default_factory=ResendBudget)
    injector: KeyInjector | None = None
    guard: WebGuard = field(default_factory=WebGuard)
    note_refusal: Callable[[str], None] = field(default=lambda _reason: None)
    note_rejected_keys: Callable[[set[str]], None] = field(default=lambda _keys: None)
    protocol: Protocol = Protocol.AUTO
    expects_http: bool = True

    def reconfigure(self, forward: ForwardConfig) -> None:
        """Read connections that come from now on as the configuration says."""
        self.guard = guard_of(forward.hosts, forward.origins, forward.listen)
        self.protocol = forward.protocol
        self.expects_http = forward.probe.kind in (ProbeKind.LITELLM, ProbeKind.HTTP)
