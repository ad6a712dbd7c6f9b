"""What the simulated node copies between a client's stream and a program, by containerd's rules."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import pytest

from llmgwsim.portforward.forwarding import Forwarding
from support.hanging_up import REFUSAL, HangingUp

if TYPE_CHECKING:
    from llmgwsim.world.pod import Pod

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class Stream:
    """The client's end, which notes what it gets."""

    def __init__(self) -> None:
        self.received = b""
        self.was_reset: bool | None = None
        self.is_over = asyncio.Event()

    def pod_sent(self, piece: memoryview) -> None:
        self.received += piece

    def pod_takes_more(self) -> None: ...

    def forwarding_ended(self, was_reset: bool) -> None:
        self.was_reset = was_reset
        self.is_over.set()


async def test_a_refusal_reaches_a_client_whose_upload_the_program_did_not_read() -> None:
    server, stream = HangingUp(), Stream()
    program = SimpleNamespace(address=lambda _port: ("127.0.0.1", server.port))
    pod = SimpleNamespace(gone=asyncio.Event(), program=program, refuses_dials=False)
    forwarding = Forwarding(stream)
    await forwarding.dial(cast("Pod", pod), 4000, "litellm")
    forwarding.write(b"POST / HTTP/1.1\r\n\r\n")
    server.refuse_and_reset()
    forwarding.write(b"more of the request")
    await asyncio.wait_for(stream.is_over.wait(), 10)

    assert stream.received == REFUSAL
    assert stream.was_reset
