"""One HTTP request and its answer: the unit that is admitted, held, carried and sent again."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from llmgwctl.wire import ConditionKind, RequestOutcome, RouteKind
from llmgwd.gateway.dialect import dialect_of
from llmgwd.net.http1_heads import BadMessage, Head, forwarded_answer, requested_upgrade
from llmgwd.relay.http import endings
from llmgwd.relay.http.answer import Answer
from llmgwd.relay.http.key_injection import keyed_request, keys_in, may_reject_key, rejects_key
from llmgwd.relay.http.request_records import RequestLog
from llmgwd.relay.http.resend import Next, after_loss

if TYPE_CHECKING:
    from llmgwd.errors import LlmgwError
    from llmgwd.gateway.error_answer import Trouble
    from llmgwd.relay.context import RelayContext
    from llmgwd.relay.http.http_connection import HttpConnection
    from llmgwd.relay.http.kept_request import KeptRequest
    from llmgwd.relay.route import Route, Stream

# Refusals in a row, over all pods, before the forward is asked again.
TRIES: Final = 4


class Exchange:
    """Carries one request of an `HttpConnection`; ends by calling its `exchange_ended` once.

    Its attributes are the two sides (client, route and stream), the two messages, and what one
    try leaves to the next.
    """

    is_demand = True

    def __init__(self, client: HttpConnection, request: KeptRequest, context: RelayContext) -> None:
        self.opened_at = asyncio.get_running_loop().time()
        self.request = request
        self.preferred_pod = client.last_pod
        self.avoided_pod: str | None = None
        self.log = RequestLog(request.head, request.path)
        self._client = client
        self._context = context
        self._route: Route | None = None
        self._stream: Stream | None = None
        self._tries = 0
        self._was_repeated = False
        self._keyed = keyed_request(context.injector, request.head)
        self._dialect = dialect_of(request.line.target, request.head)
        self._answer = self._fresh_answer()

    @property
    def is_upgraded(self) -> bool:
        return self._answer.is_upgraded

    @property
    def has_stream(self) -> bool:
        return self._stream is not None

    # For the admission.

    def carry(self, route: Route) -> None:
        self._tries = 0
        self._route = route
        if self._keyed is None:
            self._open(route)
        else:
            self._keyed.prepare(self._key_is_known)

    def was_held(self, seconds: float) -> None:
        self.log.held_s += seconds

    def give_up(self) -> None:
        self._answer_ourselves(self._context.trouble())

    # For the client's connection.

    def ask(self) -> None:
        self._context.admission.admit(self, None)

    def refuse(self, trouble: Trouble) -> None:
        """Answer it without asking for a route."""
        self._answer_ourselves(trouble)

    def client_sent(self, payload: bytes) -> None:
        """A piece of the request's body, or of what follows an upgrade."""
        self.log.sent_bytes += len(payload)
        if self._stream is None:
            if self.request.can_be_sent:
                self.request.add_unsent(payload)
        else:
            if not self._answer.is_upgraded:
                self.request.add(payload)
            self._stream.send(payload)

    def client_gone(self, is_reset: bool) -> None:
        """No one reads the answer any more: let the model stop."""
        self._close(RequestOutcome.CANCELLED)
        self._leave(is_reset=is_reset)

    def break_off(self, trouble: Trouble) -> None:
        """The request's body is none: answer that, where nothing was answered yet."""
        self._leave(is_reset=True)
        if self._answer.has_passed:
            self._reset_client()
        else:
            self._answer_ourselves(trouble)

    def client_stalled(self) -> None:
        if self._stream is not None:
            self._stream.pause()

    def client_reads_again(self) -> None:
        if self._stream is not None:
            self._stream.resume()

    # As the owner of a stream.

    def unsent(self, pod: str | None) -> bytes:
        assert self._route is not None
        head = self.request.head
        if self._keyed is not None:
            head = self._keyed.head_for(head, pod)
        return self.request.bytes_for(self._route, head)

    def stream_opened(self, stream: Stream) -> None:
        if self.log.is_closed:
            stream.discard()
            return
        self._stream, self.log.pod = stream, stream.pod
        if self._client.is_stalled:
            stream.pause()
        self._client.let_body_flow()

    def stream_data(self, payload: bytes) -> None:
        self.log.received_bytes += len(payload)
        if self._answer.passes(payload):
            self._client.write(payload)
            return
        if self.log.first_byte_s is None:
            self.log.first_byte_s = self.log.elapsed_s
        try:
            passing = self._answer.feed(payload)
        except BadMessage as error:
            self._leave(is_reset=True)
            self._failed_answer(
                endings.broken(self.log.pod, self.log.url, f"its answer is not HTTP/1: {error}")
            )
            return
        if self._answer.has_passed:
            self.request.forget()
        if passing:
            self._client.write(passing)
        if self._answer.is_upgraded:
            self._client.was_upgraded()
        if self._answer.is_whole:
            self._leave()
            self._answered()

    def stream_ended(self) -> None:
        self._leave()
        if self._answer.is_upgraded:
            self._finish(RequestOutcome.ANSWERED, persists=False)
        elif self._answer.may_end:
            self._answered()
        else:
            cause = endings.broken(self.log.pod, self.log.url, "it closed the connection")
            self._lost(cause, is_unreceived=False)

    def stream_failed(self, cause: LlmgwError, is_unreceived: bool) -> None:
        stream, self._stream = self._stream, None
        if self.log.is_closed:
            return
        if stream is None:
            # In line for a stream that the route cannot give: the forward decides anew.
            self._context.admission.admit(self, cause)
            return
        if cause.code == ConditionKind.DIAL_REFUSED and is_unreceived and self._route is not None:
            self._route.refused(stream, cause)
        self._lost(cause, is_unreceived=is_unreceived)

    def unread_bytes(self) -> int:
        return self._client.unread_bytes()

    def pause_sending(self) -> None:
        self._client.pause_body()

    def resume_sending(self) -> None:
        self._client.let_body_flow()

    # Inside.

    def _fresh_answer(self) -> Answer:
        return Answer(
            self.request.line.method,
            self._dialect,
            self._render,
            passes_interim=self.request.line.minor == b"1",
            judges=may_reject_key,
            withholds=self._keyed is not None,
            may_upgrade=requested_upgrade(self.request.head) is not None,
        )

    def _open(self, route: Route) -> None:
        self._route = route
        self._tries += 1
        self.log.url = route.name if route.kind is RouteKind.URL else None
        route.open(self)

    def _key_is_known(self, error: LlmgwError | None) -> None:
        if self.log.is_closed:
            return
        if error is None:
            self._open_or_hold()
        else:
            self._answer_ourselves(endings.no_key(error))

    def _open_or_hold(self) -> None:
        """Go over the route that was chosen, unless it fell meanwhile."""
        if self._route is not None and self._route.is_up:
            self._open(self._route)
        else:
            self._context.admission.admit(self, None)

    def _answered(self) -> None:
        """The answer is whole. One that rejects our key is the key's end, not the request's."""
        if self._keyed is not None:
            self._keyed.judge(self._answer, self.log.pod, self._key_is_judged)
            return
        if rejects_key(self._answer):
            self._context.note_rejected_keys(keys_in(self.request.head))
        self._finish(RequestOutcome.ANSWERED)

    def _key_is_judged(self, goes_again: bool) -> None:
        """Rejected, the request was not executed: with another key it goes out again."""
        if self.log.is_closed or self._keyed is None:
            return
        if goes_again and self.request.can_be_sent:
            self._answer = self._fresh_answer()
            self.log.resent += 1
            self.log.first_byte_s = None
            self._open_or_hold()
            return
        self._client.write(self._keyed.without_key(self._answer.release()))
        self._finish(RequestOutcome.ANSWERED)

    def _lost(self, cause: LlmgwError, *, is_unreceived: bool) -> None:
        """The stream is gone before the answer was whole: again, in words, or not at all."""
        match after_loss(
            self.request, self._answer, is_unreceived=is_unreceived, was_repeated=self._was_repeated
        ):
            case Next.SEND_AGAIN:
                self._again(cause)
            case Next.REPEAT_ONCE:
                self._was_repeated = True
                self.avoided_pod = self.log.pod
                # Not at once: what cut this stream may have cut all of them, unread by us yet.
                self._again(cause, at_once=False)
            case Next.TELL_CLIENT:
                self._tell_client(cause, endings.lost(cause))
            case Next.HAVE_CLIENT_REPEAT:
                self._tell_client(cause, endings.not_kept(cause))
            case Next.END_ANSWER:
                self._cut(cause)

    def _again(self, cause: LlmgwError, *, at_once: bool = True) -> None:
        self._answer = self._fresh_answer()
        self.preferred_pod = None
        self.log.resent += 1
        self.log.pod = None
        self._context.admission.resent(cause)
        route = self._route
        if at_once and route is not None and route.is_up and self._tries < TRIES:
            self._open(route)
        else:
            self._context.admission.admit(self, cause)

    def _tell_client(self, cause: LlmgwError, trouble: Trouble) -> None:
        self._context.admission.cut(cause)
        self._answer_ourselves(trouble)

    def _failed_answer(self, cause: LlmgwError) -> None:
        if self._answer.has_passed:
            self._cut(cause)
        else:
            self._tell_client(cause, endings.lost(cause))

    def _cut(self, cause: LlmgwError) -> None:
        """In the middle of the answer that the client has begun to read."""
        if (end := self._answer.missing_end) is not None:
            self._client.write(end)
            self._finish(RequestOutcome.ANSWERED)
            return
        self._context.admission.cut(cause)
        if (missing := self._answer.missing_of_event) is None:
            self._reset_client()
            return
        self._client.write(missing + endings.last_event(self._dialect, cause))
        self._finish(RequestOutcome.CUT)

    def _answer_ourselves(self, trouble: Trouble) -> None:
        persists = self.request.is_whole and self._client.may_persist(self.request)
        self._client.write(endings.answer_of_ours(self.request, trouble, closes=not persists))
        self._finish(RequestOutcome.UNAVAILABLE, status=trouble.status, persists=persists)

    def _render(self, head: Head, is_until_close: bool) -> bytes:
        """Give the final head for the client, with our own word on its connection."""
        assert self._route is not None
        if self._answer.is_upgraded:
            return head.raw()
        # A client that is still sending when its answer ends could not tell where its next request
        # begins for us; so could we not.
        self._client.persists = (
            not is_until_close and self.request.is_whole and self._client.may_persist(self.request)
        )
        passed = self._route.response_head(forwarded_answer(head))
        return endings.client_head(passed, self.request.line, persists=self._client.persists).raw()

    def _leave(self, *, is_reset: bool = False) -> None:
        """Have no stream any more, and wait for none."""
        stream, self._stream = self._stream, None
        if stream is None:
            if self._route is not None:
                self._route.withdraw(self)
        elif is_reset:
            stream.reset()
        else:
            stream.discard()

    def _reset_client(self) -> None:
        self._close(RequestOutcome.CUT)
        self._client.abort()

    def _finish(
        self, outcome: RequestOutcome, *, status: int | None = None, persists: bool | None = None
    ) -> None:
        self._client.last_pod = self.log.pod
        self._close(outcome, status)
        self._client.exchange_ended(self._client.persists if persists is None else persists)

    def _close(self, outcome: RequestOutcome, status: int | None = None) -> None:
        if self.log.is_closed:
            return
        self.request.forget()
        records = self._context.records
        answer = self._answer
        records.add(self.log.close(records.forward, outcome, status or answer.status, answer.head))
        self._context.admission.ended(self)
