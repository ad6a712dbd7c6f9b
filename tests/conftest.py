"""Fixtures that every room of the suite may use.

What they need is imported when they are asked for: the process that hands the tests to workers
reads this file, too, and runs none of them.
"""

from __future__ import annotations

import dataclasses
import gc
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

from support.written_logs import LOGS, Searched

if TYPE_CHECKING:
    from xdist.workermanage import WorkerController

    from llmgwsim.remote import RemoteCluster
    from peers.kubectl import Kubectl

pytest_plugins = ["support.side_by_side"]

# Containers often forbid bytecode. Then each worker of each run rewrites and compiles every module
# of the tests anew, and each daemon that is started its own.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

# Examples take longer than 200 ms where other workers have the processors. On CI hypothesis
# chooses a profile of its own, which has no deadline either.
if os.environ.get("CI") != "true":
    settings.register_profile("beside others", deadline=None)
    settings.load_profile("beside others")

# By all workers of this run, or by this process alone.
SEARCHED = Searched()


@pytest.fixture(scope="session", autouse=True)
def plain_log() -> None:
    """Of what the tests' own process logs each value is written as it is, to be searched for keys.

    As structlog is without this, it draws: a table of every frame of a traceback, with variables.
    """
    import structlog

    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.format_exc_info,
            structlog.processors.KeyValueRenderer(key_order=["level", "event"]),
        ]
    )


@pytest.fixture
def simulated_cluster() -> Iterator[RemoteCluster]:
    """A fresh cluster with two ready pods, in a thread and loop of its own."""
    from llmgwsim.remote import cluster_in_thread

    with cluster_in_thread() as cluster:
        yield cluster


@pytest.fixture(scope="session")
def kubectl_program() -> Path:
    """An unmodified kubectl; in CI the suite fails without one."""
    from peers.kubectl import NoKubectl, find_kubectl

    try:
        return find_kubectl()
    except NoKubectl as problem:
        if os.environ.get("CI") == "true":
            pytest.fail(f"no kubectl: {problem}")
        pytest.skip(f"no kubectl: {problem}")


@pytest.fixture
def kubectl(kubectl_program: Path, simulated_cluster: RemoteCluster, tmp_path: Path) -> Kubectl:
    """kubectl, logged in to the simulated cluster."""
    from peers.kubectl import Kubectl

    return Kubectl(kubectl_program, simulated_cluster.kubeconfig, tmp_path)


def pytest_configure() -> None:
    """A shell that starts us in the background has us ignore Ctrl-C, and all that we start: but
    there are tests that press it.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop() -> None:
    """Modules and tests stay to the end, so the collector need not look at them again and again:
    it took a tenth of the time of the tests that only compute.
    """
    gc.freeze()


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """What is logged within the tests' own process goes to their output."""
    came_from_worker = hasattr(report, "node")
    if report.when == "teardown" and not came_from_worker:
        for name, text in report.sections:
            LOGS.collect(f"{report.nodeid} ({name.lower()})", text)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: WorkerController) -> None:
    """Take what a worker found; one that crashed has failed the run already."""
    found = getattr(node, "workeroutput", {}).get("searched")
    if found is not None:
        SEARCHED.add(Searched(**found))


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """No log line of the whole run may hold a key; one that does fails the run."""
    SEARCHED.add(LOGS.searched())
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["searched"] = dataclasses.asdict(SEARCHED)
    elif SEARCHED.leaks:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if not SEARCHED.log_count:
        return
    terminalreporter.section("keys in logs")
    terminalreporter.write_line(
        f"{SEARCHED.line_count} log lines of {SEARCHED.log_count} logs searched: "
        f"{len(SEARCHED.leaks)} hold a key"
    )
    for leak in SEARCHED.leaks:
        terminalreporter.write_line(leak, red=True)
