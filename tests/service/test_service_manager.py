"""llmgwd under a real systemd: what a person has after `llmgwctl service install`."""

from __future__ import annotations

import os
import re
import signal
import socket
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from support.load.kept_load import NODE, NODE_KINDS, Group, kept_load
from support.ports import free_port
from support.strangers import ask_as_nobody, is_reset, needs_root, other_namespace

from . import package
from .conftest import MASTER_KEY, Machine
from .load import IdleClient, Load, Stream
from .manager import Manager, wait_until

SENTENCE = re.compile(r"litellm ready via (pod \S+|\d+ pods), \d+ streams?")


def test_an_installed_service_is_ready_says_so_and_serves(machine: Machine) -> None:
    said = machine.llmgwctl("service", "install")

    assert machine.manager.show("llmgwd.service", "ActiveState") == "active"
    assert machine.manager.show("llmgwd.service", "SubState") == "running"
    assert machine.manager.show("llmgwd.service", "UnitFileState") == "enabled"
    assert machine.manager.show("llmgwd.socket", "UnitFileState") == "enabled"
    assert f"litellm: ready (127.0.0.1:{machine.port}" in said.stdout, said.stdout
    assert machine.status()["state"] == "ready"
    assert machine.answer() == 200
    wait_until(
        lambda: SENTENCE.fullmatch(machine.manager.show("llmgwd.service", "StatusText")),
        "systemctl status shows the sentence",
    )


def test_the_installed_service_is_the_wheels(machine: Machine) -> None:
    machine.llmgwctl("service", "install")

    program = Path(f"/proc/{machine.pid()}/cmdline").read_bytes().split(b"\0")[1].decode()
    assert program == str(machine.venv / "bin" / "llmgwd")
    assert machine.status()["pid"] == machine.pid()


def test_a_killed_daemon_comes_back_and_refuses_nobody(
    installed: Machine, record_property: Callable[[str, object], None]
) -> None:
    before = installed.pid()

    streams = [Stream(installed.port, MASTER_KEY, pieces=600) for _ in range(5)]
    with Load(installed.port) as load:
        load.run_for(60)
        killed_at = time.monotonic()
        os.kill(before, signal.SIGKILL)
        load.run_for(160)

    record_property("load", load.summary())
    print(f"kill -9: {load.summary()}")
    unexplained = [each for each in load.failed if not each.was_in_flight(killed_at)]
    assert not load.refused, load.summary()
    assert not unexplained, (load.summary(), unexplained)
    # What was in flight: not to be saved, and over at once instead of silent.
    assert [stream.is_whole() for stream in streams] == [False] * 5
    assert installed.pid() not in (0, before)
    assert installed.restarts() == 1


def test_a_restart_refuses_and_fails_nobody_and_keeps_their_connections(
    installed: Machine, record_property: Callable[[str, object], None]
) -> None:
    before, clients = installed.pid(), 4
    kinds = ["raw", "httpx", "aiohttp", *(NODE_KINDS if NODE else ())]
    groups = [Group(kind, clients, (0.0, 0.4)) for kind in kinds]

    idle = [IdleClient(installed.port) for _ in range(50)]
    streams = [Stream(installed.port, MASTER_KEY, pieces=30) for _ in range(5)]
    with kept_load(installed.port, groups) as kept, Load(installed.port) as load:
        load.run_for(40)
        installed.manager.systemctl("restart", "llmgwd.service")
        load.run_for(60)
        # Ended by anyone else, it comes back by itself.
        os.kill(installed.pid(), signal.SIGTERM)
        load.run_for(80)

    record_property("load", load.summary())
    print(f"restarts: {load.summary()}\n{kept.summary()}")
    assert not load.failed, (load.summary(), load.failed)
    assert [stream.is_whole() for stream in streams] == [True] * 5
    assert installed.pid() not in (0, before)
    assert installed.restarts() == 1
    assert not kept.lost, kept.summary()
    # Each client made one connection, and has it still.
    opened = Counter(fate.client for fate in kept.fates if fate.is_kept is False)
    assert set(opened.values()) == {clients}
    assert [client.ask() for client in idle] == [200] * 50
    assert installed.manager.show("llmgwd.service", "NFileDescriptorStore") == "0"


