"""What a person does to log in again with the plugins that most clusters use, and the files in
which those keep their logins. Data and its look-up; pure.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from llmgwd.errors import command as quoted

if TYPE_CHECKING:
    from llmgwd.cluster.kubectl import Kubectl


@dataclass(frozen=True, slots=True)
class KnownPlugin:
    """`command` logs in; `options` of the plugin's are repeated in it; `files` change then."""

    command: str
    options: Mapping[str, str]  # option or environment variable of the plugin's → of the command
    files: tuple[str, ...]


_AWS = KnownPlugin(
    "aws sso login",
    {"--profile": "--profile", "AWS_PROFILE": "--profile"},
    ("~/.aws/sso/cache", "~/.aws/credentials", "~/.aws/config"),
)
_GOOGLE = KnownPlugin("gcloud auth login", {}, ("~/.config/gcloud/credentials.db",))
_AZURE = KnownPlugin("az login", {"--tenant-id": "--tenant"}, ("~/.azure/msal_token_cache.json",))
_TELEPORT = KnownPlugin("tsh login", {"--proxy": "--proxy"}, ("~/.tsh",))
_ORACLE = KnownPlugin("oci session authenticate", {"--profile": "--profile-name"}, ("~/.oci",))
_OPENID = KnownPlugin("kubectl oidc-login get-token", {}, ("~/.kube/cache/oidc-login",))

KNOWN: Mapping[str, KnownPlugin] = {
    "aws": _AWS,
    "aws-iam-authenticator": _AWS,
    "gke-gcloud-auth-plugin": _GOOGLE,
    "gcloud": _GOOGLE,
    "az": _AZURE,
    "kubelogin": _AZURE,
    "tsh": _TELEPORT,
    "oci": _ORACLE,
    "doctl": KnownPlugin("doctl auth init", {}, ("~/.config/doctl/config.yaml",)),
    "oidc-login": _OPENID,
    "kubectl-oidc_login": _OPENID,
}


def recognise(command: str, arguments: Sequence[str]) -> KnownPlugin | None:
    """Recognise a plugin by its program, or by kubectl's own plugin that it calls."""
    name = os.path.basename(command)
    if name == "kubectl" and arguments:
        name = arguments[0]
    if name == "kubelogin" and any("oidc-issuer-url" in argument for argument in arguments):
        # Two programs share this name: Azure's and the one for any OpenID provider.
        return _OPENID
    return KNOWN.get(name)


def login_command(
    command: str, arguments: Sequence[str], environment: Mapping[str, str], kubectl: Kubectl
) -> str:
    """The command that logs a person in again."""
    known = recognise(command, arguments)
    if known is None or known is _OPENID:
        return look(kubectl)
    words = known.command.split()
    for option, word in known.options.items():
        value = environment.get(option) or _option(arguments, option)
        if value:
            words += [word, value]
            break
    return quoted(*words)


def look(kubectl: Kubectl) -> str:
    """The command by which kubectl asks for the login itself."""
    return kubectl.command("get", "pods")


def _option(arguments: Sequence[str], option: str) -> str:
    for at, argument in enumerate(arguments):
        if argument == option and at + 1 < len(arguments):
            return arguments[at + 1]
        if argument.startswith(f"{option}="):
            return argument.partition("=")[2]
    return ""
