"""Where opencode and aider would go, by what their own files name. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from llmgwctl.doctor.line import shell_line
from llmgwctl.gateway.address import leads_to
from llmgwctl.gateway.changes import shown
from llmgwctl.gateway.programs.opencode import OPENAI, PROVIDER
from llmgwctl.wire import CheckState, CheckStatus

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from llmgwctl.gateway.programs.program import Endpoint

_KEY = "OPENAI_API_KEY"


def check_opencode(
    config: Mapping[str, Any], environ: Mapping[str, str], endpoint: Endpoint
) -> Iterator[CheckStatus]:
    """Judge it where its configuration leads here; elsewhere is a person's own choice."""
    url, options = opencode_address(config), _options(config, PROVIDER)
    if not leads_to(url, f"{endpoint.url}/v1"):
        return
    provider, _, _ = str(config.get("model") or PROVIDER).partition("/")
    setup = "llmgwctl setup opencode --model NAME, with one of: llmgwctl models"
    if provider not in (PROVIDER, OPENAI):
        found = f"opencode leads to {shown(url)}, and its model is {config['model']}, of another"
        yield shell_line(CheckState.WARNING, found, "that provider is asked", setup)
    elif f"{{env:{_KEY}}}" in str(options.get("apiKey")) and not environ.get(_KEY):
        found = f"opencode leads to {shown(url)}, and {_KEY}, where it takes the key from, is unset"
        yield shell_line(CheckState.WARNING, found, "", 'eval "$(llmgwctl env --for opencode)"')
    else:
        yield shell_line(CheckState.OK, f"opencode leads to {shown(url)}, by its configuration")


def opencode_address(config: Mapping[str, Any]) -> str:
    return str(_options(config, PROVIDER).get("baseURL") or "")


def _options(config: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    held: Any = config
    for key in ("provider", name, "options"):
        held = held.get(key) if isinstance(held, dict) else None
    return held if isinstance(held, dict) else {}


def check_aider(
    settings: Mapping[str, str], environ: Mapping[str, str], endpoint: Endpoint
) -> Iterator[CheckStatus]:
    url = settings.get("openai-api-base", "")
    if not leads_to(url, f"{endpoint.url}/v1"):
        return
    model = settings.get("model", "")
    if model and not model.startswith("openai/"):
        found = f"aider leads to {shown(url)}, and its model is {model}: that provider is asked"
        yield shell_line(CheckState.WARNING, found, "", "llmgwctl setup aider")
    elif not (environ.get(_KEY) or settings.get("openai-api-key")):
        found = f"aider leads to {shown(url)}, and {_KEY}, where it takes the key from, is unset"
        yield shell_line(CheckState.WARNING, found, "", 'eval "$(llmgwctl env --for aider)"')
    else:
        yield shell_line(CheckState.OK, f"aider leads to {shown(url)}, by its settings")
