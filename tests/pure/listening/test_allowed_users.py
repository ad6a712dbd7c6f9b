"""Who may connect to a local port."""

from __future__ import annotations

import os
import pwd
import socket

import pytest

from llmgwd.config.model import Allow
from llmgwd.listening import allowed_users as module
from llmgwd.listening.allowed_users import (
    AllowedUsers,
    Verdict,
    allowed_users,
    subordinate_ranges,
    whose,
)
from llmgwd.system.peer_socket import NOT_HERE, PeerSocket, peer_of

SUBUID = [
    "# a comment",
    "ada:100000:65536",
    "1000:300000:10",
    "bob:400000:65536",
    "ada:not-a-number:5",
    "ada:500000",
    "",
    "1000:12345678901234567890:12345678901234567890",
]


@pytest.mark.parametrize(
    ("peer", "verdict"),
    [
        (PeerSocket(1000, has_holder=True), Verdict.ALLOWED),
        (PeerSocket(0, has_holder=True), Verdict.ALLOWED),
        (PeerSocket(100_000, has_holder=True), Verdict.ALLOWED),
        (PeerSocket(165_535, has_holder=True), Verdict.ALLOWED),
        (PeerSocket(165_536, has_holder=True), Verdict.FOREIGN),
        (PeerSocket(99_999, has_holder=True), Verdict.FOREIGN),
        (PeerSocket(1001, has_holder=True), Verdict.FOREIGN),
        # Closed already: what was its uid proves nothing.
        (PeerSocket(1000, has_holder=False), Verdict.FOREIGN),
        (PeerSocket(0, has_holder=False), Verdict.FOREIGN),
        (NOT_HERE, Verdict.FOREIGN),
        (None, Verdict.UNKNOWN),
    ],
)
def test_a_peer_is_judged_by_its_uid_and_its_holder(
    peer: PeerSocket | None, verdict: Verdict
) -> None:
    allowed = AllowedUsers(frozenset({1000, 0}), (range(100_000, 165_536),))

    assert allowed.judge(peer) is verdict


@pytest.mark.parametrize("peer", [PeerSocket(1001, has_holder=True), NOT_HERE, None])
def test_anyone_may_connect_where_that_is_configured(peer: PeerSocket | None) -> None:
    assert allowed_users(Allow(is_anyone=True)).judge(peer) is Verdict.ALLOWED


@pytest.mark.parametrize(
    ("can_tell", "verdict"), [(True, Verdict.FOREIGN), (False, Verdict.UNKNOWN)]
)
def test_a_question_that_stays_unanswered_admits_no_one_where_the_system_can_tell(
    monkeypatch: pytest.MonkeyPatch, *, can_tell: bool, verdict: Verdict
) -> None:
    monkeypatch.setattr(module, "peer_of", lambda _sock: None)
    monkeypatch.setattr(module, "can_tell", lambda: can_tell)

    with socket.socket() as unasked:
        judged, peer = allowed_users(Allow()).judge_connection(unasked)

    assert (judged, peer) == (verdict, None)
    assert whose(peer) == "whose user is not known"


def test_subordinate_uids_are_found_by_name_and_by_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_name_of", {1000: "ada"}.__getitem__)

    found = list(subordinate_ranges(SUBUID, 1000))

    assert found == [range(100_000, 165_536), range(300_000, 300_010)]


def test_a_user_without_a_name_has_the_ranges_of_its_number_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "_name_of", lambda uid: "")

    assert list(subordinate_ranges([":1:5", *SUBUID], 1000)) == [range(300_000, 300_010)]


def test_users_are_allowed_by_name_or_number_and_unknown_ones_left_out() -> None:
    someone = next(each for each in pwd.getpwall() if each.pw_uid not in (0, os.getuid()))

    allowed = allowed_users(Allow(users=(someone.pw_name, "4711", "no-such-user-here")))

    assert allowed.uids == {0, os.getuid(), someone.pw_uid, 4711}


def test_a_refusal_says_whose_the_connection_was() -> None:
    assert whose(PeerSocket(0, has_holder=True)) == f"of user {pwd.getpwuid(0).pw_name}"
    assert whose(PeerSocket(3_999_999_999, has_holder=True)) == "of user uid 3999999999"
    assert whose(PeerSocket(0, has_holder=False)) == ""
    assert whose(NOT_HERE) == "from another machine or network namespace"


@pytest.mark.parametrize(
    ("family", "host"), [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")]
)
def test_the_kernel_names_this_user_for_a_connection_of_its_own(
    family: socket.AddressFamily, host: str
) -> None:
    with socket.create_server((host, 0), family=family) as server:
        client = socket.create_connection(server.getsockname()[:2])
        accepted, _ = server.accept()
        with accepted:
            assert peer_of(accepted) == PeerSocket(os.getuid(), has_holder=True)
            client.close()
            closed = peer_of(accepted)

    assert closed is not None
    assert not closed.has_holder
