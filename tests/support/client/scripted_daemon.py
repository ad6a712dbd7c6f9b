"""A control socket that answers from a script: for contract payloads, older daemons and restarts.

It knows HTTP as far as llmgwctl speaks it, and nothing of the daemon.
"""

from __future__ import annotations

import json
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from llmgwctl.wire import ApiPath, Status


class ScriptedDaemon:
    """`answers` are payloads by path; `lines` are the JSON lines of `/v1/requests`, and `streams`
    those of other paths, each answered once and whole.

    What is missing is answered as a daemon answers that does not have the path. Each query that
    came is kept in `asked`.
    """

    def __init__(self, path: str, status: Status) -> None:
        self.path = path
        self.answers: dict[str, Any] = {ApiPath.STATUS: status}
        self.lines: list[Any] | None = None
        self.streams: dict[str, list[Any]] = {}
        self.asked: list[tuple[str, dict[str, str]]] = []
        self._changed = threading.Condition()
        self._cuts = 0

    def add(self, line: Any) -> None:
        assert self.lines is not None
        with self._changed:
            self.lines.append(line)
            self._changed.notify_all()

    def cut(self, lines: list[Any]) -> None:
        """End every watch, and remember these lines from here on, as after a restart."""
        with self._changed:
            self.lines = lines
            self._cuts += 1
            self._changed.notify_all()

    def answer(self, target: str) -> Iterator[bytes]:
        found = urlsplit(target)
        query = dict(parse_qsl(found.query))
        self.asked.append((found.path, query))
        payload = self.answers.get(found.path)
        if found.path == ApiPath.REQUESTS and self.lines is not None:
            yield b"HTTP/1.0 200 OK\r\n\r\n"
            yield from self._watch(is_followed=query["follow"] == "true")
        elif found.path in self.streams:
            lines = self.streams[found.path]
            yield b"HTTP/1.0 200 OK\r\n\r\n"
            yield b"".join(json.dumps(line).encode() + b"\n" for line in lines)
        elif payload is not None:
            yield b"HTTP/1.0 200 OK\r\n\r\n" + json.dumps(payload).encode()
        else:
            error = {"code": "route-unknown", "message": f"there is no {found.path} here"}
            body = json.dumps({"error": {**error, "remedy": ""}})
            yield f"HTTP/1.0 404 Not Found\r\n\r\n{body}".encode()

    def _watch(self, *, is_followed: bool) -> Iterator[bytes]:
        sent, cuts = 0, self._cuts
        while True:
            with self._changed:
                while is_followed and sent == len(self.lines or ()) and cuts == self._cuts:
                    self._changed.wait(20)
                if cuts != self._cuts:
                    return
                coming = (self.lines or [])[sent:]
            sent += len(coming)
            yield b"".join(json.dumps(line).encode() + b"\n" for line in coming)
            if not is_followed:
                return


class _Server(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True
    block_on_close = False


@contextmanager
def scripted(folder: Path, status: Status) -> Iterator[ScriptedDaemon]:
    daemon = ScriptedDaemon(str(folder / "scripted.sock"), status)

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            first = self.rfile.readline().decode()
            while self.rfile.readline().strip():
                pass
            try:
                for piece in daemon.answer(first.split()[1]):
                    self.wfile.write(piece)
            except (BrokenPipeError, ConnectionResetError):
                pass

    with _Server(daemon.path, Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield daemon
        finally:
            server.shutdown()
            thread.join()
