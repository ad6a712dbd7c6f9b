"""Faults of what the pods are found by: the namespace, the service, the configuration."""

from __future__ import annotations

from typing import TYPE_CHECKING

from row import CUT, Row

if TYPE_CHECKING:
    from scene import Scene


def make_namespace(scene: Scene) -> None:
    faults = scene.faults
    faults.add_namespace(name="litellm")
    faults.set_secret(values={"LITELLM_MASTER_KEY": "sk-demo-master-key"})
    faults.set_service()
    faults.add_workload(kind="Deployment", name="litellm", labels={"app": "litellm"}, replicas=2)


TARGET = (
    Row(
        "namespace deleted",
        lambda s: s.faults.remove_namespace(),
        make_namespace,
        "blocked",
        "namespace-missing",
        "namespace",
        "there is no namespace litellm",
        clients=CUT,
    ),
    Row(
        "service deleted",
        lambda s: s.faults.remove_service(),
        lambda s: s.faults.set_service(),
        "blocked",
        "target-missing",
        "target",
        "there is no service/litellm",
    ),
    Row(
        "selector edited",
        lambda s: s.faults.edit_service(selector={"app": "another"}),
        lambda s: s.faults.set_service(),
        "reconnecting",
        "no-pods",
        "pods",
        "has no pods (selector app=another)",
    ),
    Row(
        "selector edited, where the role lets nothing be watched",
        lambda s: s.faults.edit_service(selector={"app": "another"}),
        lambda s: s.faults.set_service(),
        "reconnecting",
        "no-pods",
        "pods",
        "has no pods (selector app=another)",
        within_s=17.0,
        role="no-watch",
    ),
    Row(
        "selector taken away",
        lambda s: s.faults.set_service(selector={}),
        lambda s: s.faults.set_service(),
        "blocked",
        "target-has-no-selector",
        "target",
        "service/litellm selects no pods",
    ),
    Row(
        "port of the service edited",
        lambda s: s.faults.edit_service(port=5000),
        lambda s: s.faults.edit_service(port=4000),
        "blocked",
        "target-port-missing",
        "port",
        "service/litellm has no port 4000",
    ),
    Row(
        "target port edited to a name that no pod has",
        lambda s: s.faults.edit_service(target_port="web"),
        lambda s: s.faults.edit_service(target_port="http"),
        "blocked",
        "target-port-missing",
        "port",
        'names a port "web"',
    ),
)
CONFIGURATION = (
    Row(
        "configuration rejected",
        lambda s: s.write_config("nonsense = 3"),
        lambda s: s.write_config(),
        "ready",
        "config-invalid",
        "config",
        "nonsense",
        clients=frozenset({"ok"}),
    ),
    *(
        Row(
            f"key to put into requests: {what}",
            lambda s, hide=hide: (hide(s), s.inject_key()),  # type: ignore[misc]
            lambda s: s.faults.set_secret(values={"LITELLM_MASTER_KEY": "sk-demo-master-key"}),
            "degraded",
            "key-missing",
            "key",
            words,
            clients=frozenset({"ok"}),
        )
        for what, hide, words in (
            (
                "its Secret is missing",
                lambda s: s.faults.remove_secret(),
                "Namespace litellm has no Secret litellm-secrets",
            ),
            (
                "its Secret has no such entry",
                lambda s: s.faults.set_secret(values={"OTHER": "x"}),
                "has no entry LITELLM_MASTER_KEY",
            ),
        )
    ),
    Row(
        "kubeconfig gone",
        lambda s: s.cluster.kubeconfig.unlink(),
        lambda s: s.write_kubeconfig(),
        "degraded",
        "kubeconfig-missing",
        "kubeconfig",
        "there is no kubeconfig",
        clients=frozenset({"ok"}),
    ),
    Row(
        "kubeconfig that cannot be read",
        lambda s: s.cluster.kubeconfig.write_text("clusters: [a"),
        lambda s: s.write_kubeconfig(),
        "degraded",
        "kubeconfig-invalid",
        "kubeconfig",
        "not YAML",
        clients=frozenset({"ok"}),
    ),
    Row(
        "name of the API server that no one knows",
        lambda s: s.write_kubeconfig(server="https://kubernetes.nowhere.invalid:6443"),
        lambda s: s.write_kubeconfig(),
        "degraded",
        "api-server-unreachable",
        "api-server",
        "cannot reach kubernetes.nowhere.invalid:6443: ",
        # A resolver may take its time.
        within_s=10.0,
        clients=frozenset({"ok"}),
    ),
)
