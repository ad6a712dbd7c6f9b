"""avante.nvim, whose address comes from lua only; a variable of its own can hold the key."""

from __future__ import annotations

from llmgwctl.gateway.programs.program import Lead, Program

PROGRAM = Program(
    name="avante",
    title="avante.nvim",
    commands=("nvim",),
    leads=(Lead("AVANTE_OPENAI_API_KEY", "{key}"),),
    # It runs curl, which for http:// reads the lower case only.
    proxies=("http_proxy", "all_proxy", "ALL_PROXY"),
)


def lines(url: str, model: str = "") -> list[str]:
    """Give what its setup needs: the provider's name, without which it stays at Anthropic's."""
    return [
        'provider = "openai",',
        "providers = {",
        "  openai = {",
        f'    endpoint = "{url}/v1",',
        f'    model = "{model or "MODEL"}",',
        '    api_key_name = "cmd:llmgwctl key",',
        "  },",
        "},",
    ]


def notes(url: str) -> list[str]:
    """Say what no variable can, for a comment."""
    heading = "avante.nvim reads its address from lua only; in its setup:"
    return [heading, *(f"  {line}" for line in lines(url))]
