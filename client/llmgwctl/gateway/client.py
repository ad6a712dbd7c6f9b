"""Questions to the gateway through the forward, over HTTP with the standard library.

The key travels in a header and nowhere else: not in a URL (gateways log those), not in an
exception. A gateway echoes bad keys in its errors, so it is taken out of every answer here.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlencode, urlsplit

from llmgwctl.errors import ClientError, NeedsPerson
from llmgwctl.rules.litellm_answers import KeyVerdict, fault_of, judge_key
from llmgwctl.rules.secrets import blank_out

if TYPE_CHECKING:
    from collections.abc import Mapping

# Above the default hold, so that our own 503 with its sentence comes before we give up.
ANSWER_S = 35.0
# A list of thousands of models stays far below.
_MAX_BYTES = 16 << 20


class Answer(NamedTuple):
    """`body` is the JSON, or the text where it is none; the key asked with is not in it."""

    status: int
    body: Any


class Gateway(NamedTuple):
    url: str  # http://localhost:4000
    key: str | None = None
    answer_s: float = ANSWER_S

    def __repr__(self) -> str:
        return f"Gateway({self.url!r})"

    def get(self, path: str, query: Mapping[str, str | int] | None = None) -> Answer:
        """Ask, and read the whole answer, whatever its status.

        Raises:
            ClientError: refused, cut, silent, or not HTTP.
        """
        # Here, because it takes 25 ms: where the forward is down, no one asks.
        import http.client

        where = urlsplit(self.url)
        connection = http.client.HTTPConnection(
            where.hostname or "localhost", where.port, timeout=self.answer_s
        )
        try:
            target = f"{path}?{urlencode(query)}" if query else path
            connection.request("GET", target, headers=self._headers())
            response = connection.getresponse()
            raw = response.read(_MAX_BYTES + 1)
            if len(raw) > _MAX_BYTES:
                raise self._unanswered(f"answers with more than {_MAX_BYTES >> 20} MiB")
            return Answer(response.status, self._decoded(raw))
        except TimeoutError as error:
            raise self._unanswered(f"gave no answer within {self.answer_s:.0f} s") from error
        except http.client.RemoteDisconnected as error:
            raise self._unanswered("closed the connection without an answer") from error
        # ValueError: a length or a chunk's size of thousands of digits.
        except (http.client.HTTPException, ValueError) as error:
            raise self._unanswered("answers with something other than HTTP") from error
        except OSError as error:
            raise self._unanswered(f"cannot be reached: {error.strerror or error}") from error
        finally:
            connection.close()

    def ask(self, path: str, query: Mapping[str, str | int] | None = None) -> dict[str, Any]:
        """Ask, and give the body of a 200, an object.

        Raises:
            ClientError: there was none; what the gateway said is in it.
        """
        answer = self.get(path, query)
        if answer.status != 200:
            raise refusal(path, answer)
        if not isinstance(answer.body, dict):
            raise odd(path)
        return answer.body

    def _headers(self) -> dict[str, str]:
        headers = {"Accept": "application/json", "Connection": "close", "User-Agent": "llmgwctl"}
        headers["Accept-Encoding"] = "identity"
        if self.key is not None:
            headers["Authorization"] = f"Bearer {self.key}"
        return headers

    def _decoded(self, raw: bytes) -> Any:
        text = blank_out(raw.decode("utf-8", "replace"), [self.key or ""])
        try:
            return json.loads(text)
        except (ValueError, RecursionError):  # numbers of thousands of digits, nested brackets
            return text

    def _unanswered(self, what: str) -> ClientError:
        return ClientError("gateway-unanswered", f"{self.url} {what}", "see: llmgwctl doctor")


def odd(path: str) -> ClientError:
    """Say that a 200 holds what LiteLLM does not answer."""
    return ClientError(
        "gateway-odd",
        f"the gateway's answer to {path} is not LiteLLM's",
        "is it the right target? see: llmgwctl doctor",
    )


def refusal(path: str, answer: Answer) -> ClientError:
    """Say what an answer other than 200 means; the gateway's word on the key comes first."""
    judgement = judge_key(answer.status, answer.body)
    if judgement.verdict is KeyVerdict.REJECTED:
        return NeedsPerson("key-rejected", judgement.sentence, judgement.remedy)
    if judgement.verdict is KeyVerdict.LIMITED:
        return ClientError("key-limited", judgement.sentence, judgement.remedy)
    message = fault_of(answer.body).message
    if answer.status == 503 and message:
        # Held and not delivered: the sentence is the daemon's own, remedy included.
        return ClientError("gateway-unavailable", message)
    said = f": {message}" if message else ""
    return ClientError("gateway-refused", f"the gateway answered {answer.status} to {path}{said}")
