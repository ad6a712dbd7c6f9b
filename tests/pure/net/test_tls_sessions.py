"""Which sessions are kept, and that they are looked at rarely: it loses memory in some Pythons."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from types import SimpleNamespace
from typing import cast

import pytest

from llmgwd.net import tls as tls_module
from llmgwd.net.tls import LOOK_EVERY_S, RENEW_EVERY_S, ResumingContext


@dataclass
class Connection:
    """A connection's TLS object that counts how often its session was looked at."""

    context: ResumingContext
    has_ticket: bool
    session_reused: bool
    looks: int = 0

    @property
    def session(self) -> ssl.SSLSession:
        self.looks += 1
        return cast("ssl.SSLSession", SimpleNamespace(has_ticket=self.has_ticket))


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """Time that goes on when told: `clock.now`."""
    clock = SimpleNamespace(now=1000.0)
    clock.monotonic = lambda: clock.now
    monkeypatch.setattr(tls_module, "time", clock)
    return clock


def looks(
    clock: SimpleNamespace, *, for_s: float, has_ticket: bool = True, resumes: bool = True
) -> int:
    """Dial once a second for so long."""
    context = ResumingContext(ssl.PROTOCOL_TLS_CLIENT)
    connection = Connection(context, has_ticket, session_reused=False)
    until = clock.now + for_s
    while clock.now < until:
        context.remember(cast("ssl.SSLObject", connection))
        connection.session_reused = resumes and has_ticket
        clock.now += 1.0
    assert (context._session is not None) == has_ticket
    return connection.looks


def test_a_session_that_is_resumed_is_looked_at_again_after_an_hour(
    clock: SimpleNamespace,
) -> None:
    assert looks(clock, for_s=LOOK_EVERY_S + RENEW_EVERY_S) == 2


@pytest.mark.parametrize(("has_ticket", "resumes"), [(False, False), (True, False)])
def test_a_server_that_never_resumes_is_looked_at_every_five_minutes(
    clock: SimpleNamespace, has_ticket: bool, resumes: bool
) -> None:
    assert looks(clock, for_s=4 * LOOK_EVERY_S, has_ticket=has_ticket, resumes=resumes) == 4


def test_one_that_gives_its_ticket_later_is_looked_at_again(clock: SimpleNamespace) -> None:
    context = ResumingContext(ssl.PROTOCOL_TLS_CLIENT)
    connection = Connection(context, has_ticket=False, session_reused=False)
    context.remember(cast("ssl.SSLObject", connection))
    connection.has_ticket = True
    clock.now += LOOK_EVERY_S

    context.remember(cast("ssl.SSLObject", connection))

    assert context._session is not None
