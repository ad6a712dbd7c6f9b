"""A daemon under attack, and the three figures: it lives, the worst wait of others, its memory."""

from __future__ import annotations

import http.client
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hostile_peers import ALIVE, Gateway, says

from support.running_daemon import RunningDaemon

# 250 ms on a quiet machine; the attackers and those who wait share its processors with the daemon.
LONGEST_WAIT_S = 0.25 * 5
MOST_GROWTH_BYTES = 32 << 20
GOOD_FORWARD = """
[[forward]]
name = "good"
listen = "localhost:PORT"
url = "http://127.0.0.1:{good}"
"""


class Siege:
    """A daemon with a forward "good", whose requests are timed, and those of `config`."""

    def __init__(self, folder: Path, kubeconfig: Path, config: str) -> None:
        self.folder = folder
        self.kubeconfig = kubeconfig
        self.good = Gateway(says(ALIVE))
        good = GOOD_FORWARD.format(good=self.good.port)
        self.daemon = RunningDaemon(folder, kubeconfig, good + config)
        self.daemon.launch()
        self.daemon.wait_for("ready", "good")

    def resident_bytes(self) -> int:
        assert self.daemon.process is not None
        status = Path(f"/proc/{self.daemon.process.pid}/status").read_text()
        found = re.search(r"VmRSS:\s+(\d+) kB", status)
        assert found is not None, self.daemon.log()
        return int(found[1]) * 1024

    def ask(self) -> float:
        """Give how long a request on the good forward took."""
        began = time.monotonic()
        connection = http.client.HTTPConnection("127.0.0.1", self.daemon.port, timeout=20)
        try:
            connection.request("GET", "/health/liveliness")
            answer = connection.getresponse()
            assert answer.status == 200
            answer.read()
        finally:
            connection.close()
        return time.monotonic() - began

    @contextmanager
    def under(self, attack: str) -> Iterator[None]:
        """Time requests and look at the memory while the block runs; judge both."""
        before, is_over = self.resident_bytes(), threading.Event()
        waits, sizes, refused = [0.0], [before], list[Exception]()

        def watch() -> None:
            while not is_over.is_set() and not refused:
                try:
                    waits.append(self.ask())
                    sizes.append(self.resident_bytes())
                except (OSError, http.client.HTTPException) as error:
                    refused.append(error)
                time.sleep(0.01)

        watching = threading.Thread(target=watch)
        watching.start()
        try:
            yield
        finally:
            is_over.set()
            watching.join(30)
        assert self.daemon.process is not None
        lives = self.daemon.process.poll() is None
        wait_s, growth = max(waits), max(sizes) - before
        print(f"\n{attack}: lives {lives}, {wait_s * 1e3:.0f} ms, {growth / 2**20:+.1f} MiB")
        assert lives, self.daemon.log()
        assert not refused
        assert len(waits) > 3
        assert wait_s < LONGEST_WAIT_S
        assert growth < MOST_GROWTH_BYTES

    def bugs(self) -> list[str]:
        return [line for line in self.daemon.log().splitlines() if "Traceback" in line]

    def close(self) -> None:
        self.daemon.kill()
        self.good.close()
