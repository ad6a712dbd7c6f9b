"""One forward in full: each layer that its bytes go through, with what is known of it. Pure.

A layer is good when it was seen to work, bad when a condition says so, and unknown above the first
bad one: nothing is guessed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from llmgwctl.rules.condition_kinds import RULES, Layer
from llmgwctl.rules.printable import clean, clean_lines
from llmgwctl.rules.visible_conditions import visible
from llmgwctl.show.status import active, destination, local, problem, retry
from llmgwctl.show.terminal import (
    BOLD,
    DIM,
    GREEN,
    RED,
    YELLOW,
    Terminal,
    age,
    latency,
    plural,
    size,
)
from llmgwctl.wire import RouteKind, Severity, State

if TYPE_CHECKING:
    from llmgwctl.wire import ConditionStatus, ForwardStatus, PodStatus, RouteStatus, Status

_NAME_WIDTH = 12


_CLUSTER_LAYERS = (Layer.LOGIN, Layer.API_SERVER, Layer.POD, Layer.TUNNEL)


def layers(forward: ForwardStatus, terminal: Terminal, now: float) -> list[str]:
    """Draw the head line, then each layer in the order of the bytes, then the totals."""
    drawing = _Drawing(forward, terminal, now)
    lines = [_head(forward, terminal, now)]
    is_wanted = forward["state"] != State.STOPPED
    lines += drawing.layer(
        Layer.PORT, _port(forward), bool(forward["listen"]) if is_wanted else None
    )
    for route in forward["routes"]:
        if len(forward["routes"]) > 1:
            lines.append(_route_line(route, terminal, now))
        lines += drawing.route(route)
    lines += drawing.layer(Layer.GATEWAY, *_gateway(forward, now))
    for condition in drawing.left:
        lines += problem(condition, terminal)
    if forward["state"] == State.STOPPED:
        lines.append(f"  start it with: llmgwctl start {clean(forward['name'])}")
    return [*lines, *_totals(forward, terminal)]


class _Drawing:
    """Keeps which conditions are still to be shown, in `left`."""

    def __init__(self, forward: ForwardStatus, terminal: Terminal, now: float) -> None:
        self._terminal = terminal
        self._now = now
        self.left = visible(forward["conditions"])

    def layer(self, layer: Layer, text: str, is_good: bool | None) -> list[str]:
        """Draw one layer; `is_good` is None where that is not known."""
        own = [each for each in self.left if _is_about(each, layer)]
        self.left = [each for each in self.left if each not in own]
        mark = self._mark(own, is_good)
        indent = " " * (4 + _NAME_WIDTH)
        head = f"  {mark} {layer.value:{_NAME_WIDTH}}"
        lines = self._terminal.wrap(clean(text) or self._terminal.sign("–"), head, indent)
        for condition in own:
            lines += problem(condition, self._terminal, indent)
        return lines

    def route(self, route: RouteStatus) -> list[str]:
        if route["kind"] == RouteKind.URL:
            text = destination(route)
            return self.layer(Layer.URL, text, route["is_up"] or None)
        lines: list[str] = []
        is_known = True
        for layer in _CLUSTER_LAYERS:
            has_failed = any(
                _is_about(each, layer) and each["severity"] == Severity.ERROR for each in self.left
            )
            # The layers below the first failure worked.
            is_good = True if route["is_up"] else self._works_below(layer) and is_known
            is_known = is_known and not has_failed
            lines += self.layer(layer, _CLUSTER_TEXTS[layer](route), is_good or None)
        if not route["is_up"] and retry(route, self._now):
            indent = " " * (4 + _NAME_WIDTH)
            lines.append(self._terminal.paint(f"{indent}{retry(route, self._now)}", DIM))
        return lines

    def _works_below(self, layer: Layer) -> bool:
        """Say whether a higher layer failed: that takes a layer below that works."""
        higher = _CLUSTER_LAYERS[_CLUSTER_LAYERS.index(layer) + 1 :]
        return any(_is_about(each, other) for other in higher for each in self.left)

    def _mark(self, own: list[ConditionStatus], is_good: bool | None) -> str:
        terminal = self._terminal
        if any(each["severity"] == Severity.ERROR for each in own) or is_good is False:
            return terminal.paint(terminal.sign("✗"), RED)
        if any(each["severity"] == Severity.WARNING for each in own):
            return terminal.paint("!", YELLOW)
        if is_good:
            return terminal.paint(terminal.sign("✓"), GREEN)
        return terminal.paint(terminal.sign("·"), DIM)


def _is_about(condition: ConditionStatus, layer: Layer) -> bool:
    """Say whether a condition belongs to a layer; a kind of a newer daemon belongs to none."""
    rule = RULES.get(condition["kind"])  # type: ignore[call-overload]
    return rule is not None and rule.layer is layer


def _head(forward: ForwardStatus, terminal: Terminal, now: float) -> str:
    state = clean(forward["state"])
    glyph = terminal.paint_state(terminal.state_glyph(state), state)
    name = terminal.paint(clean(forward["name"]), BOLD)
    since = age(forward["since"], now)
    word = terminal.paint_state(state, state) + (f" for {since}" if since else "")
    arrow = terminal.sign("→")
    way = f"{terminal.sign(local(forward))} {arrow} {clean(destination(active(forward)))}"
    return f"{glyph} {name} {word}, {way}"


def _port(forward: ForwardStatus) -> str:
    missing = [each for each in forward["listen_wanted"] if each not in forward["listen"]]
    if not forward["listen"]:
        return f"{', '.join(missing)} not bound"
    bound = f"{local(forward)} bound"
    return f"{bound}, {', '.join(missing)} not" if missing else bound


def _route_line(route: RouteStatus, terminal: Terminal, now: float) -> str:
    role = "in use" if route["is_active"] else "up, not in use" if route["is_up"] else "down"
    kind = "the cluster" if route["kind"] == RouteKind.KUBERNETES else "the URL"
    return terminal.paint(f"    route by {kind}: {role} for {age(route['since'], now)}", DIM)


def _login(route: RouteStatus) -> str:
    return f"context {clean(route['context'])}" if route["context"] else "the current context"


def _api_server(route: RouteStatus) -> str:
    name = f"cluster {clean(route['cluster'])}" if route["cluster"] else ""
    trip = route["round_trip_s"]
    there = f"{latency(trip)} there and back" if trip is not None else ""
    return ", ".join(part for part in (name, there) if part)


def _pods(route: RouteStatus) -> str:
    where = f"{clean(destination(route))} in {clean(route['namespace'] or '?')}"
    return ": ".join([where, "; ".join(_pod(pod) for pod in route["pods"])]).removesuffix(": ")


def _pod(pod: PodStatus) -> str:
    health = "terminating" if pod["terminating"] else "ready" if pod["ready"] else "not ready"
    streams = plural(pod["streams"], "stream")
    return f"{clean(pod['name'])} ({health}, {streams})"


def _tunnels(route: RouteStatus) -> str:
    counts = route["tunnels"]
    if counts is None:
        return route["way"] or ""
    numbers = [f"{counts['idle']} idle", f"{counts['busy']} busy"]
    numbers += [f"{counts['draining']} draining"] if counts["draining"] else []
    numbers += [f"{counts['dialing']} dialing"] if counts["dialing"] else []
    return ", ".join([route["way"], *numbers] if route["way"] else numbers)


_CLUSTER_TEXTS = {
    Layer.LOGIN: _login,
    Layer.API_SERVER: _api_server,
    Layer.POD: _pods,
    Layer.TUNNEL: _tunnels,
}


def _gateway(forward: ForwardStatus, now: float) -> tuple[str, bool | None]:
    gateway = forward["gateway"]
    if gateway["probe"] == "off":
        return "not probed, as configured", None
    if gateway["healthy"] is None:
        return "not probed yet", None
    product = "LiteLLM" if gateway["probe"] == "litellm" else f"{gateway['probe']} probe"
    parts = [f"{product} {clean(gateway['version'] or '')}".rstrip()]
    parts.append("healthy" if gateway["healthy"] else "unhealthy")
    if gateway["latency_s"] is not None:
        parts.append(latency(gateway["latency_s"]))
    if gateway["database"]:
        parts.append(f"database {gateway['database'].replace('-', ' ')}")
    checked = age(gateway["checked_at"], now)
    return ", ".join(parts) + (f" ({checked} ago)" if checked else ""), gateway["healthy"]


def _totals(forward: ForwardStatus, terminal: Terminal) -> list[str]:
    counters = forward["counters"]
    now = [plural(forward["streams"], "stream"), f"{forward['held']} held"]
    up, down = terminal.sign("↑"), terminal.sign("↓")
    total = [
        plural(counters["connections"], "connection"),
        f"{up} {size(counters['sent_bytes'])}",
        f"{down} {size(counters['received_bytes'])}",
    ]
    for name, words in (
        ("held", "held for a while"),
        ("hold_expired", "held too long"),
        ("redialed", "sent again"),
        ("cut", "cut"),
        ("failed", "failed"),
    ):
        count: int = counters[name]  # type: ignore[literal-required]
        total += [f"{count} {words}"] if count else []
    total += [plural(counters["outages"], "outage")] if counters["outages"] else []
    indent = " " * (4 + _NAME_WIDTH)
    lines = terminal.wrap(", ".join(now), f"    {'now':{_NAME_WIDTH}}", indent)
    return lines + terminal.wrap(", ".join(total), f"    {'so far':{_NAME_WIDTH}}", indent)


def brief(forward: ForwardStatus) -> list[str]:
    """Say the state and where it is served; where it is in trouble, the cause and the remedy."""
    served = ", ".join(forward["listen"]) or "not bound"
    lines = [clean(f"{forward['name']}: {forward['state']} ({served})")]
    if forward["state"] in (State.READY, State.STOPPED):
        return lines
    for condition in visible(forward["conditions"]):
        if condition["severity"] != Severity.INFO:
            lines.append(f"  {clean(condition['summary'])}")
            lines += [f"  {line}" for line in clean_lines(condition["remedy"]) if line]
    return lines


def daemon_line(status: Status, terminal: Terminal, now: float) -> str:
    """Describe the daemon itself, in the last line."""
    up = age(status["started_at"], now)
    since = f", up {up}" if up else ""
    path = clean(status["config"]["path"])
    config = path if status["config"]["is_present"] else "no configuration file, defaults"
    version = clean(status["version"])
    return terminal.paint(f"llmgwd {version}, pid {status['pid']}{since}; {config}", DIM)
