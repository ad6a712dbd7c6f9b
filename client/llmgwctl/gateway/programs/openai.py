"""The OpenAI SDKs, and programs built on them that read the SDKs' variables."""

from __future__ import annotations

from llmgwctl.gateway.programs.program import USUAL_PROXIES, Lead, Program, rival

PROGRAM = Program(
    name="openai",
    title="OpenAI SDKs",
    commands=("llm", "openai"),
    leads=(
        Lead("OPENAI_BASE_URL", "{url}/v1"),
        # Read by aider and by openai-python before 1.0.
        Lead("OPENAI_API_BASE", "{url}/v1"),
        Lead("OPENAI_API_KEY", "{key}"),
    ),
    proxies=USUAL_PROXIES,
    rivals=(
        rival(r"OPENAI_API_TYPE", "it can lead the SDK to Azure"),
        rival(r"OPENAI_(\w+_)?(HOST|ENDPOINT)", "it names another place to ask"),
        rival(
            r"OPENAI_(ORG_ID|ORGANIZATION|PROJECT_ID|CUSTOM_HEADERS)",
            "the SDK sends what it names of an account of OpenAI's",
        ),
    ),
)
