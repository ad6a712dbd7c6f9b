"""Where a gateway's key comes from: one of four sources, as data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Env:
    """A variable of the daemon's own environment."""

    name: str


@dataclass(frozen=True, slots=True)
class File:
    path: str


@dataclass(frozen=True, slots=True)
class Command:
    """A program and its arguments; it prints the key."""

    words: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Secret:
    """An entry of a Secret in the forward's namespace."""

    name: str
    entry: str

    def __str__(self) -> str:
        return f"{self.name}/{self.entry}"


KeySource = Env | File | Command | Secret

# What the raw manifests of the LiteLLM documentation create.
DEFAULT: Final = Secret("litellm-secrets", "LITELLM_MASTER_KEY")
