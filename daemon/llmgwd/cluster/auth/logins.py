"""Which kind of login a kubeconfig's user is."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from llmgwd.cluster.auth import exec_plugin, oidc
from llmgwd.cluster.auth.credentials import (
    FixedLogin,
    Login,
    TokenFileLogin,
    basic,
    fixed_headers,
)
from llmgwd.cluster.auth.entry_rules import (
    has_certificate,
    refuse_contradictions,
    refuse_odd_values,
    refuse_username,
)
from llmgwd.cluster.auth.login_files import login_files
from llmgwd.cluster.auth.renewal import RenewingLogin
from llmgwd.cluster.kubeconfig.kubeconfig import login_in_server
from llmgwd.cluster.kubectl import Kubectl

if TYPE_CHECKING:
    from llmgwd.cluster.kubeconfig.kubeconfig import Entry, Kubeconfig


def login_for(chosen: Kubeconfig) -> Login:
    """Choose in kubectl's order: what stands in the server's URL, a token file (and the token
    beside it while that cannot be read), a token or password, a client certificate before a plugin,
    but beside a provider's token; else no login. Over plain HTTP there is only the URL's: anyone on
    the way could read another. What is not used must be without mistakes all the same.

    Raises:
        Blocked: a mistake in the user's entry, or a provider that Kubernetes no longer has.
    """
    user = chosen.user
    refuse_odd_values(user, chosen.cluster)
    refuse_contradictions(user)
    entry, provider = user.mapping("exec"), user.mapping("auth-provider")
    if entry is not None:
        exec_plugin.check(entry)
    if (pair := login_in_server(chosen.cluster)) is not None:
        return FixedLogin(basic(*pair), f"Renew the login in {chosen.cluster.where}: server.")
    if not chosen.server.is_tls:
        return FixedLogin(
            {}, f"Have {chosen.cluster.where} lead to https: over plain HTTP no login is sent."
        )
    if provider is not None:
        _check_provider(provider)
    if path := user.path("tokenFile"):
        refuse_username(user, beside="tokenFile")
        return TokenFileLogin(path, f"{user.where}: tokenFile", user.text("token"))
    if headers := fixed_headers(user):
        return FixedLogin(headers, f"Log in to the cluster again, so that {user.where} is renewed.")
    if entry is not None and not has_certificate(user):
        return _by_plugin(chosen, entry)
    if provider is not None:
        return oidc.login(provider, Kubectl(chosen.context, chosen.files))
    return FixedLogin({}, f"{user.where} must hold a login: a token, a certificate or a plugin")


def plugin_command(chosen: Kubeconfig) -> str | None:
    """The program that `login_for` would have log in, as the kubeconfig names it."""
    user = chosen.user
    if not chosen.server.is_tls or user.path("tokenFile") or has_certificate(user):
        return None
    if login_in_server(chosen.cluster) is not None:
        return None
    entry = None if fixed_headers(user) else user.mapping("exec")
    return entry.text("command") if entry else None


def _by_plugin(chosen: Kubeconfig, entry: Entry) -> Login:
    described = exec_plugin.parse_plugin(chosen, entry)
    parts = described.command, described.arguments, described.environment
    return RenewingLogin(
        partial(exec_plugin.renew, described),
        files=login_files(*parts),
        remedy=described.remedy,
        name=f"the login plugin {described.command}",
    )


def _check_provider(entry: Entry) -> None:
    name = entry.text("name")
    if name != "oidc":
        raise entry.mistake(
            "name",
            f'is "{name}"; allowed is oidc (the others left Kubernetes with 1.26)',
            "Make the kubeconfig anew with your cloud's own tool: it will use a login plugin.",
        )
    config = entry.mapping("config")
    for key in ("idp-issuer-url", "client-id"):
        if config is None or not config.text(key):
            raise entry.mistake("config", f"is without {key}")
