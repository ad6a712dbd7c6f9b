"""Draws the picture at the top of the read-me: the live view during a rollout, from a real run.

    python .ci/picture.py [.github/live-view.svg]

A simulated cluster and the daemon before it serve a few clients; `llmgwctl status --watch` runs on
a terminal of its own, and what stands there a moment after a rollout began becomes an SVG. Its
colours follow the reader's light or dark.
"""

from __future__ import annotations

import contextlib
import fcntl
import html
import os
import re
import select
import struct
import subprocess
import sys
import tempfile
import termios
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "tests" / "soak")]

from event_streams import event_streams  # noqa: E402 - by the path above

from llmgwsim.remote import cluster_process  # noqa: E402
from support.called import PROGRAM  # noqa: E402
from support.load.kept_load import Group, kept_load  # noqa: E402
from support.running_daemon import DEFAULT, running  # noqa: E402

WIDTH, HEIGHT = 88, 20
# The first probes find cold paths, and would set the scale of the others' line.
COLD_S = 3.0
# Probes for that line, then the rollout's own events.
BEFORE_S, ROLLOUT_S = 14.0, 2.5
CONFIG = f'{DEFAULT}probe_every = "1s"\n'
CHAR_PX, LINE_PX, MARGIN_PX = 8.4, 19, 20
# Of GitHub's two themes: text, background, and the colours that llmgwctl uses.
THEMES = {
    "light": {"text": "#1f2328", "ground": "#f6f8fa", "edge": "#d1d9e0"}
    | {"c31": "#cf222e", "c32": "#1a7f37", "c33": "#9a6700", "c36": "#1b7c83", "dim": "#59636e"},
    "dark": {"text": "#f0f6fc", "ground": "#151b23", "edge": "#3d444d"}
    | {"c31": "#ff7b72", "c32": "#3fb950", "c33": "#d29922", "c36": "#39c5cf", "dim": "#9198a1"},
}
CLASSES = {"1": "bold", "2": "dim", "31": "c31", "32": "c32", "33": "c33", "36": "c36"}
CODE = re.compile(r"\x1b\[([0-9;]*)m")


@dataclass
class Screen:
    """What `llmgwctl status --watch` last drew: it begins each frame at the top left."""

    frame: str = ""

    def feed(self, text: str) -> None:
        _, home, last = (self.frame + text).rpartition("\x1b[H")
        self.frame = home + last

    def lines(self) -> list[str]:
        text = self.frame.removeprefix("\x1b[H").replace("\x1b[K", "").replace("\x1b[J", "")
        return text.split("\r\n")


def main() -> None:
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / ".github" / "live-view.svg"
    target.write_text(drawing(recorded()))


def recorded() -> list[str]:
    """Give the screen, line by line, with its colours as escape sequences."""
    with (
        tempfile.TemporaryDirectory(prefix="llmgw-picture-") as folder,
        cluster_process(["--rtt", "20ms"]) as cluster,
        running(Path(folder), cluster.kubeconfig, CONFIG) as daemon,
    ):
        daemon.wait_for("ready")
        time.sleep(COLD_S)
        clients = [Group("raw", 6, (0.05, 0.3)), Group("anthropic", 2, (0.2, 0.5))]
        with (
            kept_load(daemon.port, clients),
            event_streams(daemon.port, 3),
            live_view(daemon.socket) as terminal,
        ):
            screen = Screen()
            watch(terminal, screen, BEFORE_S)
            cluster.faults.roll()
            watch(terminal, screen, ROLLOUT_S)
    # The port is one that was free; people have the usual one.
    return [line.replace(f"localhost:{daemon.port}", "localhost:4000 ") for line in screen.lines()]


@contextlib.contextmanager
def live_view(socket: str) -> Iterator[int]:
    """Run it on a terminal of its own; gives the terminal's other end."""
    ours, theirs = os.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", HEIGHT, WIDTH, 0, 0))
    process = subprocess.Popen(
        [PROGRAM, "status", "--watch", "--color", "always", "--socket", socket],
        stdin=theirs,
        stdout=theirs,
        env={**os.environ, "TERM": "xterm-256color", "TZ": "UTC", "LANG": "C.UTF-8"},
    )
    try:
        yield ours
    finally:
        os.write(ours, b"q")
        process.wait(10)
        os.close(ours)
        os.close(theirs)


def watch(terminal: int, screen: Screen, for_s: float) -> None:
    deadline, partial = time.monotonic() + for_s, b""
    while (left_s := deadline - time.monotonic()) > 0:
        if select.select([terminal], [], [], left_s)[0]:
            partial += os.read(terminal, 65536)
            text = partial.decode(errors="ignore")
            # A letter of several bytes may have been cut in two.
            partial = partial[len(text.encode()) :]
            screen.feed(text)


def drawing(lines: list[str]) -> str:
    shown = [line.rstrip() for line in lines[:HEIGHT]]
    while shown and not shown[-1]:
        shown.pop()
    width = round(WIDTH * CHAR_PX + 2 * MARGIN_PX)
    height = round(len(shown) * LINE_PX + 2 * MARGIN_PX)
    rows = "\n".join(
        f'<text x="{MARGIN_PX}" y="{MARGIN_PX + LINE_PX * (number + 0.75):g}">{spans(line)}</text>'
        for number, line in enumerate(shown)
    )
    return f"""\
<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" \
viewBox="0 0 {width} {height}" role="img" aria-labelledby="title">
<title id="title">llmgwctl status --watch during a rollout</title>
<style>
{rules("light")}
@media (prefers-color-scheme: dark) {{
{rules("dark")}
}}
text {{ font: 14px ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; white-space: pre }}
.bold {{ font-weight: bold }}
</style>
<rect class="ground" width="{width - 1}" height="{height - 1}" x="0.5" y="0.5" rx="8"/>
{rows}
</svg>
"""


def rules(theme: str) -> str:
    colours = dict(THEMES[theme])
    ground, edge = colours.pop("ground"), colours.pop("edge")
    text = colours.pop("text")
    return "\n".join(
        [
            f".ground {{ fill: {ground}; stroke: {edge} }}",
            f"text {{ fill: {text} }}",
            *(f".{name} {{ fill: {colour} }}" for name, colour in colours.items()),
        ]
    )


def spans(line: str) -> str:
    """Turn a line's escape sequences into spans, each of which has its place on the grid."""
    found, column, classes = [], 0, ""
    for number, part in enumerate(CODE.split(line)):
        if number % 2:
            codes = [CLASSES[code] for code in part.split(";") if code in CLASSES]
            classes = " ".join(codes)
        elif part:
            x = MARGIN_PX + column * CHAR_PX
            named = f' class="{classes}"' if classes else ""
            found.append(f'<tspan x="{x:g}"{named}>{html.escape(part)}</tspan>')
            column += len(part)
    return "".join(found)


if __name__ == "__main__":
    main()
