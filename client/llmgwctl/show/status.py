"""The status of all forwards as a table, and as one line for a prompt. Pure.

To fit the terminal, words are abbreviated, then cells cut, and at last whole columns left out.
"""

from __future__ import annotations

from llmgwctl.rules.printable import clean, clean_lines
from llmgwctl.rules.timestamps import seconds_of
from llmgwctl.rules.visible_conditions import visible
from llmgwctl.show.columns import Column, draw, total, widths
from llmgwctl.show.terminal import BOLD, DIM, Terminal, age, plural, span
from llmgwctl.wire import STATES_WORST_FIRST, RouteKind, Severity, State

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from llmgwctl.wire import ConditionStatus, ForwardStatus, RouteStatus, Status


_FORWARD = Column("  FORWARD", least=12)
_STATE = Column("STATE")
_LOCAL = Column("LOCAL", goes=5)
_TARGET = Column("TARGET", least=12, goes=2)
_POD = Column("POD", goes=1)
_SINCE = Column("SINCE", goes=3, is_number=True)
_STREAMS = Column("STREAMS", goes=4, is_number=True)
_HELD = Column("HELD", is_number=True)
# How far cells can be abbreviated; see the functions that take a `brevity`.
_BREVITIES = range(5)
_KINDS = {"service": "svc", "deployment": "deploy", "statefulset": "sts"}


def table(status: Status, terminal: Terminal, now: float) -> list[str]:
    """Draw every forward as a row with its conditions below it, then the daemon's conditions."""
    forwards = status["forwards"]
    lines: list[str] = []
    if forwards:
        columns, rows = _cells(forwards, terminal, now)
        head, *drawn = draw(columns, rows, terminal)
        lines.append(terminal.paint(head, DIM))
        for forward, row in zip(forwards, drawn, strict=True):
            lines.append(_paint_row(row, forward, terminal))
            lines += _trouble(forward, terminal, now)
    else:
        lines.append("no forward is configured")
    for condition in _daemon_trouble(status):
        lines += problem(condition, terminal)
    return lines


def problem(condition: ConditionStatus, terminal: Terminal, indent: str = "  ") -> list[str]:
    """Write what is wrong, wrapped, and the remedy unchanged: it may have to be pasted."""
    glyph = terminal.severity_glyph(condition["severity"])
    text = clean(condition["summary"])
    lines = terminal.wrap(text, f"{indent}{glyph} ", f"{indent}  ")
    remedy = clean_lines(condition["remedy"]) if condition["remedy"] else []
    arrow = terminal.sign("→")
    if len(remedy) == 1:
        lines.append(f"{indent}  {arrow} {terminal.paint(remedy[0], BOLD)}")
    elif remedy:
        lines += [
            f"{indent}  {arrow} paste this:",
            *(terminal.paint(line, BOLD) for line in remedy),
        ]
    return lines


def retry(route: RouteStatus, now: float) -> str:
    """Write when a route that is down is tried again, and how often that failed; or nothing."""
    at = seconds_of(route["retry_at"])
    if at is None:
        return ""
    when = f"next try in {span(at - now)}" if at - now >= 1 else "trying now"
    failed = f", {plural(route['attempts'], 'attempt')} failed" if route["attempts"] else ""
    return when + failed


def active(forward: ForwardStatus) -> RouteStatus | None:
    """Pick the route in use, else the preferred one."""
    routes = forward["routes"]
    carrying = [route for route in routes if route["is_active"]]
    return next(iter(carrying or routes), None)


def local(forward: ForwardStatus) -> str:
    """Write the local address as people type it: both loopbacks together are localhost."""
    addresses = forward["listen"] or forward["listen_wanted"]
    ports = {address.rpartition(":")[2] for address in addresses}
    hosts = {address.rpartition(":")[0] for address in addresses}
    if len(ports) == 1 and hosts == {"127.0.0.1", "[::1]"}:
        return f"localhost:{ports.pop()}"
    return ", ".join(addresses) or "–"


def destination(route: RouteStatus | None) -> str:
    """Write where a route leads, in full."""
    if route is None:
        return "–"
    if route["kind"] == RouteKind.URL:
        return route["name"]
    port = f":{route['port']}" if route["port"] else ""
    return f"{route['target'] or '–'}{port}"


def short(forwards: Sequence[ForwardStatus], terminal: Terminal) -> str:
    """Give one line for a prompt or a status bar: one forward's state, or several by state."""
    if not forwards:
        return f"{terminal.state_glyph(State.STOPPED)} no forwards"
    if len(forwards) == 1:
        return _short_one(forwards[0], terminal)
    parts: list[str] = []
    for state in STATES_WORST_FIRST:
        members = [each for each in forwards if each["state"] == state]
        if not members or (state == State.STOPPED and parts):
            continue
        is_named = len(members) == 1 and state not in (State.READY, State.STOPPED)
        words = f"{clean(members[0]['name'])} {state}" if is_named else f"{len(members)} {state}"
        parts.append(terminal.paint_state(f"{terminal.state_glyph(state)} {words}", state))
    held = sum(each["held"] for each in forwards)
    return " ".join(parts) + (f" ({held} held)" if held else "")


