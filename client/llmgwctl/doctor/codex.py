"""Where Codex would go, by the provider that its configuration names. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from llmgwctl.doctor.line import shell_line
from llmgwctl.gateway import proxies
from llmgwctl.gateway.address import leads_to
from llmgwctl.gateway.changes import shown
from llmgwctl.gateway.programs.codex import PROGRAM
from llmgwctl.rules.models import is_offered
from llmgwctl.wire import CheckState, CheckStatus

if TYPE_CHECKING:
    from collections.abc import Mapping

    from llmgwctl.gateway.programs.program import Endpoint

_SETUP = "llmgwctl setup codex, or for once: llmgwctl run -- codex"


def check_codex(
    config: Mapping[str, object], environ: Mapping[str, str], endpoint: Endpoint
) -> CheckStatus:
    name, provider = _provider(config)
    if provider is None:
        return shell_line(
            CheckState.INFO, "Codex goes to OpenAI: it reads no OPENAI_BASE_URL", "", _SETUP
        )
    url, wanted = str(provider.get("base_url")), f"{endpoint.url}/v1"
    if not leads_to(url, wanted):
        found = f"Codex goes to {shown(url)}, the provider {name} of its configuration"
        return shell_line(CheckState.INFO, found, "", _SETUP)
    proxy = proxies.proxy_for(url, environ, PROGRAM.proxies)
    if proxy is not None:
        found = f"Codex sends requests to the forward to the proxy of {proxy}, key and all"
        hosts = ",".join(proxies.LOOPBACK)
        return shell_line(
            CheckState.WARNING, found, "", f"export NO_PROXY={hosts} no_proxy={hosts}"
        )
    variable = provider.get("env_key")
    if variable and not environ.get(str(variable)):
        found = f"Codex leads to {url}, and {variable}, where it takes the key from, is not set"
        return shell_line(CheckState.WARNING, found, "", _SETUP)
    model = config.get("model")
    if isinstance(model, str) and endpoint.models and not is_offered(model, endpoint.models):
        found = f"Codex leads to {url} and asks for {model}, which the gateway does not offer"
        remedy = "llmgwctl setup codex --model NAME, with one of: llmgwctl models"
        return shell_line(CheckState.WARNING, found, "", remedy)
    return shell_line(CheckState.OK, f"Codex leads to {url}, by its configuration")


def address_of(config: Mapping[str, object]) -> str:
    """Give the address of the provider that the configuration names, "" without one."""
    _, provider = _provider(config)
    return str((provider or {}).get("base_url") or "")


def _provider(config: Mapping[str, object]) -> tuple[str, dict[str, Any] | None]:
    name = str(config.get("model_provider"))
    providers = config.get("model_providers")
    provider = cast("dict[str, Any]", providers).get(name) if isinstance(providers, dict) else None
    return name, provider if isinstance(provider, dict) else None
