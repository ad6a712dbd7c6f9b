"""Upgrades: handed over whole, refused with a reason, and by another way where one is closed."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import anyio
import pytest
from access_answers import error_of
from gate import Gate, accepted, gate, refusing, status

from llmgwctl.wire import ConditionKind, UpgradeKind
from llmgwd.cluster import upgrade as subject
from llmgwd.cluster.access import ClusterAccess, open_access
from llmgwd.cluster.api_errors import Forbidden, Unauthorized
from llmgwd.cluster.target.pods import Endpoint
from llmgwd.cluster.upgrade import UpgradeChooser, upgrade
from llmgwd.errors import Transient
from llmgwsim.net.tls import SERVER_NAME
from support.loops import both_loops
from support.scripted_api import http_proxy, kubeconfig, serving, socks_proxy

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

# Their TLS transports are different programs.
pytestmark = [pytest.mark.anyio, both_loops]
POD = Endpoint("litellm", "litellm-0", "uid", 4000)
FORBIDDEN = 'User "jane" cannot {} resource "pods/portforward" in API group ""'


@asynccontextmanager
async def access_to(
    folder: Path, scripted: Gate, user: dict[str, Any] | None = None, **cluster: Any
) -> AsyncIterator[ClusterAccess]:
    access = await open_access(kubeconfig(folder, scripted, user, **cluster), None)
    try:
        yield access
    finally:
        await access.close()


class Collector(asyncio.Protocol):
    def __init__(self) -> None:
        self.received = bytearray()
        self.news = asyncio.Event()

    def data_received(self, data: bytes) -> None:
        self.received += data
        self.news.set()


async def echoes(upgraded: subject.Upgraded) -> bytes:
    """Take the transport as the data path does, and see that it carries bytes both ways."""
    protocol = Collector()
    upgraded.transport.set_protocol(protocol)
    protocol.connection_made(upgraded.transport)
    upgraded.transport.resume_reading()
    upgraded.transport.write(b"ping")
    with anyio.fail_after(10):
        while len(protocol.received) < 4:
            protocol.news.clear()
            await protocol.news.wait()
    upgraded.transport.abort()
    return bytes(protocol.received)


@pytest.mark.parametrize("way", list(UpgradeKind))
async def test_each_way_hands_over_a_paused_transport_that_carries_bytes(
    tmp_path: Path, way: UpgradeKind
) -> None:
    async with gate() as scripted, access_to(tmp_path, scripted) as access:
        upgraded = await upgrade(access, POD, way)

        assert upgraded.way is way
        assert not upgraded.transport.is_reading()
        assert await echoes(upgraded) == b"PING"


async def test_what_came_with_the_answers_head_is_left_over(tmp_path: Path) -> None:
    async with gate() as scripted, access_to(tmp_path, scripted) as access:
        scripted.answers[UpgradeKind.SPDY] = accepted("Upgrade: SPDY/3.1\r\n", b"first frame")

        upgraded = await upgrade(access, POD, UpgradeKind.SPDY)

        assert upgraded.leftover == b"first frame"
        upgraded.transport.abort()


async def test_a_second_upgrade_resumes_the_first_ones_session(tmp_path: Path) -> None:
    async with gate() as scripted, access_to(tmp_path, scripted) as access:
        for _ in range(3):
            (await upgrade(access, POD, UpgradeKind.SPDY)).transport.abort()

        assert scripted.resumed == [False, True, True]


@pytest.mark.parametrize("scheme", ["http", "socks5"])
async def test_upgrades_go_through_the_proxy_and_check_the_servers_name(
    tmp_path: Path, scheme: str
) -> None:
    opened: Callable[[], Any] = http_proxy if scheme == "http" else socks_proxy
    async with gate() as scripted, opened() as proxy:
        cluster = {
            "proxy-url": f"{scheme}://127.0.0.1:{proxy.port}",
            "tls-server-name": SERVER_NAME,
        }
        async with access_to(tmp_path, scripted, None, **cluster) as access:
            assert await echoes(await upgrade(access, POD, UpgradeKind.SPDY)) == b"PING"
            assert proxy.targets == [f"127.0.0.1:{scripted.port}"]
        cluster["tls-server-name"] = "other.example.com"
        async with access_to(tmp_path, scripted, None, **cluster) as access:
            error = await error_of(upgrade(access, POD, UpgradeKind.SPDY))
            assert error.code == ConditionKind.TLS_UNTRUSTED


async def test_a_dial_that_is_given_up_closes_its_connection(tmp_path: Path) -> None:
    async with gate() as scripted, access_to(tmp_path, scripted) as access:
        scripted.answers[UpgradeKind.SPDY] = None
        async with anyio.create_task_group() as group:
            group.start_soon(upgrade, access, POD, UpgradeKind.SPDY)
            await scripted.asked.wait()
            group.cancel_scope.cancel()

        with anyio.fail_after(10):
            await scripted.all_closed.wait()


async def test_a_refused_upgrade_closes_its_connection(tmp_path: Path) -> None:
    async with gate() as scripted, access_to(tmp_path, scripted) as access:
        scripted.answers[UpgradeKind.SPDY] = refusing(502)

        await error_of(upgrade(access, POD, UpgradeKind.SPDY))

        with anyio.fail_after(10):
            await scripted.all_closed.wait()


async def test_a_chunked_refusal_is_read_whole(tmp_path: Path) -> None:
    body = status(FORBIDDEN.format("create"))
    half = len(body) // 2
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(p), p) for p in (body[:half], body[half:], b""))
    async with gate() as scripted, access_to(tmp_path, scripted) as access:
        head = b"HTTP/1.1 403 Forbidden\r\nTransfer-Encoding: chunked\r\n\r\n"
        scripted.answers[UpgradeKind.SPDY] = head + chunks

        assert isinstance(await error_of(upgrade(access, POD, UpgradeKind.SPDY)), Forbidden)


@pytest.mark.parametrize("answer", [b"SSH-2.0-OpenSSH\r\n\r\n", b"x" * 70_000, b""])
async def test_an_answer_that_is_no_http_is_an_unreachable_server(
    tmp_path: Path, answer: bytes
) -> None:
    async with gate() as scripted, access_to(tmp_path, scripted) as access:
        scripted.answers[UpgradeKind.SPDY] = answer

        with anyio.move_on_after(0.5) as scope:
            error = await error_of(upgrade(access, POD, UpgradeKind.SPDY))
            assert isinstance(error, Transient)
        assert scope.cancelled_caught is (answer == b"")


async def test_a_role_with_create_alone_comes_in_by_raw_spdy(tmp_path: Path) -> None:
    async with gate() as scripted, access_to(tmp_path, scripted) as access:
        for way in (UpgradeKind.WEBSOCKET, UpgradeKind.CHANNELS):
            scripted.answers[way] = refusing(403, status(FORBIDDEN.format("get")))

        upgraded = await UpgradeChooser().dial(access, POD)

        assert upgraded.way is UpgradeKind.SPDY
        upgraded.transport.abort()


async def test_a_role_with_get_alone_is_told_that_create_is_missing(tmp_path: Path) -> None:
    async with gate() as scripted, access_to(tmp_path, scripted) as access:
        for way in UpgradeKind:
            scripted.answers[way] = refusing(403, status(FORBIDDEN.format("create")))

        error = await error_of(UpgradeChooser().dial(access, POD))

        assert isinstance(error, Forbidden)
        assert error.message == '"jane" may not create pods/portforward in namespace litellm'
        assert scripted.tried == list(UpgradeKind)


async def test_a_server_before_1_35_lets_get_alone_in_by_websocket(tmp_path: Path) -> None:
    async with gate() as scripted, access_to(tmp_path, scripted) as access:
        scripted.answers[UpgradeKind.SPDY] = refusing(403, status(FORBIDDEN.format("create")))

        upgraded = await UpgradeChooser().dial(access, POD)

        assert upgraded.way is UpgradeKind.WEBSOCKET
        upgraded.transport.abort()


@pytest.mark.parametrize(
    "answer", [refusing(400), refusing(403), refusing(404, b"<html>"), refusing(501), refusing(502)]
)
async def test_where_a_proxy_lets_one_kind_of_upgrade_pass_that_one_is_used_and_remembered(
    tmp_path: Path, answer: bytes
) -> None:
    async with gate() as scripted, access_to(tmp_path, scripted) as access:
        scripted.answers |= {UpgradeKind.SPDY: answer, UpgradeKind.WEBSOCKET: answer}
        ways = UpgradeChooser()

        for _ in range(3):
            (await ways.dial(access, POD)).transport.abort()

        assert scripted.tried == [*UpgradeKind, UpgradeKind.CHANNELS, UpgradeKind.CHANNELS]


async def test_a_better_way_is_tried_again_after_ten_minutes_and_kept(tmp_path: Path) -> None:
    now = [0.0]
    async with gate() as scripted, access_to(tmp_path, scripted) as access:
        scripted.answers[UpgradeKind.SPDY] = refusing(502)
        ways = UpgradeChooser(clock=lambda: now[0])
        (await ways.dial(access, POD)).transport.abort()
        del scripted.answers[UpgradeKind.SPDY]

        seen = []
        for now[0] in (599.0, 600.0, 601.0):
            upgraded = await ways.dial(access, POD)
            upgraded.transport.abort()
            seen.append(upgraded.way)

        assert seen == [UpgradeKind.WEBSOCKET, UpgradeKind.SPDY, UpgradeKind.SPDY]


async def test_an_upgrade_swallowed_in_silence_leaves_time_for_another_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subject, "_ANSWER_S", 0.2)
    async with gate() as scripted, access_to(tmp_path, scripted) as access:
        scripted.answers[UpgradeKind.SPDY] = None

        upgraded = await UpgradeChooser().dial(access, POD)

        assert upgraded.way is UpgradeKind.WEBSOCKET
        upgraded.transport.abort()


async def test_a_server_that_went_away_is_met_from_the_top_when_it_is_back(tmp_path: Path) -> None:
    async with gate() as scripted, access_to(tmp_path, scripted) as access:
        ways = UpgradeChooser()
        scripted.answers[UpgradeKind.SPDY] = refusing(502)
        (await ways.dial(access, POD)).transport.abort()
        scripted.answers[UpgradeKind.WEBSOCKET] = b"junk\r\n\r\n"
        error = await error_of(ways.dial(access, POD))
        assert error.code == ConditionKind.API_SERVER_UNREACHABLE
        scripted.answers.clear()

        upgraded = await ways.dial(access, POD)

        assert upgraded.way is UpgradeKind.SPDY
        upgraded.transport.abort()


async def test_a_pod_that_is_gone_tries_no_other_way(tmp_path: Path) -> None:
    async with gate() as scripted, access_to(tmp_path, scripted) as access:
        scripted.answers[UpgradeKind.SPDY] = refusing(404, status('pods "litellm-0" not found'))

        error = await error_of(UpgradeChooser().dial(access, POD))

        assert error.code == ConditionKind.NO_PODS
        assert scripted.tried == [UpgradeKind.SPDY]


async def test_a_refused_login_is_told_after_one_try_and_a_rotated_one_is_used(
    tmp_path: Path,
) -> None:
    token = tmp_path / "token"
    token.write_text("old")
    async with gate() as scripted:
        scripted.tokens = {"new"}
        async with access_to(tmp_path, scripted, {"tokenFile": "token"}) as access:
            error = await error_of(UpgradeChooser().dial(access, POD))
            assert isinstance(error, Unauthorized)
            assert scripted.tried == [UpgradeKind.SPDY]
            token.write_text("new")

            assert await echoes(await UpgradeChooser().dial(access, POD)) == b"PING"


async def test_requests_and_upgrades_share_one_way_of_dialling(tmp_path: Path) -> None:
    """A guard: whatever a kubeconfig asks for is honoured by REST as it is by upgrades."""
    async with serving() as api, http_proxy() as proxy:
        api.answers["/version"] = {"gitVersion": "v1"}
        path = kubeconfig(
            tmp_path,
            api,
            **{"proxy-url": f"http://127.0.0.1:{proxy.port}", "tls-server-name": SERVER_NAME},
        )
        access = await open_access(path, None)
        await access.version()
        await error_of(upgrade(access, POD, UpgradeKind.SPDY))

        assert proxy.targets == [f"127.0.0.1:{api.port}"] * 2
        await access.close()
