"""avante.nvim, whose address comes from lua only; a variable of its own can hold the key."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from llmgwctl.gateway.programs.program import Lead, Program

if TYPE_CHECKING:
    from collections.abc import Sequence

PROGRAM = Program(
    name="avante",
    title="avante.nvim",
    commands=("nvim",),
    leads=(Lead("AVANTE_OPENAI_API_KEY", "{key}"),),
    # It runs curl, which for http:// reads the lower case only.
    proxies=("http_proxy", "all_proxy", "ALL_PROXY"),
)


KEY_COMMAND = ("llmgwctl", "key")


def lines(url: str, model: str = "", key_command: Sequence[str] = KEY_COMMAND) -> list[str]:
    """Give what its setup needs: the provider's name, without which it stays at Anthropic's."""
    return [
        'provider = "openai",',
        "providers = {",
        "  openai = {",
        f'    endpoint = "{url}/v1",',
        f"    model = {_quoted(model or 'MODEL')},",
        f"    api_key_name = {_quoted(f'cmd:{shlex.join(key_command)}')},",
        "  },",
        "},",
    ]


def _quoted(text: str) -> str:
    """Quote for lua."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def notes(url: str, key_command: Sequence[str] = KEY_COMMAND) -> list[str]:
    """Say what no variable can, for a comment."""
    heading = "avante.nvim reads its address from lua only; in its setup:"
    return [heading, *(f"  {line}" for line in lines(url, "", key_command))]
