"""What follows when a stream is gone before its answer was whole. Pure.

The proof that a request may be sent again, and what follows from its lack:

- Nothing of it was received when no route gave a stream, or when the stream says so itself: the
  pod refused the connection, the API server never accepted the stream, the connection to a URL
  broke before its first byte was written. Then it goes out again, whatever its method: as often as
  pods and routes are found, within its hold. A byte of an answer, even of a 1xx head, proves the
  opposite, whatever the stream says.
- Otherwise it may have been received. A method that is safe is repeated once, at another pod if
  there is one. For everything else the client decides: it gets a 502 in its dialect, which says
  that the request may have been received. Repeating a POST by ourselves would pay for two answers,
  and run a tool call twice; not answering at all (a reset, as every port-forwarder gives) makes
  most clients give up, because their HTTP library cannot say what happened.
- What is not kept whole any more (above the limits of `kept_request`) cannot be sent again by us.
  Where no one received it, its client gets a 503 that says so, and may repeat it without a doubt.
- Once the final head of an answer has been passed on, the answer is what the client has. It can
  be completed in words (an error event, between two events), or not: then the client is reset,
  because a clean end would make it take the part for the whole.
"""

from __future__ import annotations

from enum import Enum, auto
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from llmgwd.relay.http.answer import Answer
    from llmgwd.relay.http.kept_request import KeptRequest


class Next(Enum):
    SEND_AGAIN = auto()
    REPEAT_ONCE = auto()  # it may have been received, and does no harm twice
    TELL_CLIENT = auto()
    HAVE_CLIENT_REPEAT = auto()  # no one received it, and we have not all of it any more
    END_ANSWER = auto()


def after_loss(
    request: KeptRequest, answer: Answer, *, is_unreceived: bool, was_repeated: bool
) -> Next:
    if answer.has_passed:
        return Next.END_ANSWER
    if is_unreceived and not answer.has_begun:
        return Next.SEND_AGAIN if request.can_be_sent else Next.HAVE_CLIENT_REPEAT
    if request.is_safe and request.can_be_sent and not was_repeated:
        return Next.REPEAT_ONCE
    return Next.TELL_CLIENT
