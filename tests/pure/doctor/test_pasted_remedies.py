"""Each remedy that is a command is pasted into a real bash, with names that hold one of their own.

Programs are stubs that record their arguments. Nothing else may run, and the names must arrive.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
import yaml

from llmgwd.cluster.api_errors import Action
from llmgwd.cluster.auth.known_plugins import KNOWN, login_command
from llmgwd.cluster.kubectl import Kubectl
from llmgwd.cluster.target.pods import Pod
from llmgwd.cluster.target.resolve import Selection, explained, view
from llmgwd.config.model import ClusterRoute
from llmgwd.config.target import Target
from llmgwd.doctor.permissions import Need, needs, role
from llmgwd.errors import Transient
from support.client.stub_shell import Shell

if TYPE_CHECKING:
    from pathlib import Path

LACED = (
    "a'; touch EVIL; '",
    "a$(touch EVIL)",
    "a`touch EVIL`",
    "a && touch EVIL",
    'a"; touch EVIL; "',
    "a\nEOF\ntouch EVIL\n",
    "a | touch EVIL #",
)

pytestmark = pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash")


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    return Shell(tmp_path)


def pod(name: str) -> Pod:
    return Pod(name, "n", "u", "Pending", False, False, {}, "", "", 0)


@pytest.mark.parametrize("name", LACED)
def test_a_pod_is_described_by_its_name_alone(shell: Shell, name: str) -> None:
    problem = view(Target.parse("service/x"), Selection("a=b", "", 4000), "ns", [pod(name)]).problem

    assert problem is not None
    assert shell.paste(problem.remedy)[0] == ["kubectl", "-n", "ns", "describe", f"pod/{name}"]


@pytest.mark.parametrize("name", LACED)
def test_a_selector_is_one_argument(shell: Shell, name: str) -> None:
    problem = view(Target.parse("service/x"), Selection(name, "", 4000), "ns", []).problem

    assert problem is not None
    words, _ = shell.paste(problem.remedy)
    assert words == ["kubectl", "-n", "ns", "get", "pods", "-l", name]


@pytest.mark.parametrize(
    ("target", "crashes", "words"),
    [
        ("service/x", False, ["describe", "service/x"]),
        ("app=x", False, ["describe", "pods", "-l", "app=x"]),
        ("app=x", True, ["logs", "pod/p", "--all-containers", "--previous"]),
    ],
)
def test_a_refused_connection_leads_to_what_has_the_fault(
    shell: Shell, target: str, crashes: bool, words: list[str]
) -> None:
    refusal = Transient("dial-refused", "Pod p refused the connection.")
    refused = replace(pod("p"), trouble="c: CrashLoopBackOff" if crashes else "")

    told = explained(refusal, Target.parse(target), refused, "n", Kubectl())

    assert shell.paste(told.remedy)[0] == ["kubectl", "-n", "n", *words]
    assert ("CrashLoopBackOff" in told.message) is crashes


@pytest.mark.parametrize("name", LACED)
@pytest.mark.parametrize("command", [*KNOWN, "unknown-plugin"])
def test_a_login_runs_nothing_but_the_login(shell: Shell, command: str, name: str) -> None:
    logins = {
        text
        for option in ("--profile", "--tenant-id", "--proxy")
        for text in (
            login_command(command, (option, name), {}, Kubectl(name)),
            login_command(command, (), {"AWS_PROFILE": name}, Kubectl(name)),
            login_command(name, (), {}, Kubectl(name)),
        )
    }

    for login in sorted(logins):
        assert shell.paste(login)[0], login


@pytest.mark.parametrize("name", LACED)
def test_the_roles_heredoc_ends_where_it_is_to_end(shell: Shell, name: str) -> None:
    route = ClusterRoute(target=Target.parse("service/x"), namespace=name)
    granted = [*needs(route, name), Need(Action("get", name, name, name, name), "")]
    for user in (name, f"system:serviceaccount:{name}:{name}", f"system:serviceaccount:{name}"):
        words, document = shell.paste(role(granted, name, user))

        assert words == ["kubectl", "apply", "-f", "-"]
        grants, binding = yaml.safe_load_all(document)
        assert grants["metadata"]["namespace"] == name
        assert json.dumps(binding["subjects"])


@pytest.mark.parametrize("name", ["null", "true", "123", "on", "1e3"])
def test_a_name_that_yaml_takes_for_something_else_stays_a_name(name: str) -> None:
    text = role([], name, None).removeprefix("kubectl apply -f - <<'EOF'\n").removesuffix("EOF")

    assert next(iter(yaml.safe_load_all(text)))["metadata"]["namespace"] == name


@pytest.mark.parametrize(
    ("files", "program", "where"),
    [
        (("/h/a b",), "kubectl", ["--kubeconfig", "/h/a b"]),
        (("/h/a b", "/h/c"), "env", ["KUBECONFIG=/h/a b:/h/c", "kubectl"]),
    ],
)
@pytest.mark.parametrize("context", ["prod", *LACED])
def test_a_command_acts_on_the_cluster_that_it_is_about(
    shell: Shell, files: tuple[str, ...], program: str, where: list[str], context: str
) -> None:
    text = Kubectl(context, files).command("get", "pods", namespace="ns")

    words = shell.paste(text)[0]

    assert words == [program, *where, "--context", context, "-n", "ns", "get", "pods"]
