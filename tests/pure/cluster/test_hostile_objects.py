"""Whatever an API server, a login plugin or a kubeconfig says, only our own errors leave."""

from __future__ import annotations

import base64
import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmgwd.cluster.api_errors import Action, refusal
from llmgwd.cluster.auth.exec_plugin import Plugin, understand
from llmgwd.cluster.auth.oidc import expiry
from llmgwd.cluster.kubeconfig.files import merge
from llmgwd.cluster.kubeconfig.kubeconfig import check_document, choose, read_pem
from llmgwd.cluster.kubeconfig.parsing import NotYaml, parse
from llmgwd.cluster.target import objects, watch_events
from llmgwd.cluster.target.pods import parse_pod
from llmgwd.cluster.target.resolve import select_by_service, select_by_workload
from llmgwd.config.target import Target
from llmgwd.errors import LlmgwError
from support.json_values import nested, spoilt

JSON = nested(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=6),
    st.text(max_size=6),
)
POD = {
    "metadata": {"name": "a", "uid": "u", "resourceVersion": "7"},
    "spec": {"containers": [{"name": "c", "ports": [{"name": "http", "containerPort": 4000}]}]},
    "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]},
}
SERVICE = {
    "metadata": {"name": "s"},
    "spec": {"selector": {"app": "x"}, "ports": [{"port": 4000, "targetPort": "http"}]},
}
WORKLOAD = {
    "metadata": {"name": "w"},
    "spec": {"selector": {"matchExpressions": [{"key": "a", "operator": "In", "values": ["b"]}]}},
}
PLUGIN = Plugin("o", "p", (), {}, "client.authentication.k8s.io/v1", "", "{}", "r")
CREDENTIAL = {
    "apiVersion": "client.authentication.k8s.io/v1",
    "status": {"token": "T", "expirationTimestamp": "2026-01-01T00:00:00Z"},
}
KUBECONFIG = {
    "current-context": "c",
    "contexts": [{"name": "c", "context": {"cluster": "k", "user": "u"}}],
    "clusters": [{"name": "k", "cluster": {"server": "https://h", "proxy-url": ""}}],
    "users": [{"name": "u", "user": {"token": "T"}}],
}


@given(spoilt(POD, JSON))
def test_no_pod_breaks_its_reader(item: Any) -> None:
    with contextlib.suppress(LlmgwError):
        parse_pod(item)


@given(spoilt(SERVICE, JSON), spoilt(WORKLOAD, JSON))
def test_no_target_breaks_its_reader(service: Any, workload: Any) -> None:
    with contextlib.suppress(LlmgwError):
        select_by_service(service, "4000")
    with contextlib.suppress(LlmgwError):
        select_by_workload(Target.parse("deployment/w"), workload, "4000")


@given(spoilt({"items": [POD, POD], "metadata": {"resourceVersion": "1"}}, JSON))
def test_a_bad_object_of_a_list_is_left_out_by_itself(listed: Any) -> None:
    with contextlib.suppress(LlmgwError):
        objects.read_list(objects.PodObject, listed)


def test_the_good_ones_of_a_list_stay() -> None:
    listed = {"items": [None, POD, {"metadata": None}, 7], "metadata": {"resourceVersion": "1"}}

    pods, version = objects.read_list(objects.PodObject, listed)

    assert [pod.metadata.name for pod in pods] == ["a"]
    assert version == "1"


@given(spoilt({"type": "ADDED", "object": POD}, JSON), st.binary(), st.booleans())
def test_no_line_of_a_watch_breaks_its_reader(event: Any, raw: bytes, is_raw: bool) -> None:
    watch_events.read(raw if is_raw else json.dumps(event).encode())


@pytest.mark.parametrize(
    "line",
    [
        b'{"type": "ADDED", "object": null}',
        b'{"type": "MODIFIED", "object": {"metadata": {}}}',
        b'{"type": "DELETED", "object": []}',
        b'{"type": 3, "object": {}}',
        b"[" * 200_000,
        b"",
    ],
)
def test_a_bad_event_changes_nothing(line: bytes) -> None:
    assert watch_events.read(line) is None


def test_a_watch_reports_what_changed() -> None:
    def line(kind: str, item: Any) -> bytes:
        return json.dumps({"type": kind, "object": item}).encode()

    added = watch_events.read(line("ADDED", POD))
    bookmark = {"metadata": {"resourceVersion": "9"}}

    assert added == watch_events.Change("7", parse_pod(POD))
    assert watch_events.read(line("DELETED", POD)) == watch_events.Change("7", gone="a")
    assert watch_events.read(line("BOOKMARK", bookmark)) == watch_events.Change("9")
    failed = watch_events.read(line("ERROR", {"code": 410}))
    assert isinstance(failed, watch_events.Failed)
    assert failed.status == 410


@given(st.binary(), st.integers(300, 599), st.text(alphabet="0123456789٣x", max_size=20))
def test_no_refusal_breaks_its_reader(body: bytes, status: int, after: str) -> None:
    for each in (body, b'{"kind": "Status", "message": ' + body + b"}"):
        refusal(Action("get", "pods"), status, each, {"Retry-After": after}, "")


@given(spoilt(CREDENTIAL, JSON), st.binary())
def test_no_output_of_a_plugin_breaks_its_reader(answer: Any, raw: bytes) -> None:
    for stdout in (json.dumps(answer).encode(), raw):
        with contextlib.suppress(LlmgwError):
            understand(PLUGIN, stdout)


def test_a_token_that_would_be_two_headers_is_refused() -> None:
    answer = {**CREDENTIAL, "status": {"token": "T\r\nX-Evil: 1"}}

    with pytest.raises(LlmgwError, match="no header"):
        understand(PLUGIN, json.dumps(answer).encode())


@given(spoilt({"exp": 1}, JSON))
def test_no_claims_of_a_token_break_their_reader(claims: Any) -> None:
    payload = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode()

    expiry(f"a.{payload}.c")
    expiry(f"a.{base64.urlsafe_b64encode(b'[' * 5000).decode()}.c")


@given(st.text(max_size=40))
def test_no_text_breaks_the_reader_of_yaml(text: str) -> None:
    with contextlib.suppress(NotYaml):
        parse(text)


@pytest.mark.parametrize(
    "text",
    [
        "[" * 200_000,
        "{a: " * 200_000,
        "- " * 200_000,
        "? " * 200_000,
        "&a [" * 20_000 + "]" * 20_000,
        "!!int x",
        "!!int ''",
        "!!bool x",
        "!!null x",
        "!!binary ?",
        "null: a",
        "[a]: b",
        "<<: a",
        "&a [*a]",
    ],
)
def test_odd_yaml_is_a_mistake_of_the_file(text: str) -> None:
    with pytest.raises(NotYaml):
        parse(text)


@given(spoilt(KUBECONFIG, JSON))
def test_no_kubeconfig_breaks_its_reader(document: Any) -> None:
    with contextlib.suppress(LlmgwError):
        checked = check_document("f", document)
        chosen = choose(("f",), merge({"f": checked}), "c", None)
        assert chosen.server.host
        for key in ("certificate-authority", "client-key"):
            read_pem(chosen.user, key)
