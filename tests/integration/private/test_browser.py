"""A real browser on a page of another origin gets no answer from the port, by any way of asking."""

from __future__ import annotations

import json
import os
import queue
import shutil
import signal
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import pytest

from support.called import call
from support.running_daemon import DEFAULT, running

if TYPE_CHECKING:
    from pathlib import Path

    from llmgwsim.remote import RemoteCluster

BROWSER = shutil.which("chromium-headless-shell") or shutil.which("chromium")
# Each is a script that asks once; URL is an address of its own, behind the port. What it gives is
# what a page could read.
WAYS = {
    "fetch": "await (await fetch(URL)).text()",
    "fetch-with-the-placeholder": "await (await fetch(URL, {headers: {'x-api-key': 'llmgw'}}))"
    ".text()",
    "post-that-reads-nothing": "(await fetch(URL, {method: 'POST', mode: 'no-cors', body: '{}'}))"
    ".status || ''",
    "get-that-reads-nothing": "(await fetch(URL, {mode: 'no-cors'})).status || ''",
    "of-no-origin": "await said_by(Object.assign(document.createElement('iframe'), {sandbox:"
    " 'allow-scripts', srcdoc: `<script>fetch('${URL}').then(r => r.text()).catch(() => '')"
    ".then(t => parent.postMessage(t, '*'))<\\/script>`}))",
    "beacon": "navigator.sendBeacon(URL, '{}') && ''",
    "form": "await shown_in_a_frame(form(URL))",
    "iframe": "await shown_in_a_frame(null, URL)",
    "image": "await loaded(Object.assign(new Image(), {src: URL}))",
    "script": "await loaded(Object.assign(document.createElement('script'), {src: URL}))",
    "style": "await loaded(Object.assign(document.createElement('link'),"
    " {rel: 'stylesheet', href: URL}))",
    "object": "await loaded(Object.assign(document.createElement('object'), {data: URL}))",
    "events": "await opened(new EventSource(URL))",
    "websocket": "await opened(new WebSocket(URL.replace('http', 'ws')))",
    "rebound": "await (await fetch(URL.replace('localhost', 'rebound.example'))).text()",
    "rebound-with-a-method-of-its-own": "(await fetch(URL.replace('localhost', 'rebound.example'),"
    " {method: 'patch', mode: 'cors'})).status",
    "by-address": "(await fetch(URL.replace('localhost', '127.0.0.1'),"
    " {method: 'POST', mode: 'no-cors', body: '{}'})).status || ''",
    "by-its-other-address": "(await fetch(URL.replace('localhost', '[::1]'),"
    " {method: 'POST', mode: 'no-cors', body: '{}'})).status || ''",
}
PAGE = """<!doctype html><body><script>
const within = (promise) =>
  Promise.race([promise, new Promise((_, fail) => setTimeout(fail, 3000, 'too late'))]);
const loaded = (element) => within(new Promise((done, fail) => {
  element.onload = () => done('loaded'); element.onerror = () => fail('error');
  document.body.append(element);
}));
const opened = (source) => within(new Promise((done, fail) => {
  source.onopen = () => done('opened'); source.onerror = () => fail('error');
}));
const said_by = (frame) => within(new Promise((done) => {
  addEventListener('message', (said) => done(said.data)); document.body.append(frame);
}));
const form = (url) =>
  Object.assign(document.createElement('form'), {action: url, method: 'POST', target: 'frame'});
const shown_in_a_frame = (form, url) => within(new Promise((done) => {
  const frame = Object.assign(document.createElement('iframe'), {name: 'frame'});
  if (url) frame.src = url;
  document.body.append(frame);
  frame.onload = () => { try { done(frame.contentDocument.body.innerText); } catch { done(''); } };
  if (form) { document.body.append(form); form.submit(); }
}));
(async () => {
  const read = {};
  WAYS
  await fetch('/report', {method: 'POST', body: JSON.stringify(read)});
  location.href = 'GATEWAY/a-link';
})();
</script></body>"""


def page(gateway: str) -> str:
    asking = [
        f"try {{ const URL = '{gateway}/{way}'; read['{way}'] = String({script}); }}"
        f" catch (error) {{ read['{way}'] = ''; }}"
        for way, script in WAYS.items()
    ]
    return PAGE.replace("WAYS", "\n  ".join(asking)).replace("GATEWAY", gateway)


@pytest.fixture
def another_site() -> Iterator[tuple[ThreadingHTTPServer, queue.Queue[dict[str, str]]]]:
    """A server whose page is set as `page`, and what its page reports to it."""
    reports: queue.Queue[dict[str, str]] = queue.Queue()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._answer(server.page.encode())  # type: ignore[attr-defined]

        def do_POST(self) -> None:
            reports.put(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self._answer(b"")

        def _answer(self, body: bytes) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Nothing of it is wanted."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server, reports
        server.shutdown()


@pytest.fixture
def browser(tmp_path: Path) -> list[str]:
    """The command of a browser for which names of other sites are this machine's."""
    assert BROWSER is not None
    flags = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
    flags += ["--no-first-run", f"--user-data-dir={tmp_path / 'browser'}"]
    flags += ["--remote-debugging-port=0", "--no-proxy-server"]
    flags += ["--host-resolver-rules=MAP *.example 127.0.0.1"]
    return [BROWSER, *flags]


@pytest.mark.skipif(BROWSER is None, reason="there is no Chromium here")
def test_a_page_of_another_origin_gets_no_answer_and_its_link_is_followed(
    tmp_path: Path,
    simulated_cluster: RemoteCluster,
    another_site: tuple[ThreadingHTTPServer, queue.Queue[dict[str, str]]],
    browser: list[str],
) -> None:
    site, reports = another_site
    assert simulated_cluster.cluster is not None
    asked = simulated_cluster.cluster.world.record.requests
    config = f"{DEFAULT}\n[gateway]\ninject = true\n"
    with running(tmp_path, simulated_cluster.kubeconfig, config) as daemon:
        daemon.wait_for("ready")
        site.page = page(f"http://localhost:{daemon.port}")  # type: ignore[attr-defined]
        at = f"http://evil.example:{site.server_port}/"
        # A session of its own: Debian's command is a shell that waits for the browser.
        words = [*browser, at]
        process = subprocess.Popen(words, stderr=subprocess.DEVNULL, start_new_session=True)
        try:
            read = reports.get(timeout=60)
            daemon.wait_until(lambda: asked["/a-link"], "followed the link")
        finally:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        records = call(daemon, "requests", "--json").stdout.splitlines()

    assert read == dict.fromkeys(WAYS, "")
    assert {way: asked[f"/{way}"] for way in WAYS} == dict.fromkeys(WAYS, 0)
    # Proof that the browser let them go: each was refused here.
    refused = {each["path"] for each in map(json.loads, records) if each["status"] in (400, 403)}
    assert refused >= {f"/{way}" for way in WAYS if way != "rebound-with-a-method-of-its-own"}
