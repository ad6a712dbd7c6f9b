"""What is sent again, and what never is."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

import pytest
from data_path import ALL_WAYS, SPDY_WAYS, DataPath, data_path, get, post, status, until

from llmgwctl.wire import UpgradeKind
from llmgwd.config.model import Protocol
from llmgwd.relay.http import kept_request
from llmgwd.relay.http.kept_request import RESEND_BYTES

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.anyio

MIB = 1024 * 1024


def answering_pod(answer: bytes) -> str:
    return str(json.loads(answer.partition(b"\r\n\r\n")[2])["pod"])


async def ask_until_refused(path: DataPath) -> dict[str, bytes]:
    """Requests, each by its name, until one of them was refused by a pod."""
    answers: dict[str, bytes] = {}
    while not path.counters.redialed:
        assert len(answers) < 20, "no request met the pod that refuses"
        name = f"request-{len(answers)}"
        answers[name] = await path.ask("/whoami", name)
    return answers


@pytest.mark.parametrize("way", SPDY_WAYS)
async def test_a_dial_refused_by_one_pod_is_answered_by_the_other_and_seen_once(
    tmp_path: Path, way: UpgradeKind
) -> None:
    async with data_path(tmp_path, way) as path:
        refusing, other = (pod.name for pod in path.pods())
        path.faults.refuse_dials(pod=refusing)

        answers = await ask_until_refused(path)

        assert {answering_pod(answer) for answer in answers.values()} == {other}
        assert path.faults.seen() == dict.fromkeys(answers, 1)
        assert path.counters.redialed >= 1
        assert path.counters.cut == 0


async def test_a_dial_error_on_the_v4_way_leads_to_the_other_pod(tmp_path: Path) -> None:
    async with data_path(tmp_path, UpgradeKind.CHANNELS) as path:
        refusing, other = (pod.name for pod in path.pods())
        path.faults.refuse_dials(pod=refusing)
        # Tunnels dialled from here on are told at once that their pod refuses.
        for tunnel in path.tunnels:
            tunnel.close()

        answers = {name: await path.ask("/whoami", name) for name in ("a", "b", "c", "d")}

        assert {answering_pod(answer) for answer in answers.values()} == {other}
        assert path.faults.seen() == dict.fromkeys(answers, 1)
        assert path.counters.cut == 0


async def test_bytes_sent_before_a_v4_dial_error_came_are_sent_to_another_pod(
    tmp_path: Path,
) -> None:
    async with data_path(tmp_path, UpgradeKind.CHANNELS) as path:
        path.pool.set_endpoints(())
        await until(lambda: not path.tunnels)
        path.faults.set_rtt(0.2)
        refusing, other = path.endpoints()
        path.faults.refuse_dials(pod=refusing.pod)
        client = await path.client()
        await client.send(get("/whoami", "once"))
        await until(lambda: path.admission.hold)

        # Held until the first tunnel stands, sent on it before its pod's refusal is here.
        path.pool.set_endpoints((refusing,))
        await until(lambda: path.counters.redialed)
        path.pool.set_endpoints((refusing, other))
        answer = await client.answer()

        assert answering_pod(answer) == other.pod
        assert path.faults.seen() == {"once": 1}
        assert path.counters.cut == 0


@pytest.mark.parametrize("way", ALL_WAYS)
async def test_a_cut_before_the_answer_is_said_in_words_and_sends_nothing_twice(
    tmp_path: Path, way: UpgradeKind
) -> None:
    async with data_path(tmp_path, way) as path:
        client = await path.client()
        await client.send(post("/slow?ms=60000", b"{}", "once"))
        await until(lambda: path.faults.seen() == {"once": 1})
        path.faults.cut()

        answer = await client.answer()

        assert status(answer) == 502
        assert b"may have been received" in answer
        # The path carries again, and what it carried since is all that the pods have seen.
        assert status(await path.ask("/whoami", "after")) == 200
        assert path.faults.seen() == {"once": 1, "after": 1}
        assert path.counters.cut == 1
        assert path.counters.redialed == 0


@pytest.mark.parametrize("way", ALL_WAYS)
async def test_a_safe_request_outlives_a_cut_before_its_answer(
    tmp_path: Path, way: UpgradeKind
) -> None:
    async with data_path(tmp_path, way) as path:
        client = await path.client()
        await client.send(get("/slow?ms=1000", "twice"))
        await until(lambda: path.faults.seen() == {"twice": 1})
        path.faults.cut()

        assert status(await client.answer()) == 200
        assert path.faults.seen() == {"twice": 2}
        assert path.counters.redialed >= 1
        assert path.counters.cut == 0


@pytest.mark.parametrize("way", ALL_WAYS)
async def test_a_raw_connection_that_is_cut_is_reset_and_sent_nowhere_again(
    tmp_path: Path, way: UpgradeKind
) -> None:
    async with data_path(tmp_path, way, protocol=Protocol.TCP) as path:
        client = await path.client()
        await client.send(get("/slow?ms=60000", "once"))
        await until(lambda: path.faults.seen() == {"once": 1})
        path.faults.cut()

        with pytest.raises(ConnectionResetError):
            await client.read()
        assert status(await path.ask("/whoami", "after")) == 200
        assert path.faults.seen() == {"once": 1, "after": 1}
        assert path.counters.cut == 1
        assert path.counters.redialed == 0


@pytest.mark.parametrize("protocol", [Protocol.AUTO, Protocol.TCP])
@pytest.mark.parametrize("way", ALL_WAYS)
async def test_a_cut_in_the_middle_of_a_body_reaches_the_client_as_a_reset(
    tmp_path: Path, way: UpgradeKind, protocol: Protocol
) -> None:
    async with data_path(tmp_path, way, protocol=protocol) as path:
        client = await path.client()
        await client.send(get("/bytes/100000000", "once"))
        await client.read()
        path.faults.cut()

        with pytest.raises(ConnectionResetError):
            await client.read_to_end()
        assert path.faults.seen() == {"once": 1}
        assert path.counters.cut == 1


@pytest.mark.parametrize("way", ALL_WAYS)
async def test_a_cut_between_two_events_is_an_error_event_and_an_end(
    tmp_path: Path, way: UpgradeKind
) -> None:
    async with data_path(tmp_path, way) as path:
        client = await path.client()
        await client.send(get("/sse?n=1000&ms=200", "once"))
        await client.read_until(b"data: 1")
        await client.read_until(b"\n\n\r\n")
        path.faults.cut()

        answer = await client.answer()

        said, _, end = answer.rsplit(b"data: ", 1)[1].partition(b"\n\n\r\n")
        error = json.loads(said)["error"]
        assert end == b"0\r\n\r\n"
        assert error["message"].startswith("llmgw: ")
        assert error["message"].endswith("The answer is not complete.")
        assert path.faults.seen() == {"once": 1}
        assert path.counters.cut == 1


async def test_a_cut_before_the_syn_reply_is_sent_again_and_seen_once(tmp_path: Path) -> None:
    async with data_path(tmp_path) as path:
        path.faults.black_hole(direction="in")
        client = await path.client()
        await client.send(get("/whoami", "once"))
        await until(lambda: path.streams == 1)
        path.faults.restore(cut=True)

        answer = await client.answer()

        assert status(answer) == 200
        assert path.faults.seen() == {"once": 1}
        assert path.counters.redialed >= 1
        assert path.counters.cut == 0


@pytest.mark.parametrize("way", ALL_WAYS)
async def test_while_the_api_server_is_down_a_request_is_held_and_then_seen_once(
    tmp_path: Path, way: UpgradeKind
) -> None:
    async with data_path(tmp_path, way) as path:
        path.faults.api_down()
        if way is UpgradeKind.CHANNELS:
            # Nothing proves there that what met the falling server was read by nobody.
            await until(lambda: not path.tunnels)
        client = await path.client()
        await client.send(get("/whoami", "once"))
        await until(lambda: not path.is_up)
        await until(lambda: path.counters.held == 1)
        await path.faults.api_up()

        assert status(await client.answer()) == 200
        assert path.faults.seen() == {"once": 1}
        assert path.counters.cut == 0


async def test_while_upgrades_are_refused_a_request_is_held_and_then_seen_once(
    tmp_path: Path,
) -> None:
    async with data_path(tmp_path) as path:
        path.faults.refuse_upgrades(spdy=502)
        path.faults.cut()
        await until(lambda: "changed" in path.news)
        client = await path.client()
        await client.send(get("/whoami", "once"))
        await until(lambda: path.counters.held == 1)
        path.faults.refuse_upgrades()

        assert status(await client.answer()) == 200
        assert path.faults.seen() == {"once": 1}


async def test_a_body_above_what_is_kept_is_not_sent_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kept_request, "RESEND_BYTES", MIB)
    async with data_path(tmp_path) as path:
        path.faults.black_hole(direction="in")
        client = await path.client()
        sending = asyncio.create_task(client.send(post("/upload", bytes(64 * MIB), "once")))
        await until(lambda: path.counters.sent_bytes > MIB)
        await until(lambda: path.kept_bytes() == 0)
        path.faults.restore(cut=True)

        answer = await client.answer()

        assert status(answer) == 503
        assert b"was not received, and is too large to be sent again" in answer
        sending.cancel()
        assert status(await path.ask("/whoami", "after")) == 200
        assert path.faults.seen() == {"after": 1}
        assert (path.counters.redialed, path.counters.cut) == (0, 1)


async def test_a_body_within_what_is_kept_is_sent_again_whole(tmp_path: Path) -> None:
    async with data_path(tmp_path) as path:
        path.faults.black_hole(direction="in")
        # More than the kernel and the tunnel take: the rest is read when it is sent again.
        body = bytes(range(256)) * (RESEND_BYTES // 2 // 256)
        client = await path.client()
        sending = asyncio.create_task(client.send(post("/echo", body, "once")))
        await until(lambda: path.counters.sent_bytes > MIB)
        path.faults.restore(cut=True)

        answer, _ = await asyncio.gather(client.answer(), sending)

        assert answer.partition(b"\r\n\r\n")[2] == body
        assert path.faults.seen() == {"once": 1}
        # All tunnels were cut: the second try may meet one whose end had not been read yet.
        assert path.counters.redialed >= 1
        assert path.kept_bytes() == 0
