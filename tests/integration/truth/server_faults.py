"""Faults of the API server, of the network before it, of logins and permissions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from row import BY_SILENCE_S, CUT, NO_BLAME, Row

if TYPE_CHECKING:
    from scene import Scene


def flap(scene: Scene) -> None:
    for _ in range(3):
        scene.faults.api_down()
        scene.daemon.wait_for("reconnecting")
        scene.faults.api_up()
        scene.daemon.wait_for("ready")
    scene.faults.api_down()


def show(scene: Scene, kind: str) -> None:
    scene.faults.show_certificate(kind=kind)
    scene.faults.cut()


def fail(scene: Scene, status: int) -> None:
    scene.faults.fail_requests(status=status, retry_after_s=1)
    scene.faults.close_watches()


NETWORK = (
    Row(
        "black hole",
        lambda s: s.faults.black_hole(),
        lambda s: s.faults.restore(cut=True),
        "reconnecting",
        "api-server-unreachable",
        "api-server",
        "what is sent goes nowhere",
        within_s=BY_SILENCE_S,
        clients=CUT,
    ),
    *(
        Row(
            f"a portal's {status} in the way",
            lambda s, status=status: (s.faults.captive_portal(status=status), s.faults.cut()),  # type: ignore[misc]
            lambda s: s.faults.captive_portal(status=None),
            "reconnecting",
            "api-server-failing",
            "api-server",
            "something that is no API server",
            never=NO_BLAME - {"upgrade-refused"},
            clients=CUT,
        )
        for status in (302, 401, 403, 503)
    ),
)
SERVER = (
    Row(
        "API server down",
        lambda s: s.faults.api_down(),
        lambda s: s.faults.api_up(),
        "reconnecting",
        "api-server-unreachable",
        "api-server",
        "refused",
        clients=CUT,
    ),
    Row(
        "API server down, its roles loaded a second after its start",
        lambda s: s.faults.api_down(),
        lambda s: s.faults.api_up(rbac_after_s=1.0),
        "reconnecting",
        "api-server-unreachable",
        "api-server",
        "refused",
        clients=CUT,
        role="create-only",
    ),
    Row(
        "API server that comes and goes",
        flap,
        lambda s: s.faults.api_up(),
        "reconnecting",
        "api-server-unreachable",
        "api-server",
        "refused",
        clients=CUT,
        is_steady=False,
    ),
    Row(
        "API server hangs",
        lambda s: (s.faults.hang(), s.faults.cut()),
        lambda s: s.faults.hang(hangs=False),
        "reconnecting",
        "api-server-unreachable",
        "api-server",
        "what is sent goes nowhere, or the server hangs",
        within_s=BY_SILENCE_S,
        clients=CUT,
    ),
    *(
        Row(
            f"API server answers {status} to all but upgrades",
            lambda s, status=status: fail(s, status),  # type: ignore[misc]
            lambda s: s.faults.fail_requests(status=200, count=0),
            "degraded",
            "api-server-failing",
            "api-server",
            f"the API server answered {status}",
            clients=frozenset({"ok"}),
        )
        for status in (429, 503)
    ),
    *(
        Row(
            f"certificate of the API server: {kind}",
            lambda s, kind=kind: show(s, kind),  # type: ignore[misc]
            lambda s: s.faults.show_certificate(kind=None),
            "blocked",
            "tls-untrusted",
            "api-server",
            words,
            clients=CUT,
        )
        for kind, words in (
            ("expired", "certificate has expired"),
            ("not-yet-valid", "certificate is not yet valid"),
            ("another-name", "certificate is not valid for '127.0.0.1'"),
            ("another-authority", "unable to get local issuer certificate"),
        )
    ),
)
LOGIN = (
    Row(
        "permission to forward taken away, and every tunnel cut",
        lambda s: (s.faults.deny(verb="create", resource="pods/portforward"), s.faults.cut()),
        lambda s: s.faults.allow(),
        "blocked",
        "permission-denied",
        "permissions",
        "may not create pods/portforward",
        never=frozenset(),
        clients=CUT,
        role="create-only",
    ),
    *(
        Row(
            f"port-forwards denied by a policy with {status}",
            lambda s, status=status: (  # type: ignore[misc]
                s.faults.deny_by_policy(words="no port-forward in production", status=status),
                s.faults.cut(),
            ),
            lambda s: s.faults.deny_by_policy(words=None),
            "blocked",
            "permission-denied",
            "ways-in",
            "denied the request: no port-forward in production",
            never=frozenset({"upgrade-refused", "login-expired"}),
            clients=CUT,
        )
        for status in (400, 403)
    ),
    Row(
        "login refused",
        lambda s: (s.faults.revoke_token(), s.faults.cut()),
        lambda s: s.faults.restore_token(),
        "blocked",
        "login-expired",
        "login",
        "the cluster does not accept the login (401)",
        never=frozenset({"permission-denied"}),
        clients=CUT,
    ),
    *(
        Row(
            f"login program {name}",
            lambda s, script=script, cut=state != "degraded": s.log_in_by(script, cut=cut),  # type: ignore[misc]
            lambda s: s.write_kubeconfig(),
            state,
            kind,
            "login" if "accept" in words else "exec-plugin",
            words,
            within_s=within_s,
            never=frozenset({"permission-denied", "api-server-unreachable"}),
            clients=CUT,
        )
        for name, script, state, kind, words, within_s in (
            (
                "whose session has expired",
                "echo 'Your session has expired, log in' >&2; exit 1",
                "blocked",
                "login-expired",
                "Your session has expired, log in",
                2.0,
            ),
            ("missing", "", "blocked", "login-plugin-failed", "No such file or directory", 2.0),
            (
                "without a network, while tunnels stand",
                "echo 'dial tcp: lookup login.corp: no such host' >&2; exit 1",
                "degraded",
                "login-plugin-failed",
                "no such host",
                2.0,
            ),
            (
                "whose login was over when it was made, by this machine's clock",
                """echo '{"apiVersion": "client.authentication.k8s.io/v1", "kind":"""
                """ "ExecCredential", "status": {"token": "over", "expirationTimestamp":"""
                """ "2020-01-01T00:00:00Z"}}'""",
                "blocked",
                "login-expired",
                "does not accept the login",
                2.0,
            ),
            (
                "that hangs",
                "sleep 60",
                "reconnecting",
                "login-plugin-failed",
                "it may wait for a person",
                BY_SILENCE_S,
            ),
            (
                "that prints rubbish",
                "echo hello",
                "blocked",
                "login-plugin-failed",
                "printed what is no ExecCredential",
                2.0,
            ),
        )
    ),
)
