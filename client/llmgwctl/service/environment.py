"""What the programs that the daemon starts (logins, the key's command) need of a service.

Their variables: a unit file is no place for a secret, so variables are taken by name, and one that
could hold a password is left out and reported. And their set-id bit: under NoNewPrivileges the
kernel ignores it, and such a program fails in ways that no message explains.
"""

from __future__ import annotations

import os
import re
import shutil
import stat
import tomllib
from typing import TYPE_CHECKING, Final, NamedTuple

from llmgwctl.rules import regular_file

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

# A list of files; kept whole, made absolute.
_FILE_LISTS: Final = ("KUBECONFIG",)
_FILES: Final = (
    "LLMGW_CONFIG",
    "LLMGW_SOCKET",
    "AWS_CONFIG_FILE",
    "AWS_SHARED_CREDENTIALS_FILE",
    "AWS_CA_BUNDLE",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "CLOUDSDK_CONFIG",
    "CLOUDSDK_PYTHON",
    "GOOGLE_APPLICATION_CREDENTIALS",
    "AZURE_CLIENT_CERTIFICATE_PATH",
    "AZURE_CONFIG_DIR",
    "AZURE_FEDERATED_TOKEN_FILE",
    "AAD_SERVICE_PRINCIPAL_CLIENT_CERTIFICATE",
    "TELEPORT_HOME",
    "OCI_CLI_CONFIG_FILE",
    "OCI_CLI_KEY_FILE",
    "OS_CLIENT_CONFIG_FILE",
    "SCW_CONFIG_PATH",
    "VAULT_CACERT",
    "KUBECACHEDIR",
    "KREW_ROOT",
    "ASDF_DATA_DIR",
    "CURL_CA_BUNDLE",
    "NODE_EXTRA_CA_CERTS",
    "REQUESTS_CA_BUNDLE",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    # NixOS and guix point TLS and the locale at these.
    "NIX_SSL_CERT_FILE",
    "LOCALE_ARCHIVE",
    "XDG_CONFIG_HOME",
    "XDG_CACHE_HOME",
)
_WORDS: Final = (
    "AWS_PROFILE",
    "AWS_REGION",
    "AWS_DEFAULT_REGION",
    "AWS_ROLE_ARN",
    "AWS_ROLE_SESSION_NAME",
    "AWS_SDK_LOAD_CONFIG",
    "AWS_STS_REGIONAL_ENDPOINTS",
    "AWS_USE_FIPS_ENDPOINT",
    "AWS_ENDPOINT_URL",
    "AWS_ENDPOINT_URL_STS",
    "CLOUDSDK_ACTIVE_CONFIG_NAME",
    "CLOUDSDK_CORE_ACCOUNT",
    "CLOUDSDK_CORE_PROJECT",
    "GOOGLE_CLOUD_PROJECT",
    "GOOGLE_CLOUD_QUOTA_PROJECT",
    "USE_GKE_GCLOUD_AUTH_PLUGIN",
    "AAD_LOGIN_METHOD",
    "AAD_SERVICE_PRINCIPAL_CLIENT_ID",
    "AAD_USER_PRINCIPAL_NAME",
    "AZURE_AUTHORITY_HOST",
    "AZURE_ENVIRONMENT",
    "AZURE_CLIENT_ID",
    "AZURE_TENANT_ID",
    "TELEPORT_CLUSTER",
    "TELEPORT_PROXY",
    "TELEPORT_USER",
    "OCI_CLI_AUTH",
    "OCI_CLI_PROFILE",
    "OCI_CLI_REGION",
    "DIGITALOCEAN_CONTEXT",
    "OS_CLOUD",
    "SCW_PROFILE",
    "VAULT_ADDR",
    "VAULT_NAMESPACE",
)
# How the variables begin that login plugins read: those that are not taken are reported.
_OF_PLUGINS: Final = (
    *("AAD_", "AWS_", "AZURE_", "CLOUDSDK_", "GOOGLE_", "OCI_", "TELEPORT_", "TSH_"),
    *("ALIBABA_", "ALICLOUD_", "DIGITALOCEAN_", "HCLOUD_", "IBMCLOUD_", "LINODE_", "OS_", "OVH_"),
    *("SCW_", "TENCENTCLOUD_", "YC_", "KUBELOGIN_", "OIDC_", "OKTA_", "PINNIPED_", "VAULT_"),
)
_LOGIN_IN_URL: Final = re.compile(r"://[^/]*@")
_PROXIES: Final = ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "NO_PROXY")

