"""The lines of the gateway's pods, as `llmgwctl logs` shows them. Pure.

Several pods run at once and are replaced: each line names its pod, in a colour that a pod keeps.
"""

from __future__ import annotations

import re
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from llmgwctl.rules.printable import clean, clean_lines
from llmgwctl.rules.timestamps import seconds_of
from llmgwctl.show.terminal import DIM, RED, Terminal

if TYPE_CHECKING:
    from llmgwctl.wire import LogLine

# Cyan, yellow, green, magenta, blue, and their bright ones: red is left to what went wrong.
_COLOURS = ("36", "33", "32", "35", "34", "96", "93", "92", "95", "94")

# uvicorn's access line: `INFO:     10.0.0.7:51234 - "POST /v1/messages HTTP/1.1" 200 OK`.
_REQUEST = re.compile(
    r'(?P<peer>\S+) - "(?P<method>[A-Z]+) (?P<path>\S+) HTTP/[\d.]+" (?P<status>\d+)'
)


@dataclass(frozen=True, slots=True)
class Request:
    peer: str
    method: str
    path: str
    status: int


def request_of(line: str) -> Request | None:
    """Read a request from a line of the gateway's access log; health probes are none."""
    match = _REQUEST.search(line)
    if match is None or match["path"].startswith("/health"):
        return None
    return Request(match["peer"], match["method"], match["path"], int(match["status"]))


@dataclass(slots=True)
class Painter:
    """Turns lines into text; remembers the colour of each pod."""

    terminal: Terminal
    _pods: dict[str, int] = field(default_factory=dict)

    def paint(self, entry: LogLine) -> str:
        """Give `pod time line`; a line about a pod (joined, ended) instead of from it is marked."""
        name = f"{entry['pod']}/{entry['container']}" if entry["container"] else entry["pod"]
        prefix = self._coloured(name, entry["pod"])
        if entry["note"] is not None:
            return f"{prefix} {self._dim('-- ' + clean(entry['note']))}"
        line = "".join(clean_lines(entry["line"])).rstrip()
        return f"{prefix} {self._dim(_clock(entry['time']))} {line}"

    def paint_request(self, entry: LogLine, request: Request) -> str:
        status = str(request.status)
        if request.status >= 400:
            status = self.terminal.paint(status, RED)
        prefix = self._coloured(entry["pod"], entry["pod"])
        clock = self._dim(_clock(entry["time"]))
        return f"{prefix} {clock} {status} {request.method} {clean(request.path)}"

    def _coloured(self, text: str, pod: str) -> str:
        number = self._pods.setdefault(pod, len(self._pods))
        return self.terminal.paint(clean(text), _COLOURS[number % len(_COLOURS)])

    def _dim(self, text: str) -> str:
        return self.terminal.paint(text, DIM)


def _clock(stamp: str) -> str:
    """Write the local time of day; it stands on every line, so without the date."""
    moment = seconds_of(stamp)
    return "--:--:--" if moment is None else time.strftime("%H:%M:%S", time.localtime(moment))


def is_wanted(entry: LogLine, pattern: re.Pattern[str] | None, *, requests_only: bool) -> bool:
    """Say whether a line passes --grep and --requests; a note about a pod always does."""
    if entry["note"] is not None:
        return True
    if pattern is not None and not pattern.search(entry["line"]):
        return False
    return not requests_only or request_of(entry["line"]) is not None
