"""Fixtures that every room of the suite may use."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from llmgwsim.remote import RemoteCluster, cluster_in_thread
from peers.kubectl import Kubectl, NoKubectl, find_kubectl
from support.written_logs import LOGS


@pytest.fixture
def simulated_cluster() -> Iterator[RemoteCluster]:
    """A fresh cluster with two ready pods, in a thread and loop of its own."""
    with cluster_in_thread() as cluster:
        yield cluster


@pytest.fixture(scope="session")
def kubectl_program() -> Path:
    """An unmodified kubectl; in CI the suite fails without one."""
    try:
        return find_kubectl()
    except NoKubectl as problem:
        if os.environ.get("CI") == "true":
            pytest.fail(f"no kubectl: {problem}")
        pytest.skip(f"no kubectl: {problem}")


@pytest.fixture
def kubectl(kubectl_program: Path, simulated_cluster: RemoteCluster, tmp_path: Path) -> Kubectl:
    """kubectl, logged in to the simulated cluster."""
    return Kubectl(kubectl_program, simulated_cluster.kubeconfig, tmp_path)


def pytest_configure() -> None:
    """A shell that starts us in the background has us ignore Ctrl-C, and all that we start: but
    there are tests that press it.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """What is logged within the tests' own process goes to their output."""
    if report.when == "teardown":
        for name, text in report.sections:
            LOGS.collect(f"{report.nodeid} ({name.lower()})", text)


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """No log line of the whole run may hold a key; one that does fails the run."""
    if LOGS.leaks():
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    leaks = LOGS.leaks()
    if not LOGS.texts:
        return
    terminalreporter.section("keys in logs")
    terminalreporter.write_line(
        f"{LOGS.lines()} log lines of {len(LOGS.texts)} logs searched: {len(leaks)} hold a key"
    )
    for leak in leaks:
        terminalreporter.write_line(leak, red=True)
