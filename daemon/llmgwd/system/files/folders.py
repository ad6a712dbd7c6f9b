"""Where the daemon keeps its own files, by the platform's rules.

The client finds them too, and the socket and the configuration are found before a package can be
imported: `llmgwctl.paths` holds the same rules in the standard library, and a test compares them.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import platformdirs

from llmgwctl.paths import APP, STATE_VARIABLE


def state_folder(environ: Mapping[str, str] = os.environ) -> Path:
    """Give the folder of what is kept across restarts: $LLMGW_STATE_DIR, or the platform's."""
    chosen = environ.get(STATE_VARIABLE)
    return Path(chosen) if chosen else platformdirs.user_state_path(APP, appauthor=False)
