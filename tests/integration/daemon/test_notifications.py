"""The desktop is told over a real D-Bus when a forward waits for a person."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import subprocess
import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from llmgwd.service.desktop import Desktop, Note
from llmgwsim.kubeconfig import Credentials, Exec
from support.running_daemon import running

if TYPE_CHECKING:
    from pathlib import Path

    from llmgwsim.remote import RemoteCluster

dbus_fast = pytest.importorskip("dbus_fast")
from dbus_fast.aio import MessageBus  # noqa: E402
from dbus_fast.service import ServiceInterface, dbus_method  # noqa: E402

NAME = "org.freedesktop.Notifications"


class Screen(ServiceInterface):
    """The desktop's side: keeps what it is to show."""

    def __init__(self) -> None:
        super().__init__(NAME)
        self.shown: list[tuple[str, str]] = []

    @dbus_method()
    def GetCapabilities(self) -> "as":  # type: ignore[valid-type]  # noqa: F722
        return ["body"]

    @dbus_method()
    def GetServerInformation(self) -> ssss:  # type: ignore[name-defined]  # noqa: F821
        return ["screen", "the tests", "1", "1.2"]

    @dbus_method()
    def Notify(
        self,
        app: s,  # type: ignore[name-defined]  # noqa: F821
        replaces: u,  # type: ignore[name-defined]  # noqa: F821
        icon: s,  # type: ignore[name-defined]  # noqa: F821
        summary: s,  # type: ignore[name-defined]  # noqa: F821
        body: s,  # type: ignore[name-defined]  # noqa: F821
        actions: "as",  # type: ignore[valid-type]  # noqa: F722
        hints: "a{sv}",  # type: ignore[valid-type]  # noqa: F722
        expires: i,  # type: ignore[name-defined]  # noqa: F821
    ) -> u:  # type: ignore[name-defined]  # noqa: F821
        self.shown.append((summary, body))
        return len(self.shown)


@contextlib.contextmanager
def desktop() -> Iterator[tuple[str, Screen]]:
    """Run a bus and what shows notifications on it; give the bus' address."""
    program = shutil.which("dbus-daemon")
    if program is None:
        pytest.skip("no dbus-daemon here")
    command = [program, "--session", "--nofork", "--print-address=1"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as bus:
        try:
            assert bus.stdout is not None
            address = bus.stdout.readline().strip()
            loop = asyncio.new_event_loop()
            thread = threading.Thread(target=loop.run_forever, daemon=True)
            thread.start()
            screen = Screen()
            served = asyncio.run_coroutine_threadsafe(_serve(address, screen), loop).result(20)
            yield address, screen
            loop.call_soon_threadsafe(served.disconnect)
            loop.call_soon_threadsafe(loop.stop)
            thread.join()
            loop.close()
        finally:
            bus.terminate()


async def _serve(address: str, screen: Screen) -> MessageBus:
    bus = await MessageBus(bus_address=address).connect()
    bus.export("/org/freedesktop/Notifications", screen)
    await bus.request_name(NAME)
    return bus


def test_a_login_that_expired_is_shown_with_its_cure_and_that_it_serves_again(
    tmp_path: Path, simulated_cluster: RemoteCluster
) -> None:
    kubeconfig = simulated_cluster.kubeconfig
    good = kubeconfig.read_bytes()
    failing = Credentials(exec=Exec("/bin/sh", ("-c", "echo 'sso <a> login needed' >&2; exit 1")))
    with (
        desktop() as (address, screen),
        running(tmp_path, kubeconfig, DBUS_SESSION_BUS_ADDRESS=address) as daemon,
    ):
        daemon.wait_for("ready")
        simulated_cluster.write_kubeconfig(kubeconfig, failing)
        daemon.wait_for("degraded")
        simulated_cluster.faults.cut()
        daemon.wait_for("blocked", within_s=30)

        daemon.wait_until(lambda: screen.shown, "shown", 30)
        kubeconfig.write_bytes(good)
        daemon.wait_until(lambda: len(screen.shown) > 1, "shown again", 30)

    (first, sentence), (second, _) = screen.shown
    assert (first, second) == ("litellm needs you", "litellm serves again")
    assert "sso &lt;a&gt; login needed" in sentence


def test_nothing_is_shown_to_a_person_who_wants_none(monkeypatch: pytest.MonkeyPatch) -> None:
    with desktop() as (address, screen):
        monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", address)
        for wants in (False, True):
            asyncio.run(Desktop(lambda: wants).send(Note(f"{wants}", "text")))  # noqa: B023

    assert screen.shown == [("True", "text")]
