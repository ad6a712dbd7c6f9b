"""How a forwarded connection ends, and what that proves. Pure: two tables and no bytes.

A forwarded connection is a pair of SPDY streams. The data stream carries the connection; the error
stream carries at most one sentence, and only it knows why a connection failed. They come through
different workers of the peer, so either may end first, and the end of one alone means little:

- A data stream that ends *after* bytes of the pod has ended as the pod wanted.
- A data stream that ends *without* a byte may be a pod that closed, or a dial that failed and whose
  sentence is still on its way. Both look the same for some milliseconds, so the verdict waits for
  the error stream, or for a grace. Judging at once was tried: one refused dial in thirty was then
  reported to the client as an empty answer instead of being sent to another pod.
- A reset says that something broke, never what.

What may be sent again is decided here, so the proof is strict. Before the peer's SYN_REPLY it has
not handled our SYN_STREAM, so it has dialled no one (`NEVER_ACCEPTED`). The SYN_REPLY itself does
not say that the pod was reached, only that it may have been; from then on nothing but the runtime's
own words for a failed dial prove anything, and not even those after a byte of the pod. A FIN or a
byte without SYN_REPLY breaks the protocol, but it is taken for acceptance: of two readings, the one
that sends less again.
"""

from __future__ import annotations

from enum import IntEnum, StrEnum
from typing import Final


class Data(StrEnum):
    """The peer's half of the data stream."""

    OPENING = "opening"  # nothing came from the peer yet
    ACCEPTED = "accepted"  # the peer may have dialled the pod
    ANSWERING = "answering"  # bytes of the pod came
    ENDED = "ended"  # by the pod, after bytes
    ENDED_EMPTY = "ended empty"
    BROKEN = "broken"  # reset after bytes
    RESET = "reset"  # without a byte, but accepted
    REFUSED = "refused"  # reset before it was accepted


class Event(StrEnum):
    """What the peer says of the data stream."""

    REPLY = "reply"
    BYTES = "bytes"
    FIN = "fin"
    RST = "rst"


class Error(IntEnum):
    """The error stream."""

    SILENT = 0  # nothing said, and open
    SPEAKING = 1  # words, and open
    OVER = 2  # ended, nothing said
    TOLD = 3  # words, and ended


class Verdict(StrEnum):
    WAIT = "wait"
    GRACE = "wait, but not for long"
    ENDED = "ended"
    FAILED_IN_WORDS = "failed, as the error stream says"
    BROKEN = "reset, and may have been received"
    NEVER_ACCEPTED = "reset, and provably received by no one"


_OPEN = (Data.OPENING, Data.ACCEPTED, Data.ANSWERING)
_NEXT: Final = {
    (Data.OPENING, Event.REPLY): Data.ACCEPTED,
    (Data.OPENING, Event.BYTES): Data.ANSWERING,
    (Data.OPENING, Event.FIN): Data.ENDED_EMPTY,
    (Data.OPENING, Event.RST): Data.REFUSED,
    (Data.ACCEPTED, Event.REPLY): Data.ACCEPTED,
    (Data.ACCEPTED, Event.BYTES): Data.ANSWERING,
    (Data.ACCEPTED, Event.FIN): Data.ENDED_EMPTY,
    (Data.ACCEPTED, Event.RST): Data.RESET,
    (Data.ANSWERING, Event.REPLY): Data.ANSWERING,
    (Data.ANSWERING, Event.BYTES): Data.ANSWERING,
    (Data.ANSWERING, Event.FIN): Data.ENDED,
    (Data.ANSWERING, Event.RST): Data.BROKEN,
    # A dial that failed ends both streams and then resets them.
    (Data.ENDED_EMPTY, Event.RST): Data.RESET,
}

_W, _G, _E, _F = Verdict.WAIT, Verdict.GRACE, Verdict.ENDED, Verdict.FAILED_IN_WORDS
_B, _N = Verdict.BROKEN, Verdict.NEVER_ACCEPTED
_VERDICTS: Final = {
    #                 SILENT SPEAKING OVER TOLD
    Data.OPENING: (_W, _W, _W, _F),
    Data.ACCEPTED: (_W, _W, _W, _F),
    Data.ANSWERING: (_W, _W, _W, _F),
    Data.ENDED: (_E, _F, _E, _F),
    Data.ENDED_EMPTY: (_G, _G, _E, _F),
    Data.BROKEN: (_B, _F, _B, _F),
    Data.RESET: (_G, _G, _B, _F),
    Data.REFUSED: (_G, _G, _N, _F),
}


def step(data: Data, event: Event) -> Data:
    """Return the state after an event; what comes after the end changes nothing."""
    return _NEXT.get((data, event), data)


def speak(error: Error) -> Error:
    """Words came on the error stream."""
    return Error.SPEAKING if error is Error.SILENT else error


def end(error: Error) -> Error:
    """The error stream ended, by a FIN or a reset."""
    return _ENDED.get(error, error)


_ENDED: Final = {Error.SILENT: Error.OVER, Error.SPEAKING: Error.TOLD}


def judge(data: Data, error: Error, *, is_grace_over: bool = False) -> Verdict:
    """Say how the connection ended. After the grace, an open error stream counts as ended."""
    return _VERDICTS[data][end(error) if is_grace_over else error]


def is_open(data: Data) -> bool:
    """May bytes of the pod still come?"""
    return data in _OPEN


def has_answered(data: Data) -> bool:
    return data in (Data.ANSWERING, Data.ENDED, Data.BROKEN)


def is_error_over(error: Error) -> bool:
    return error in (Error.OVER, Error.TOLD)


def is_unaccepted(data: Data) -> bool:
    """Has the peer provably dialled no one for this stream?"""
    return data in (Data.OPENING, Data.REFUSED)
