"""When a peer is pinged, doubted and given up, to the instant."""

from __future__ import annotations

import math

import pytest

from llmgwd.tunnel.liveness import (
    CLOGGED_AFTER_S,
    CLOGGING_BYTES,
    DOUBTED_AFTER_S,
    LATE_REPLY_S,
    PING_EVERY_S,
    SILENT_AFTER_S,
    Liveness,
)

START = 100.0


@pytest.fixture
def peer() -> Liveness:
    return Liveness(START)


def test_a_quiet_peer_is_pinged_after_the_period_and_not_before(peer: Liveness) -> None:
    at = START + PING_EVERY_S

    assert peer.next_at(is_in_use=False) == at
    assert not peer.is_ping_due(at - 0.001)
    assert peer.is_ping_due(at)
    assert peer.is_ping_due(at - 1.5, early_s=1.5)


@pytest.mark.parametrize("is_in_use", [True, False])
def test_a_ping_without_answer_is_overdue_after_its_limit(peer: Liveness, is_in_use: bool) -> None:
    assert peer.ask(START)
    at = START + SILENT_AFTER_S

    assert peer.next_at(is_in_use=is_in_use) == at
    assert not peer.is_overdue(at - 0.001, is_in_use=is_in_use)
    assert peer.is_overdue(at, is_in_use=is_in_use)


def test_a_second_ping_is_not_sent_but_may_hasten_the_end(peer: Liveness) -> None:
    peer.ask(START)

    assert not peer.ask(START + 1.0, 1.5)
    assert peer.next_at(is_in_use=False) == START + 2.5
    assert not peer.ask(START + 1.0, 60.0)
    assert peer.next_at(is_in_use=False) == START + 2.5


def test_an_upload_that_may_clog_the_peer_gives_its_ping_longer(peer: Liveness) -> None:
    peer.sent(CLOGGING_BYTES)
    peer.ask(START)

    assert peer.next_at(is_in_use=True) == START + CLOGGED_AFTER_S
    assert peer.next_at(is_in_use=False) == START + SILENT_AFTER_S


def test_a_byte_starts_the_count_of_what_may_clog_anew(peer: Liveness) -> None:
    peer.sent(CLOGGING_BYTES)
    peer.heard(START)
    peer.ask(START)

    assert peer.next_at(is_in_use=True) == START + SILENT_AFTER_S


def test_any_byte_answers_a_ping_and_gives_its_round_trip(peer: Liveness) -> None:
    peer.ask(START)

    assert not peer.heard(START + 0.04)
    assert peer.round_trip_s == pytest.approx(0.04)
    assert peer.asked_at is None


def test_a_silent_peer_is_silent_once_and_waits_for_a_byte_only(peer: Liveness) -> None:
    peer.ask(START)
    peer.fell_silent()

    assert not peer.is_overdue(START + 60.0, is_in_use=True)
    assert peer.next_at(is_in_use=True) == math.inf
    assert peer.is_doubted(START)
    assert peer.heard(START + 60.0)
    assert not peer.is_silent
    assert not peer.is_doubted(START + 60.0)
    # The minute in between says nothing about the path as it is now.
    assert peer.round_trip_s is None


def test_a_peer_unheard_for_longer_than_pings_allow_is_doubted(peer: Liveness) -> None:
    assert not peer.is_doubted(START + DOUBTED_AFTER_S)
    assert peer.is_doubted(START + DOUBTED_AFTER_S + 0.001)


def test_a_doubt_asks_at_once_and_ends_with_a_byte(peer: Liveness) -> None:
    assert peer.doubt(START, 1.5)
    assert peer.is_doubted(START)
    assert peer.next_at(is_in_use=False) == START + 1.5

    assert peer.heard(START + 0.1)
    assert not peer.is_doubted(START + 0.1)


def test_a_late_reply_is_due_after_two_round_trips_and_a_half_second(peer: Liveness) -> None:
    peer.ask(START)
    peer.heard(START + 0.2)
    peer.opened(START + 1.0)
    at = START + 1.0 + LATE_REPLY_S + 2 * peer.round_trip_s if peer.round_trip_s else 0.0

    assert peer.next_at(is_in_use=True) == pytest.approx(at)
    assert not peer.is_late(at - 0.001)
    assert peer.is_late(at + 0.001)
    peer.heard(at)
    assert not peer.is_late(at + 60.0)


def test_nothing_is_held_against_a_peer_that_we_do_not_read(peer: Liveness) -> None:
    peer.ask(START)
    peer.opened(START)
    peer.stop_listening()

    assert peer.next_at(is_in_use=True) == math.inf
    assert not peer.is_overdue(START + 60.0, is_in_use=True)
    assert not peer.is_late(START + 60.0)
    assert not peer.is_doubted(START + 60.0)
    assert not peer.is_ping_due(START + 60.0)
    assert not peer.doubt(START + 60.0, 1.5)

    peer.listen_again(START + 60.0)
    assert peer.next_at(is_in_use=False) <= START + 60.0 + PING_EVERY_S
