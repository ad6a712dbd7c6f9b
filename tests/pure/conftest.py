"""Settings of the pure tests."""

from __future__ import annotations

import os

from hypothesis import settings

# Examples take longer than 200 ms where other workers have the processors. On CI hypothesis
# chooses a profile of its own, which has no deadline either.
if os.environ.get("CI") != "true":
    settings.register_profile("beside others", deadline=None)
    settings.load_profile("beside others")
