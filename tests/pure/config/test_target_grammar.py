"""What a person may write as a target; `config check` and the run-time resolution share it."""

from __future__ import annotations

import pytest

from llmgwd.config.file import parse
from llmgwd.config.model import ClusterRoute
from llmgwd.config.target import Target, TargetKind
from llmgwd.errors import ConfigError


@pytest.mark.parametrize(
    ("words", "kind"),
    [
        (("service", "services", "svc", "Service"), TargetKind.SERVICE),
        (("deployment", "deployments", "deploy"), TargetKind.DEPLOYMENT),
        (("statefulset", "statefulsets", "sts", "StatefulSet"), TargetKind.STATEFUL_SET),
        (("replicaset", "replicasets", "rs"), TargetKind.REPLICA_SET),
        (("daemonset", "daemonsets", "ds"), TargetKind.DAEMON_SET),
        (("pod", "pods", "po"), TargetKind.POD),
    ],
)
def test_a_kind_is_named_as_kubectl_names_it(words: tuple[str, ...], kind: TargetKind) -> None:
    for word in words:
        target = Target.parse(f"{word}/x-0.a")

        assert target == Target(kind, "x-0.a")
        assert Target.parse(str(target)) == target


@pytest.mark.parametrize(
    "text",
    [
        "app=litellm",
        "app==litellm",
        "app.kubernetes.io/name=litellm,tier!=db",
        "app in (a,b)",
        "app notin (a, b), tier",
        "!canary",
        "app=",
    ],
)
def test_a_label_selector_is_kept_as_it_is_written(text: str) -> None:
    target = Target.parse(text)

    assert target == Target(TargetKind.SELECTOR, text)
    assert str(target) == text


@pytest.mark.parametrize(
    "text",
    [
        "litellm",
        "ingress/x",
        "service/",
        "service/a/b",
        "service/a=b",
        "service/LiteLLM",
        "service/-x",
        f"service/{'x' * 254}",
        "svcs/x",
        "deploys/x",
        "app=a b",
        "app in a,b",
        "app in (a",
        "app=x,,tier=y",
        "=x",
        "",
    ],
)
def test_what_the_api_would_not_understand_is_refused_when_it_is_read(text: str) -> None:
    with pytest.raises(ValueError, match="not a target"):
        Target.parse(text)
    with pytest.raises(ConfigError, match="target"):
        parse(f'[[forward]]\ntarget = "{text}"', "config.toml")


@pytest.mark.parametrize("text", ["replicasets/x", "daemonsets/x", "services/x", "!canary"])
def test_the_configuration_takes_all_that_can_be_resolved(text: str) -> None:
    (forward,) = parse(f'[[forward]]\ntarget = "{text}"', "config.toml").forwards

    (route,) = forward.routes
    assert isinstance(route, ClusterRoute)
    assert route.target == Target.parse(text)
