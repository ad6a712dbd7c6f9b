"""What an upgrade asks, which answers it accepts, and which way is tried next."""

from __future__ import annotations

import json

import pytest

from llmgwctl.wire import ConditionKind, UpgradeKind
from llmgwd.cluster.api_errors import Forbidden, Unauthorized
from llmgwd.cluster.target.pods import Endpoint
from llmgwd.cluster.upgrade import (
    RETRY_BETTER_S,
    check_acceptance,
    most_useful,
    order,
    refused,
    request_head,
)
from llmgwd.errors import LlmgwError, Transient
from llmgwd.net.dial import Dialer
from llmgwd.net.http1_heads import Head
from llmgwd.net.server import Server

LINE = Dialer(Server("api.example.com", 6443, "/k8s/clusters/c-1", True), None, None, "")
POD = Endpoint("litellm", "litellm-0", "uid", 4000)
# RFC 6455, 1.3.
KEY, ACCEPT = "dGhlIHNhbXBsZSBub25jZQ==", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
PATH = "/k8s/clusters/c-1/api/v1/namespaces/litellm/pods/litellm-0/portforward"


def asked(way: UpgradeKind) -> tuple[str, dict[str, str]]:
    head = request_head(LINE, POD, way, KEY, [("Authorization", "Bearer T")]).decode()
    assert head.endswith("\r\n\r\n")
    first, *lines = head[:-4].split("\r\n")
    return first, dict(line.split(": ", 1) for line in lines)


def answer(**headers: str) -> Head:
    fields = [(name.replace("_", "-").encode(), text.encode()) for name, text in headers.items()]
    return Head(b"HTTP/1.1 101 Switching Protocols", tuple(fields))


def test_raw_spdy_is_a_post_that_asks_for_spdy() -> None:
    first, headers = asked(UpgradeKind.SPDY)

    assert first == f"POST {PATH} HTTP/1.1"
    assert headers["Upgrade"] == "SPDY/3.1"
    assert headers["Connection"] == "Upgrade"
    assert headers["X-Stream-Protocol-Version"] == "portforward.k8s.io"
    assert headers["Host"] == "api.example.com:6443"
    assert headers["Authorization"] == "Bearer T"


def test_the_websocket_ways_name_their_subprotocol() -> None:
    first, headers = asked(UpgradeKind.WEBSOCKET)
    assert first == f"GET {PATH} HTTP/1.1"
    assert headers["Sec-WebSocket-Protocol"] == "SPDY/3.1+portforward.k8s.io"
    assert headers["Sec-WebSocket-Key"] == KEY
    first, headers = asked(UpgradeKind.CHANNELS)
    assert first == f"GET {PATH}?ports=4000 HTTP/1.1"
    assert headers["Sec-WebSocket-Protocol"] == "v4.channel.k8s.io"


def test_an_acceptance_that_fits_is_accepted() -> None:
    check_acceptance(answer(Upgrade="SPDY/3.1"), UpgradeKind.SPDY, KEY)
    check_acceptance(
        answer(
            Upgrade="websocket",
            Sec_WebSocket_Accept=ACCEPT,
            Sec_WebSocket_Protocol="v4.channel.k8s.io",
        ),
        UpgradeKind.CHANNELS,
        KEY,
    )


@pytest.mark.parametrize(
    ("way", "headers"),
    [
        (UpgradeKind.SPDY, answer(Upgrade="websocket")),
        (UpgradeKind.SPDY, answer()),
        (
            UpgradeKind.CHANNELS,
            answer(Upgrade="websocket", Sec_WebSocket_Protocol="v4.channel.k8s.io"),
        ),
        (UpgradeKind.CHANNELS, answer(Upgrade="websocket", Sec_WebSocket_Accept=ACCEPT)),
        (
            UpgradeKind.WEBSOCKET,
            answer(
                Upgrade="websocket",
                Sec_WebSocket_Accept=ACCEPT,
                Sec_WebSocket_Protocol="v4.channel.k8s.io",
            ),
        ),
    ],
)
def test_a_101_that_does_not_agree_is_no_upgrade(way: UpgradeKind, headers: Head) -> None:
    with pytest.raises(Transient) as caught:
        check_acceptance(headers, way, KEY)

    assert caught.value.code == ConditionKind.UPGRADE_REFUSED


def status(message: str) -> bytes:
    return json.dumps({"kind": "Status", "message": message}).encode()


FORBIDDEN = 'pods "litellm-0" is forbidden: User "jane" cannot {} resource "pods/portforward"'


