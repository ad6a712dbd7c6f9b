"""What is wrong, by name: a small ordered set that follows from errors. Pure.

A condition keeps its `since` for as long as it stands, however often its words change. What is
known of each kind stands in `llmgwctl.rules.condition_kinds`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from llmgwctl.rules.condition_kinds import RULES, causes
from llmgwctl.wire import ConditionKind, Severity
from llmgwd.telemetry.redaction import redact

if TYPE_CHECKING:
    from llmgwd.errors import LlmgwError

_WORST_FIRST: Final = (Severity.ERROR, Severity.WARNING, Severity.INFO)


@dataclass(frozen=True, slots=True)
class Condition:
    """A fact that is wrong. `since` is RFC 3339; `remedy` may be empty."""

    kind: ConditionKind
    severity: Severity
    since: str
    summary: str
    remedy: str = ""
    # The summary for the users of the port: without what others have said.
    public: str = field(default="", compare=False)


def severity_of(kind: ConditionKind, *, is_serving: bool) -> Severity:
    """Say how bad it is: what would keep from serving is a warning while something serves."""
    severity = RULES[kind].severity
    return Severity.WARNING if is_serving and severity is Severity.ERROR else severity


@dataclass(frozen=True, slots=True)
class Conditions:
    """The conditions that stand, at most one of a kind, the oldest first."""

    standing: tuple[Condition, ...] = ()

    def __iter__(self) -> Iterator[Condition]:
        return iter(self.standing)

    def __len__(self) -> int:
        return len(self.standing)

    def get(self, kind: ConditionKind) -> Condition | None:
        return next((each for each in self.standing if each.kind is kind), None)

    def hidden_by(self, kind: ConditionKind) -> ConditionKind | None:
        """Name the standing cause of which this kind is only a consequence."""
        return next((cause for cause in causes(kind) if self.get(cause) is not None), None)

    def worst(self) -> Condition | None:
        """Give the one to report first: the worst that hides behind no other."""
        plain = [each for each in self.standing if self.hidden_by(each.kind) is None]
        return min(plain, key=lambda each: _WORST_FIRST.index(each.severity), default=None)

    def renewed(self, problems: Iterable[LlmgwError], now: str, *, is_serving: bool) -> Conditions:
        """Give the conditions that stand now that these are the problems.

        Of two errors of one kind the first counts. Conditions that stood before stay in front,
        with their `since`.
        """
        errors: dict[ConditionKind, LlmgwError] = {}
        for error in problems:
            errors.setdefault(ConditionKind(error.code), error)
        stayed = [each.kind for each in self.standing if each.kind in errors]
        came = [kind for kind in errors if kind not in stayed]
        return Conditions(
            tuple(
                Condition(
                    kind,
                    severity_of(kind, is_serving=is_serving),
                    old.since if (old := self.get(kind)) is not None else now,
                    redact(sentence(errors[kind].message)),
                    redact(errors[kind].remedy),
                    redact(sentence(errors[kind].public)),
                )
                for kind in (*stayed, *came)
            )
        )


def sentence(text: str) -> str:
    """Give a message its capital and its full stop; many are worded to follow a colon."""
    text = " ".join(text.split())
    if not text:
        return text
    # A name at the beginning stays as it is written.
    first = text.partition(" ")[0]
    if first.isalpha() and first.islower():
        text = text[0].upper() + text[1:]
    return text if text[-1] in ".!?…”" else f"{text}."