def test_an_upgrade_refuses_and_fails_nobody(
    machine: Machine,
    tmp_path: Path,
    wheel: Path,
    newer_wheel: Path,
    record_property: Callable[[str, object], None],
) -> None:
    machine.venv = package.environment(tmp_path / "venv", wheel)
    machine.llmgwctl("service", "install")
    machine.wait_until_serving()
    before = machine.pid()

    kinds = [Group(kind, 4, (0.1, 0.4)) for kind in ("raw", "httpx", "aiohttp")]
    with kept_load(machine.port, kinds) as kept, Load(machine.port) as load:
        load.run_for(20)
        package.install(machine.venv, newer_wheel)
        said = machine.llmgwctl("service", "install")
        load.run_for(80)

    record_property("load", load.summary())
    print(f"upgrade: {load.summary()}\n{kept.summary()}")
    assert not load.failed, (load.summary(), load.failed)
    assert not kept.lost, kept.summary()
    assert len(kept.fates) > 60
    assert "restarted, its ports kept open all the while" in said.stdout
    assert machine.status()["version"] == "0.1.1"
    assert machine.pid() not in (0, before)


@needs_root
def test_the_ports_of_the_socket_unit_are_its_users_alone(machine: Machine) -> None:
    with other_namespace() as other:
        text = machine.config.read_text()
        here, there = f"localhost:{machine.port}", f"{other.our_address}:{machine.port}"
        machine.config.write_text(text.replace(f'"{here}"', f'["{here}", "{there}"]'))
        machine.llmgwctl("service", "install")
        machine.wait_until_serving()
        urls = [f"http://{host}:{machine.port}/" for host in ("127.0.0.1", "[::1]")]

        assert all(is_reset(ask_as_nobody(url)) for url in urls)
        assert is_reset(other.ask(f"http://{there}/"))
        assert machine.answer() == 200
        # Who waits in the socket while there is no daemon is looked at all the same.
        os.kill(machine.pid(), signal.SIGSTOP)
        with ThreadPoolExecutor() as pool:
            waiting = [pool.submit(ask_as_nobody, url) for url in urls]
            connected = f":{machine.port:04X} 01"
            wait_until(lambda: connected in Path("/proc/net/tcp").read_text(), "one waits")
            os.kill(machine.pid(), signal.SIGKILL)
            machine.wait_until_serving()
            assert all(is_reset(each.result(30)) for each in waiting)


def test_installing_again_with_nothing_new_leaves_the_daemon_alone(installed: Machine) -> None:
    before = installed.pid()

    said = installed.llmgwctl("service", "install")

    assert "left running" in said.stdout
    assert installed.pid() == before


def test_installing_again_takes_over_the_ports_of_a_changed_configuration(
    installed: Machine, kubeconfig: Path
) -> None:
    old_port, new_port = installed.port, free_port()
    installed.configure(new_port, kubeconfig)
    drift = installed.llmgwctl("service", "status")

    installed.llmgwctl("service", "install")

    assert f"the configuration wants 127.0.0.1:{new_port}" in drift.stdout
    assert f"127.0.0.1:{new_port}" in installed.manager.show("llmgwd.socket", "Listen")
    assert installed.answer() == 200
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", old_port), 5)


# Python imports it at its start; the signal runs in the main thread, which is the loop's.
STUCK_AT_SIGURG = """
import signal, time

def be_stuck(number, frame):
    while True:
        time.sleep(1)

signal.signal(signal.SIGURG, be_stuck)
"""


def test_a_stuck_loop_is_ended_by_the_watchdog_and_comes_back(installed: Machine) -> None:
    manager = installed.manager
    log = manager.folder / "llmgwd.log"
    (manager.folder / "sitecustomize.py").write_text(STUCK_AT_SIGURG)
    manager.set_drop_in(
        "llmgwd.service",
        f"[Service]\nWatchdogSec=2\nEnvironment=PYTHONPATH={manager.folder}\n"
        f"StandardOutput=append:{log}\nStandardError=append:{log}\n",
    )
    manager.systemctl("daemon-reload")
    manager.systemctl("restart", "llmgwd.service")
    installed.wait_until_serving()
    before = installed.pid()

    os.kill(before, signal.SIGURG)

    wait_until(lambda: installed.restarts() == 1, "systemd restarted it")
    installed.wait_until_serving()
    assert installed.pid() not in (0, before)
    assert installed.answer() == 200
    # systemd's SIGABRT, and faulthandler's trace: where the loop was stuck.
    assert "Fatal Python error: Aborted" in log.read_text()
    assert "sitecustomize.py" in log.read_text()


def test_a_reload_with_a_mistake_fails_and_changes_nothing(installed: Machine) -> None:
    installed.config.write_text('[[forward]]\nlisten = "nowhere"\n')

    reload = installed.manager.systemctl("reload", "llmgwd.service", check=False)

    assert reload.returncode != 0
    assert installed.manager.show("llmgwd.service", "ActiveState") == "active"
    assert installed.answer() == 200