# Where macOS and nix keep programs; the shell that calls `install` may lack them.
_USUAL_FOLDERS: Final = (
    "/opt/homebrew/bin",
    "/usr/local/bin",
    "{home}/.nix-profile/bin",
    "/run/current-system/sw/bin",
    "/usr/bin",
    "/bin",
)


# kubeconfig is YAML, which the standard library does not read; the one key is always on one line.
_COMMAND = re.compile(r"^\s*(?:-\s+)?\"?command\"?:\s*[\"']?([^\"'\s#,}]+)", re.MULTILINE)


class Captured(NamedTuple):
    """The variables for the unit, and the names of those that a login may want and that are left
    out: they may hold a secret, or hold what no unit can.
    """

    variables: dict[str, str]
    withheld: tuple[str, ...]


def capture(environ: Mapping[str, str], folder: str) -> Captured:
    """Choose from the environment; relative paths are of `folder`."""
    found = {"PATH": search_path(environ)}
    for name in (*_FILE_LISTS, *_FILES):
        if environ.get(name):
            is_list, home = name in _FILE_LISTS, environ.get("HOME", "")
            found[name] = _absolute(environ[name], folder, home, is_list)
    found |= {name: environ[name] for name in _WORDS if environ.get(name)}
    of_plugins = (name for name in environ if environ[name] and name.startswith(_OF_PLUGINS))
    withheld = [name for name in of_plugins if name not in found]
    for name in (spelling for proxy in _PROXIES for spelling in (proxy, proxy.lower())):
        value = environ.get(name)
        # user:password@ is how a proxy's URL holds a password.
        if value and "@" in value:
            withheld.append(name)
        elif value:
            found[name] = value
    usable = {
        name: value
        for name, value in found.items()
        if value.isprintable() and not _LOGIN_IN_URL.search(value)
    }
    withheld += [name for name in found if name not in usable]
    return Captured(usable, tuple(withheld))


def search_path(environ: Mapping[str, str]) -> str:
    """Give PATH without relative, doubled and missing folders, and with the usual ones added."""
    usual = [folder.format(home=environ.get("HOME", "")) for folder in _USUAL_FOLDERS]
    folders = [*environ.get("PATH", "").split(os.pathsep), *usual]
    kept = [folder for folder in folders if os.path.isabs(folder) and os.path.isdir(folder)]
    return os.pathsep.join(dict.fromkeys(kept))


def _absolute(value: str, folder: str, home: str, is_list: bool) -> str:
    """Give paths that mean the same without a shell: no one expands a unit's "~"."""
    parts = value.split(os.pathsep) if is_list else [value]
    return os.pathsep.join(os.path.join(folder, _without_tilde(p, home)) for p in parts if p)


def _without_tilde(path: str, home: str) -> str:
    is_at_home = home and (path == "~" or path.startswith("~/"))
    return home + path[1:] if is_at_home else path


def setuid_programs(environ: Mapping[str, str], config_path: str, search_path: str) -> list[str]:
    """Name the set-id programs among those that kubeconfig and configuration call directly."""
    called = dict.fromkeys([*_of_kubeconfigs(environ), *_of_configuration(config_path)])
    return [program for program in called if _is_setuid(program, search_path)]


def commands_in(kubeconfig: str) -> list[str]:
    return _COMMAND.findall(kubeconfig)


def _of_kubeconfigs(environ: Mapping[str, str]) -> Iterator[str]:
    default = os.path.join(environ.get("HOME", ""), ".kube", "config")
    for path in (environ.get("KUBECONFIG") or default).split(os.pathsep):
        yield from commands_in(_text(_without_tilde(path, environ.get("HOME", ""))))


def _of_configuration(path: str) -> Iterable[str]:
    try:
        command = tomllib.loads(_text(path))["gateway"]["key"]["command"]
    except (ValueError, RecursionError, LookupError, TypeError):
        return []
    return [word for word in command[:1] if isinstance(word, str)]


def _text(path: str) -> str:
    try:
        return regular_file.read_text(path) if path else ""
    except OSError:
        return ""


def _is_setuid(program: str, search_path: str) -> bool:
    path = shutil.which(program, path=search_path)
    try:
        return path is not None and bool(os.stat(path).st_mode & (stat.S_ISUID | stat.S_ISGID))
    except OSError:
        return False
