"""LiteLLM's own tools: litellm-proxy, its SDK, and scripts that hold the master key's variable."""

from __future__ import annotations

from llmgwctl.gateway.programs.program import USUAL_PROXIES, Lead, Program

PROGRAM = Program(
    name="litellm",
    title="LiteLLM's tools",
    commands=("litellm-proxy", "lite"),
    leads=(
        Lead("LITELLM_PROXY_URL", "{url}"),
        Lead("LITELLM_PROXY_API_BASE", "{url}"),
        Lead("LITELLM_PROXY_API_KEY", "{key}"),
        Lead("LITELLM_MASTER_KEY", "{key}"),
    ),
    proxies=USUAL_PROXIES,
)
