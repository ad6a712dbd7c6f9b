"""Which load is run through whom, over which way in, and which bar is held against the ratio."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from data_path import contenders

if TYPE_CHECKING:
    from data_path.contenders import Start

RAW = {"KUBECTL_PORT_FORWARD_WEBSOCKETS": "false"}
EVERYBODY = (
    ("llmgw", contenders.llmgw()),
    ("kubectl", contenders.kubectl(**RAW)),
    ("kr8s", contenders.kr8s),
    ("portforward", contenders.portforward),
)
US_AND_KUBECTL = EVERYBODY[:2]
BY_WEBSOCKET = (("llmgw", contenders.llmgw()), ("kubectl", contenders.kubectl()))


@dataclass(frozen=True)
class Part:
    """One load through several contenders, one after the other, against one cluster each."""

    load: str
    who: tuple[tuple[str, Start], ...]
    rtt_ms: int = 0
    only_websocket: bool = False

    @property
    def title(self) -> str:
        way = ", SPDY in WebSocket" if self.only_websocket else ""
        trip = f", {self.rtt_ms} ms round trip" if self.rtt_ms else ""
        return f"{self.load}{trip}{way}"


PLAN = (
    Part("fresh", EVERYBODY, rtt_ms=40),
    Part("fresh", EVERYBODY),
    Part("burst", US_AND_KUBECTL, rtt_ms=40),
    Part("download", US_AND_KUBECTL),
    Part("upload", US_AND_KUBECTL),
    Part("download", BY_WEBSOCKET, only_websocket=True),
    Part("upload", BY_WEBSOCKET, only_websocket=True),
    Part("stalled", US_AND_KUBECTL),
    Part("events", US_AND_KUBECTL),
    Part("cancelled", US_AND_KUBECTL),
    Part("crowd", US_AND_KUBECTL),
    Part("idle", US_AND_KUBECTL),
)
