"""Chats, messages and responses of the simulated gateway, read by the SDKs and by their headers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import anthropic
import openai
import pytest
from gateway_client import address_of, ask

if TYPE_CHECKING:
    from llmgwsim.remote import RemoteCluster

MASTER = "sk-demo-master-key"
QUESTION = [{"role": "user", "content": "Say something."}]
CALLS = {
    "/v1/chat/completions": {"model": "gpt-mini", "messages": QUESTION},
    "/v1/responses": {"model": "gpt-mini", "input": "Say something."},
    "/v1/messages": {"model": "claude-haiku", "max_tokens": 64, "messages": QUESTION},
}
OPENAI_CALLS = ("/v1/chat/completions", "/v1/responses")
KNOWN_AT_ONCE = {
    "x-litellm-call-id",
    "x-litellm-model-id",
    "x-litellm-model-api-base",
    "x-litellm-version",
    "x-litellm-key-spend",
    "x-litellm-response-cost-original",
    "x-litellm-response-cost-discount-amount",
}
KNOWN_AT_THE_END = KNOWN_AT_ONCE | {
    "x-litellm-model-group",
    "x-litellm-response-cost",
    "x-litellm-response-duration-ms",
    "x-litellm-overhead-duration-ms",
    "x-litellm-attempted-retries",
    "x-litellm-attempted-fallbacks",
}


def call(cluster: RemoteCluster, path: str, **fields: Any) -> tuple[dict[str, str], Any]:
    body = CALLS[path] | {"gap_s": 0, "pieces": 3} | fields
    status, headers, answer = ask(cluster, path, body, Authorization=f"Bearer {MASTER}")
    assert status == (400 if fields.get("model") else 200)
    return headers, answer


def litellm_names(headers: dict[str, str]) -> set[str]:
    return {name for name in headers if name.startswith("x-litellm-")}


def events_of(body: str) -> list[tuple[str | None, Any]]:
    """The events of a streamed answer: the name of each, and its JSON or text."""
    data = ""
    while body:
        size, _, rest = body.partition("\r\n")
        data, body = data + rest[: int(size, 16)], rest[int(size, 16) + 2 :]
    return [_event(text) for text in data.split("\n\n")[:-1]]


def _event(text: str) -> tuple[str | None, Any]:
    fields = dict(line.split(": ", 1) for line in text.split("\n"))
    content = fields["data"]
    return fields.get("event"), content if content == "[DONE]" else json.loads(content)


@pytest.mark.parametrize("path", OPENAI_CALLS)
def test_an_answer_in_one_piece_names_its_model_its_cost_and_its_call(
    simulated_cluster: RemoteCluster, path: str
) -> None:
    headers, answer = call(simulated_cluster, path)

    assert litellm_names(headers) == KNOWN_AT_THE_END
    assert headers["x-litellm-model-group"] == "gpt-mini"
    assert headers["x-litellm-response-cost"] == "1.35e-05"
    assert len(headers["x-litellm-model-id"]) == 64
    assert answer["model"] == "gpt-mini-provider"


@pytest.mark.parametrize("path", OPENAI_CALLS)
def test_a_streamed_answer_names_its_call_and_deployment_but_no_cost_and_no_group(
    simulated_cluster: RemoteCluster, path: str
) -> None:
    headers, _ = call(simulated_cluster, path, stream=True)

    assert litellm_names(headers) == KNOWN_AT_ONCE
    assert headers["x-litellm-response-cost-original"] == "0.0"


@pytest.mark.parametrize("stream", [False, True])
def test_messages_say_nothing_but_version_and_spend_before_a_newer_gateway(
    simulated_cluster: RemoteCluster, stream: bool
) -> None:
    old, _ = call(simulated_cluster, "/v1/messages", stream=stream)
    simulated_cluster.faults.set_gateway(version="1.104.9")
    new, _ = call(simulated_cluster, "/v1/messages", stream=stream)

    assert litellm_names(old) == {"x-litellm-version", "x-litellm-key-spend"}
    assert litellm_names(new) == (KNOWN_AT_ONCE if stream else KNOWN_AT_THE_END)


@pytest.mark.parametrize(
    ("path", "names"),
    [
        *((p, {"call-id", "version", "key-spend", "response-cost"}) for p in OPENAI_CALLS),
        ("/v1/messages", set()),
    ],
)
def test_an_unknown_model_is_refused_in_openais_shape(
    simulated_cluster: RemoteCluster, path: str, names: set[str]
) -> None:
    headers, answer = call(simulated_cluster, path, model="nope")

    assert "Invalid model name passed in model=nope" in answer["error"]["message"]
    assert answer["error"]["code"] == "400"
    assert litellm_names(headers) == {f"x-litellm-{name}" for name in names}


def test_a_budget_is_in_the_headers_of_a_virtual_key(simulated_cluster: RemoteCluster) -> None:
    simulated_cluster.faults.set_gateway(has_database=True)
    simulated_cluster.faults.add_key(key="sk-one", alias="one", spend=0.5, max_budget=2.0)
    path = "/v1/messages"

    _, headers, _ = ask(simulated_cluster, path, CALLS[path], x_api_key="sk-one")

    assert headers["x-litellm-key-max-budget"] == "2.0"
    assert headers["x-litellm-key-spend"] == "0.5"


def test_a_chat_streams_chunks_and_ends_with_done(simulated_cluster: RemoteCluster) -> None:
    _, body = call(simulated_cluster, "/v1/chat/completions", stream=True)

    events = events_of(body)
    assert {name for name, _ in events} == {None}
    assert events[-1][1] == "[DONE]"
    assert [event["object"] for _, event in events[:-1]] == ["chat.completion.chunk"] * 4


def test_messages_stream_anthropics_events_in_order(simulated_cluster: RemoteCluster) -> None:
    _, body = call(simulated_cluster, "/v1/messages", stream=True)

    names = [name for name, _ in events_of(body)]
    assert names == [
        "message_start",
        "content_block_start",
        *["content_block_delta"] * 3,
        "content_block_stop",
        "message_delta",
        "message_stop",
    ]


def test_responses_stream_numbered_events_and_end_with_done(
    simulated_cluster: RemoteCluster,
) -> None:
    _, body = call(simulated_cluster, "/v1/responses", stream=True)

    *events, (_, last) = events_of(body)
    assert last == "[DONE]"
    assert [event["sequence_number"] for _, event in events] == list(range(len(events)))
    assert (events[0][1]["type"], events[-1][1]["type"]) == (
        "response.created",
        "response.completed",
    )


@pytest.fixture
def openai_sdk(simulated_cluster: RemoteCluster) -> Iterator[openai.OpenAI]:
    host, port = address_of(simulated_cluster)
    with openai.OpenAI(
        base_url=f"http://{host}:{port}/v1", api_key=MASTER, max_retries=0
    ) as client:
        yield client


def test_the_openai_sdk_reads_responses_whole_and_streamed(openai_sdk: openai.OpenAI) -> None:
    whole = openai_sdk.responses.create(model="gpt-mini", input="Say something.")
    with openai_sdk.responses.stream(model="gpt-mini", input="Say something.") as stream:
        pieces = [event.delta for event in stream if event.type == "response.output_text.delta"]
        final = stream.get_final_response()

    assert whole.output_text.startswith("The simulated gateway")
    assert "".join(pieces) == final.output_text
    assert final.usage is not None
    assert final.usage.output_tokens == len(pieces)


def test_the_anthropic_sdk_reads_messages_whole_and_streamed(
    simulated_cluster: RemoteCluster,
) -> None:
    host, port = address_of(simulated_cluster)
    with anthropic.Anthropic(
        base_url=f"http://{host}:{port}", api_key=MASTER, max_retries=0
    ) as client:
        asked: dict[str, Any] = {"model": "claude-haiku", "max_tokens": 64, "messages": QUESTION}
        whole = client.messages.create(**asked)
        with client.messages.stream(**asked) as stream:
            text = "".join(stream.text_stream)
            final = stream.get_final_message()

    assert whole.content[0].text.startswith("The simulated gateway")
    assert final.content[0].text == text
    assert final.stop_reason == "end_turn"