def test_stop_gives_the_ports_back_and_start_takes_them_again(installed: Machine) -> None:
    installed.llmgwctl("service", "stop")

    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", installed.port), 5)
    assert installed.llmgwctl("service", "status", check=False).returncode == 1

    installed.llmgwctl("service", "start")

    assert installed.answer() == 200


def test_uninstall_leaves_nothing_but_the_configuration(installed: Machine) -> None:
    said = installed.llmgwctl("service", "uninstall")

    manager = installed.manager
    commands = [Path(f"/proc/{pid}/cmdline").read_text() for pid in manager.processes()]
    units = manager.systemctl("list-units", "--all", "--no-legend", "llmgw*").stdout
    files = [path for path in manager.units.rglob("llmgwd*") if not path.name.endswith(".d")]
    assert not [command for command in commands if "llmgwd" in command]
    assert units == ""
    assert files == []
    assert f"the configuration is kept: {installed.config}" in said.stdout
    assert installed.config.exists()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", installed.port), 5)
    assert not (manager.folder / "run" / "llmgw").exists()
    assert f"removed the history of events and spend in {manager.home}" in said.stdout
    assert not (manager.home / ".local" / "state" / "llmgw").exists()


def test_uninstall_leaves_the_history_of_a_daemon_that_runs_without_it(machine: Machine) -> None:
    machine.llmgwctl("service", "install")
    machine.llmgwctl("service", "stop")
    with machine.foreground():
        said = machine.llmgwctl("service", "uninstall")

        assert "the history is kept, because another llmgwd runs" in said.stdout
        assert machine.status()["state"] == "ready"
        assert (machine.manager.home / ".local" / "state" / "llmgw" / "events.jsonl").exists()


def test_a_unit_that_is_a_link_is_left_to_who_made_it(machine: Machine, tmp_path: Path) -> None:
    kept = tmp_path / "llmgwd.service"
    kept.write_text("[Service]\nExecStart=/bin/true\n")
    (machine.manager.units / "llmgwd.service").symlink_to(kept)

    said = machine.llmgwctl("service", "install", check=False)

    assert said.returncode == 1
    assert "is managed by a link of yours" in said.stderr
    assert kept.read_text() == "[Service]\nExecStart=/bin/true\n"


def test_a_taken_port_is_said_with_its_number(machine: Machine) -> None:
    with socket.create_server(("127.0.0.1", machine.port)):
        said = machine.llmgwctl("service", "install", check=False)

    assert said.returncode == 1
    assert f"127.0.0.1:{machine.port} is taken by another program" in said.stderr


def test_a_daemon_in_a_terminal_is_named_as_the_one_in_the_way(machine: Machine) -> None:
    with machine.foreground() as process:
        said = machine.llmgwctl("service", "install", check=False)

        assert said.returncode == 1
        assert f"llmgwd runs already, on its own (process {process.pid})" in said.stderr


def test_the_installed_units_verify_without_a_word(installed: Machine) -> None:
    units = [str(installed.manager.units / name) for name in ("llmgwd.service", "llmgwd.socket")]

    verified = installed.manager.call("systemd-analyze", "--user", "verify", *units)

    assert verified.stdout + verified.stderr == ""


def test_the_exposure_stays_where_it_is(
    installed: Machine, record_property: Callable[[str, object], None]
) -> None:
    unit = str(installed.manager.units / "llmgwd.service")

    judged = installed.manager.call(
        "systemd-analyze", "--user", "security", "--offline=true", "--no-pager", unit, check=False
    )

    found = re.search(r"Overall exposure level for llmgwd\.service: (\d+\.\d+)", judged.stdout)
    assert found is not None, judged.stdout + judged.stderr
    record_property("exposure", found[1])
    print(f"exposure {found[1]}")
    assert float(found[1]) <= 8.0


def test_the_hardening_can_be_had_by_a_user_without_privileges(
    new_manager: Callable[..., Manager], installed: Machine
) -> None:
    # The user "daemon", in the password file of every Unix.
    manager = new_manager(uid=1)
    unit = (installed.manager.units / "llmgwd.service").read_text()
    (manager.units / "llmgwd.service").write_text(unit)
    manager.set_drop_in(
        "llmgwd.service",
        "[Unit]\nWants=\n[Service]\nType=exec\nWatchdogSec=0\nExecStart=\nExecStart=sleep 600\n",
    )

    manager.systemctl("daemon-reload")
    manager.systemctl("start", "llmgwd.service")

    status = Path(f"/proc/{manager.show('llmgwd.service', 'MainPID')}/status").read_text()
    assert "NoNewPrivs:\t1" in status
    assert "Seccomp:\t2" in status
