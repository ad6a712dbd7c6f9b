"""Which conditions are shown: the causes, without what only follows from one of them.

Apart from the table of conditions, which `llmgwctl status` has no time to import.
"""

from __future__ import annotations

from llmgwctl.wire import Severity

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from llmgwctl.wire import ConditionStatus

_SEVERITIES: tuple[str, ...] = (Severity.ERROR, Severity.WARNING, Severity.INFO)


def visible(conditions: Sequence[ConditionStatus]) -> list[ConditionStatus]:
    """Give the causes, the worst first, else in the daemon's order."""
    found = [each for each in conditions if not each["hidden_by"]]
    return sorted(found, key=lambda each: _rank(each["severity"]))


def _rank(severity: str) -> int:
    return _SEVERITIES.index(severity) if severity in _SEVERITIES else len(_SEVERITIES)
