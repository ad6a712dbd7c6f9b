"""Writes kubeconfigs for the simulated cluster, with credentials in each form people have them."""

from __future__ import annotations

import base64
import json
import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from llmgwsim.net.tls import Identity


@dataclass(frozen=True)
class Exec:
    """An exec plugin stanza; `interactive_mode` as Kubernetes names it."""

    command: str
    args: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    interactive_mode: str = "IfAvailable"
    install_hint: str = ""
    provides_cluster_info: bool = False


@dataclass(frozen=True)
class Credentials:
    """One way to log in; the first that is set is written."""

    token: str = ""
    token_file: Path | None = None
    client: Identity | None = None
    exec: Exec | None = None


def kubeconfig(
    server: str,
    authority: bytes,
    credentials: Credentials,
    *,
    context: str = "demo",
    namespace: str = "litellm",
    proxy_url: str = "",
    tls_server_name: str = "",
    insecure: bool = False,
) -> dict[str, Any]:
    """A kubeconfig with one cluster, user and context, all of the same name."""
    cluster: dict[str, Any] = {"server": server}
    if insecure:
        cluster["insecure-skip-tls-verify"] = True
    else:
        cluster["certificate-authority-data"] = _coded(authority)
    if proxy_url:
        cluster["proxy-url"] = proxy_url
    if tls_server_name:
        cluster["tls-server-name"] = tls_server_name
    place = {"cluster": context, "user": context, "namespace": namespace}
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": context, "cluster": cluster}],
        "users": [{"name": context, "user": _user(credentials)}],
        "contexts": [{"name": context, "context": place}],
        "current-context": context,
    }


def write_kubeconfig(path: Path, document: Mapping[str, Any]) -> Path:
    """Write a kubeconfig, readable by its owner alone, in one rename; return its path.

    JSON is YAML, and every reader of kubeconfigs takes it.
    """
    draft = path.with_name(f".{path.name}.new")
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with open(descriptor, "w", encoding="utf-8") as file:
        json.dump(document, file, indent=2)
    draft.replace(path)
    return path


def _user(credentials: Credentials) -> dict[str, Any]:
    if credentials.token:
        return {"token": credentials.token}
    if credentials.token_file is not None:
        return {"tokenFile": str(credentials.token_file)}
    if credentials.client is not None:
        client = credentials.client
        return {
            "client-certificate-data": _coded(client.certificate),
            "client-key-data": _coded(client.key),
        }
    if credentials.exec is not None:
        return {"exec": _exec(credentials.exec)}
    return {}


def _exec(plugin: Exec) -> dict[str, Any]:
    stanza: dict[str, Any] = {
        "apiVersion": "client.authentication.k8s.io/v1",
        "command": plugin.command,
        "args": list(plugin.args),
        "env": [{"name": name, "value": value} for name, value in plugin.env.items()],
        "interactiveMode": plugin.interactive_mode,
        "provideClusterInfo": plugin.provides_cluster_info,
    }
    if plugin.install_hint:
        stanza["installHint"] = plugin.install_hint
    return stanza


def _coded(text: bytes) -> str:
    return base64.b64encode(text).decode()
