"""A hook of the wheel's build: the manual page and the completions, made from the verbs' parsers.

`man llmgwctl` and the shells find them below an environment's share/, where it is searched.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

# Where each shell looks of itself.
COMPLETIONS = {
    "bash": "share/bash-completion/completions/llmgwctl",
    "zsh": "share/zsh/site-functions/_llmgwctl",
    "fish": "share/fish/vendor_completions.d/llmgwctl.fish",
}


class SharedFiles(BuildHookInterface[Any]):
    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        # Help is laid out for the terminal; the page is the same from any.
        os.environ["COLUMNS"] = "80"
        sys.path.insert(0, str(Path(self.root, "client")))
        from llmgwctl.cli.completion import SCRIPTS
        from llmgwctl.cli.manual import man_page

        texts = {COMPLETIONS[shell]: script for shell, script in SCRIPTS.items()}
        texts["share/man/man1/llmgwctl.1"] = man_page()
        self._drafts = tempfile.TemporaryDirectory()
        for place, text in texts.items():
            draft = Path(self._drafts.name, place)
            draft.parent.mkdir(parents=True, exist_ok=True)
            draft.write_text(text, encoding="utf-8")
            build_data["shared_data"][str(draft)] = place

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        self._drafts.cleanup()