def _short_one(forward: ForwardStatus, terminal: Terminal) -> str:
    state = clean(forward["state"])
    reasons = [each for each in visible(forward["conditions"]) if each["severity"] != Severity.INFO]
    text = f"{terminal.state_glyph(state)} {clean(forward['name'])} {state}"
    if state not in (State.READY, State.STOPPED) and reasons:
        text += f": {reasons[0]['kind'].replace('-', ' ')}"
    return terminal.paint_state(text, state) + (
        f" ({forward['held']} held)" if forward["held"] else ""
    )


def _cells(
    forwards: Sequence[ForwardStatus], terminal: Terminal, now: float
) -> tuple[list[Column], list[list[str]]]:
    """Write the cells as long as the width allows; leave out columns without content."""
    columns = [_FORWARD, _STATE, _LOCAL, _TARGET, _POD, _SINCE, _STREAMS, _HELD]
    if not any(route["pods"] for forward in forwards for route in forward["routes"]):
        columns.remove(_POD)
    if not any(forward["held"] for forward in forwards):
        columns.remove(_HELD)
    for brevity in _BREVITIES:
        rows = [_row(forward, columns, terminal, now, brevity) for forward in forwards]
        if total(widths(columns, rows)) <= terminal.width:
            break
    return columns, rows


def _row(
    forward: ForwardStatus, columns: Sequence[Column], terminal: Terminal, now: float, brevity: int
) -> list[str]:
    route = active(forward)
    cells = {
        _FORWARD: f"{terminal.state_glyph(forward['state'])} {clean(forward['name'])}",
        _STATE: clean(forward["state"]),
        _LOCAL: terminal.sign(_local_cell(forward, brevity)),
        _TARGET: terminal.sign(_target_cell(route, brevity)),
        _POD: terminal.sign(_pod_cell(route, brevity)),
        _SINCE: age(forward["since"], now),
        _STREAMS: str(forward["streams"]),
        _HELD: str(forward["held"]),
    }
    return [cells[column] for column in columns]


def _local_cell(forward: ForwardStatus, brevity: int) -> str:
    text = local(forward)
    return text if brevity < 4 else text[text.rindex(":") :] if ":" in text else text


def _target_cell(route: RouteStatus | None, brevity: int) -> str:
    text = clean(destination(route))
    if route is not None and route["kind"] == RouteKind.URL:
        return text if brevity == 0 else text.partition("://")[2].strip("/") or text
    kind, slash, name = text.partition("/")
    if brevity >= 2 and slash:
        text = f"{_KINDS.get(kind, kind)}/{name}"
    return text if brevity < 3 else text.partition(":")[0]


def _pod_cell(route: RouteStatus | None, brevity: int) -> str:
    """Name the one pod, count several; how many of them are ready, unless all are."""
    pods = route["pods"] if route else []
    if not pods:
        return "–"
    if len(pods) > 1:
        ready = sum(pod["ready"] and not pod["terminating"] for pod in pods)
        return f"{len(pods)} pods" if ready == len(pods) else f"{ready}/{len(pods)} ready"
    name = clean(pods[0]["name"])
    # The end differs between replicas of one deployment.
    return name if brevity == 0 else name.rpartition("-")[2]


def _paint_row(row: str, forward: ForwardStatus, terminal: Terminal) -> str:
    glyph, rest = row[:1], row[1:]
    state = clean(forward["state"])
    before, found, after = rest.partition(f" {state}")
    painted = before + terminal.paint_state(found, state) + after if found else rest
    return terminal.paint_state(glyph, state) + painted


def _trouble(forward: ForwardStatus, terminal: Terminal, now: float) -> list[str]:
    lines = []
    for condition in visible(forward["conditions"]):
        lines += problem(condition, terminal)
    route = active(forward)
    if forward["state"] == State.STOPPED:
        lines.append(_aside(f"stopped by you: llmgwctl start {forward['name']}", terminal))
    elif route is not None and not route["is_up"] and retry(route, now):
        lines.append(_aside(retry(route, now), terminal))
    return lines


def _aside(text: str, terminal: Terminal) -> str:
    return terminal.paint(f"  {terminal.sign('·')} {text}", DIM)


def _daemon_trouble(status: Status) -> list[ConditionStatus]:
    conditions = visible(status["conditions"])
    error = status["config"]["error"]
    if error and not any(each["kind"] == "config-invalid" for each in conditions):
        conditions.append(
            {
                "kind": "config-invalid",
                "severity": Severity.WARNING,
                "since": "",
                "summary": error,
                "remedy": "",
                "hidden_by": None,
            }
        )
    return conditions
