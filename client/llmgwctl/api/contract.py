"""Whether an answer of the daemon is as the contract says: asked once a verb has failed on it.

Not at each answer: the types take longer to make than all the rest of `llmgwctl status`, and an
answer with less than the contract may still hold all that a verb needs.
"""

from __future__ import annotations

import types
import typing
from typing import TYPE_CHECKING, Any

from llmgwctl import payloads
from llmgwctl.errors import Unreachable
from llmgwctl.wire import API_VERSION, ApiPath

if TYPE_CHECKING:
    from collections.abc import Iterable

_KINDS: dict[str, Any] = {
    ApiPath.STATUS: payloads.Status,
    ApiPath.HEALTH: payloads.Health,
    ApiPath.EVENTS: payloads.Event,
    ApiPath.RELOAD: payloads.ConfigStatus,
    ApiPath.KEY: payloads.KeyStatus,
    ApiPath.MODELS: payloads.ModelsStatus,
    ApiPath.LOGS: payloads.LogLine,
    ApiPath.REQUESTS: payloads.RequestRecord,
    ApiPath.SPEND: payloads.Spend,
    ApiPath.DOCTOR: payloads.CheckStatus,
}


def odd_answer(answers: Iterable[tuple[str, Any]]) -> Unreachable | None:
    """Make the error for the first answer, by its path, that is not of the contract's shape."""
    for path, answer in answers:
        kind = _KINDS.get(path)
        if path.startswith("/v1/forwards/"):
            kind = payloads.ForwardStatus
        fault = "" if kind is None else fault_of(answer, kind)
        if fault:
            return Unreachable(
                "answer-odd",
                f"llmgwd's answer to {path} is not v{API_VERSION} of the control API: {fault}",
                "compare: llmgwctl version",
            )
    return None


def fault_of(value: Any, kind: Any, place: str = "it") -> str:
    """Say where a value is not of a payload's type; "" where it is. Unknown members are none."""
    if typing.is_typeddict(kind):
        if not isinstance(value, dict):
            return f"{place} is no object"
        hints = typing.get_type_hints(kind)
        missing = [name for name in hints if name in kind.__required_keys__ and name not in value]
        if missing:
            return f"{place} has no {missing[0]}"
        members = ((value[name], hints[name], name) for name in hints if name in value)
        return _first(fault_of(each, hint, f"{place}.{name}") for each, hint, name in members)
    if typing.get_origin(kind) is list:
        if not isinstance(value, list):
            return f"{place} is no list"
        (inner,) = typing.get_args(kind)
        return _first(fault_of(each, inner, f"{place}[{n}]") for n, each in enumerate(value))
    if typing.get_origin(kind) in (types.UnionType, typing.Union):
        faults = [fault_of(value, each, place) for each in typing.get_args(kind)]
        return "" if "" in faults else faults[0]
    return "" if _is_a(value, kind) else f"{place} is no {kind.__name__}"


def _first(faults: Iterable[str]) -> str:
    return next((fault for fault in faults if fault), "")


def _is_a(value: Any, kind: type) -> bool:
    if kind in (int, float):
        return isinstance(value, (int, kind)) and not isinstance(value, bool)
    return isinstance(value, kind)
