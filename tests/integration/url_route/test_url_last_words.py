"""What a server said before it hung up on a request that it did not read to its end."""

from __future__ import annotations

import asyncio

import pytest
from url_scenario import scenario

from llmgwd.direct.address import parse_url
from llmgwd.direct.upstream import UpstreamDialer
from llmgwd.system.process import event_loop
from llmgwsim.net.tls import Authority, server_context
from support.hanging_up import REFUSAL, HangingUp
from support.relay.relay_front import until
from support.relay.tunnel_peer import Owner


@pytest.fixture(params=["asyncio", "uvloop"], autouse=True)
def _loop(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(event_loop.LOOP_VARIABLE, request.param)


@pytest.mark.parametrize("is_tls", [False, True])
@scenario
async def test_a_write_that_fails_loses_no_answer_that_came_before(
    is_tls: bool, authority: Authority
) -> None:
    server = HangingUp(server_context(authority) if is_tls else None)
    url = f"http{'s' if is_tls else ''}://localhost:{server.port}"
    upstream = await UpstreamDialer(parse_url(url)).dial()
    owner = Owner()
    upstream.take(owner)
    server.refuse_and_reset()
    upstream.send(b"more of the request")

    # Not in the midst of sending.
    assert owner.received == b""
    await until(lambda: owner.fates)
    assert owner.received == REFUSAL
    assert owner.fates == ["failed"]


@pytest.mark.parametrize("is_tls", [False, True])
@scenario
async def test_what_was_said_before_a_request_was_sent_is_no_answer_to_it(
    is_tls: bool, authority: Authority
) -> None:
    server = HangingUp(server_context(authority) if is_tls else None, speaks_unasked=True)
    url = f"http{'s' if is_tls else ''}://localhost:{server.port}"
    upstream = await UpstreamDialer(parse_url(url)).dial()
    owner = Owner()
    await asyncio.sleep(0)  # uvloop sends the end of its handshake when the turn ends
    server.refuse_and_reset()
    upstream.take(owner)
    upstream.send(b"more of the request")
    await until(lambda: owner.fates)

    assert owner.received == b""
    assert owner.fates == ["unreceived"]
