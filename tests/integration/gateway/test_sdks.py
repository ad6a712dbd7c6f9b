"""The real Anthropic and OpenAI SDKs through a real daemon to a simulated cluster."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING

import anthropic
import openai
import pytest

from support.running_daemon import DEFAULT, RunningDaemon, running

if TYPE_CHECKING:
    from pathlib import Path

    from llmgwsim.remote import RemoteCluster

KEY = "sk-demo-master-key"
Say = Callable[..., str]


class Sdk:
    """One SDK's two ways to ask, as text; `error` is the class of a refusal."""

    def __init__(self, name: str, port: int, retries: int | None = None) -> None:
        kept = {} if retries is None else {"max_retries": retries}
        url = f"http://127.0.0.1:{port}"
        self.is_anthropic = name == "anthropic"
        if self.is_anthropic:
            self._anthropic = anthropic.Anthropic(base_url=url, api_key=KEY, **kept)
            self.error: type[Exception] = anthropic.InternalServerError
        else:
            self._openai = openai.OpenAI(base_url=f"{url}/v1", api_key=KEY, **kept)
            self.error = openai.InternalServerError

    def ask(self, **body: object) -> str:
        """One answer in one piece."""
        if self.is_anthropic:
            message = self._anthropic.messages.create(
                model="claude-haiku", max_tokens=64, messages=QUESTION, extra_body=body
            )
            return message.content[0].text
        completion = self._openai.chat.completions.create(
            model="gpt-mini", messages=QUESTION, extra_body=body
        )
        return completion.choices[0].message.content or ""

    def stream(self, **body: object) -> Iterator[str]:
        """The pieces of a streamed answer, as they come."""
        if self.is_anthropic:
            with self._anthropic.messages.stream(
                model="claude-haiku", max_tokens=64, messages=QUESTION, extra_body=body
            ) as stream:
                yield from stream.text_stream
            return
        for chunk in self._openai.chat.completions.create(
            model="gpt-mini", messages=QUESTION, stream=True, extra_body=body
        ):
            if chunk.choices and chunk.choices[0].delta.content:
                yield chunk.choices[0].delta.content


QUESTION = [{"role": "user", "content": "Say something."}]
BOTH = pytest.mark.parametrize("name", ["anthropic", "openai"])


SHORT_HOLD = DEFAULT + 'hold = "500ms"\n'


@pytest.fixture
def daemon(tmp_path: Path, simulated_cluster: RemoteCluster) -> Iterator[RunningDaemon]:
    with running(tmp_path, simulated_cluster.kubeconfig) as started:
        started.wait_for("ready")
        yield started


@BOTH
def test_an_sdk_is_answered_whole_and_in_a_stream(daemon: RunningDaemon, name: str) -> None:
    sdk = Sdk(name, daemon.port, retries=0)

    whole, pieces = sdk.ask(), list(sdk.stream(pieces=5))

    assert whole
    assert len(pieces) >= 5


@BOTH
def test_a_rollout_fails_no_request_and_cuts_no_stream(
    daemon: RunningDaemon, simulated_cluster: RemoteCluster, name: str
) -> None:
    # With the retries that every user has: a request that meets its kept-alive connection's end
    # is not proved unreceived, so only the SDK may repeat it.
    sdk = Sdk(name, daemon.port)
    before = serving(simulated_cluster)
    stream = sdk.stream(pieces=20, gap_s=0.1)
    pieces = [next(stream)]
    answers = []

    rolling = threading.Thread(target=lambda: simulated_cluster.faults.roll(wait=True))
    rolling.start()
    while rolling.is_alive():
        answers.append(sdk.ask())
    pieces += stream
    answers.append(sdk.ask())

    assert before.isdisjoint(serving(simulated_cluster))
    assert len(pieces) >= 20
    assert all(answers)


def serving(cluster: RemoteCluster) -> set[str]:
    return {pod["name"] for pod in cluster.faults.pods() if not pod["is_terminating"]}


@BOTH
def test_an_outage_within_the_hold_is_a_slow_answer(
    daemon: RunningDaemon, simulated_cluster: RemoteCluster, name: str
) -> None:
    sdk = Sdk(name, daemon.port, retries=0)
    simulated_cluster.faults.api_down()
    daemon.wait_for("reconnecting")

    with ThreadPoolExecutor(1) as pool:
        answer: Future[str] = pool.submit(sdk.ask)
        daemon.wait_until(lambda: daemon.forward()["held"] == 1, "held")
        simulated_cluster.faults.api_up()

        assert answer.result(60)


@BOTH
def test_a_longer_outage_is_the_sdks_own_error_with_our_sentence(
    tmp_path: Path, simulated_cluster: RemoteCluster, name: str
) -> None:
    with running(tmp_path, simulated_cluster.kubeconfig, SHORT_HOLD) as daemon:
        daemon.wait_for("ready")
        sdk = Sdk(name, daemon.port)
        simulated_cluster.faults.api_down()
        daemon.wait_for("reconnecting")

        with pytest.raises(sdk.error) as refused:
            sdk.ask()

        condition = daemon.forward()["conditions"][0]
        assert refused.value.status_code == 503  # type: ignore[attr-defined]
        assert "llmgw: " in str(refused.value)
        assert condition["remedy"] in str(refused.value)
        # Held once, repeated by the SDK once, then told to stop: not the three times it would.
        assert daemon.forward()["counters"]["hold_expired"] == 2


@BOTH
def test_what_needs_a_person_is_said_after_one_attempt(
    tmp_path: Path, simulated_cluster: RemoteCluster, name: str
) -> None:
    with running(tmp_path, simulated_cluster.kubeconfig, SHORT_HOLD) as daemon:
        daemon.wait_for("ready")
        sdk = Sdk(name, daemon.port)
        simulated_cluster.faults.revoke_token()
        simulated_cluster.faults.cut()
        daemon.wait_for("blocked")

        with pytest.raises(sdk.error) as refused:
            sdk.ask()

        assert "login" in str(refused.value)
        assert daemon.forward()["counters"]["hold_expired"] == 1


@BOTH
def test_a_stream_of_a_pod_that_dies_is_an_error_and_not_an_end(
    daemon: RunningDaemon, simulated_cluster: RemoteCluster, name: str
) -> None:
    sdk = Sdk(name, daemon.port, retries=0)
    stream = sdk.stream(pieces=1000, gap_s=0.05)
    next(stream)

    for pod in simulated_cluster.faults.pods():
        simulated_cluster.faults.crash(pod=pod["name"])

    with pytest.raises(Exception, match=r"(?i)connection|reset|closed|peer"):
        list(stream)
