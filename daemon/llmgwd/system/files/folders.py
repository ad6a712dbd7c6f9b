"""Where the daemon keeps its own files, by the platform's rules.

The socket and the configuration file are found before a package can be imported, and by the client
too: `llmgwctl.paths` holds the same rules in the standard library, and a test compares the two.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import platformdirs

from llmgwctl.paths import APP

STATE_VARIABLE: Final = "LLMGW_STATE_DIR"


def state_folder(environ: Mapping[str, str] = os.environ) -> Path:
    """Give the folder of what is kept across restarts: $LLMGW_STATE_DIR, or the platform's."""
    chosen = environ.get(STATE_VARIABLE)
    return Path(chosen) if chosen else platformdirs.user_state_path(APP, appauthor=False)