@pytest.mark.parametrize(
    ("way", "verb"),
    [
        (UpgradeKind.SPDY, "create"),
        (UpgradeKind.WEBSOCKET, "get"),
        (UpgradeKind.WEBSOCKET, "create"),
    ],
)
def test_a_missing_verb_is_named_with_the_rule_to_add(way: UpgradeKind, verb: str) -> None:
    error = refused(POD, way, 403, status(FORBIDDEN.format(verb)), "")

    assert isinstance(error, Forbidden)
    assert error.message == f'"jane" may not {verb} pods/portforward in namespace litellm'
    assert f'resources: ["pods/portforward"], verbs: ["{verb}"]' in error.remedy


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (403, 'admission webhook "policy.corp" denied the request: not in production'),
        (400, 'admission webhook "policy.corp" denied the request: not in production'),
        (422, "ValidatingAdmissionPolicy 'p' with binding 'b' denied request: not in production"),
        (403, 'pods "litellm-0" is forbidden: cannot attach to a privileged pod'),
    ],
)
def test_a_policys_denial_is_no_missing_rule_and_no_proxys(code: int, words: str) -> None:
    error = refused(POD, UpgradeKind.SPDY, code, status(words), "")

    assert isinstance(error, Forbidden)
    assert (
        error.message
        == f"a policy of the cluster denies pods/portforward in namespace litellm: {words}"
    )
    assert "verbs:" not in error.remedy


def test_a_401_shows_how_to_log_in() -> None:
    error = refused(POD, UpgradeKind.SPDY, 401, status("Unauthorized"), "tsh login")

    assert isinstance(error, Unauthorized)
    assert error.remedy == "tsh login"


@pytest.mark.parametrize("body", [status('pods "litellm-0" not found'), b"pod does not exist\n"])
def test_a_pod_that_is_gone_sends_the_caller_to_another(body: bytes) -> None:
    error = refused(POD, UpgradeKind.SPDY, 404, body, "")

    assert isinstance(error, Transient)
    assert error.code == ConditionKind.NO_PODS


@pytest.mark.parametrize(
    ("code", "body"),
    [
        (400, b"Bad Request"),
        (403, b""),
        (404, b"<html>no</html>"),
        (501, b""),
        (502, b"x"),
        (200, b"ok"),
        (500, status("upgrade unsupported")),
    ],
)
def test_what_a_proxy_answers_lets_another_way_be_tried(code: int, body: bytes) -> None:
    error = refused(POD, UpgradeKind.SPDY, code, body, "")

    assert isinstance(error, Transient)
    assert error.code == ConditionKind.UPGRADE_REFUSED
    assert str(code) in error.message


@pytest.mark.parametrize(
    ("code", "body"),
    [
        (500, status("error dialing backend: dial tcp 10.0.0.1:10250: connect: refused")),
        (502, status("error dialing backend: No agent available")),
        (500, b"failed to find sandboxID for pod x: rpc error: code = Unavailable"),
    ],
)
def test_a_node_that_fails_is_no_fault_of_the_way(code: int, body: bytes) -> None:
    error = refused(POD, UpgradeKind.SPDY, code, body, "")

    assert isinstance(error, Transient)
    assert error.code == ConditionKind.NODE_FAILING


@pytest.mark.parametrize("code", [429, 500, 503])
def test_an_api_server_that_fails_says_so_for_every_way(code: int) -> None:
    error = refused(POD, UpgradeKind.SPDY, code, status("etcdserver: request timed out"), "")

    assert error.code == ConditionKind.API_SERVER_FAILING


@pytest.mark.parametrize("way", list(UpgradeKind))
def test_a_page_with_401_says_nothing_of_the_login(way: UpgradeKind) -> None:
    error = refused(POD, way, 401, b"<html>Sign in</html>", "tsh login")

    assert error.code == ConditionKind.API_SERVER_FAILING
    assert "tsh" not in error.remedy


def test_the_ways_are_tried_best_first() -> None:
    assert list(order({}, 0.0)) == [UpgradeKind.SPDY, UpgradeKind.WEBSOCKET, UpgradeKind.CHANNELS]


def test_what_was_refused_is_tried_last_until_ten_minutes_have_gone() -> None:
    refused_at = {UpgradeKind.SPDY: 100.0}

    assert order(refused_at, 100.0 + RETRY_BETTER_S - 1)[0] is UpgradeKind.WEBSOCKET
    assert order(refused_at, 100.0 + RETRY_BETTER_S)[0] is UpgradeKind.SPDY


def test_a_missing_permission_says_more_than_a_proxys_refusal() -> None:
    missing = Forbidden(ConditionKind.PERMISSION_DENIED, "get is missing")
    by_proxy = Transient(ConditionKind.UPGRADE_REFUSED, "502")
    errors: dict[UpgradeKind, LlmgwError] = {
        UpgradeKind.SPDY: by_proxy,
        UpgradeKind.WEBSOCKET: missing,
    }

    assert most_useful(errors) is missing
    assert (
        most_useful({UpgradeKind.SPDY: by_proxy, UpgradeKind.CHANNELS: Transient("x", "y")})
        is by_proxy
    )
