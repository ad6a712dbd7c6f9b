"""Any requests, in any chunking, over one connection: each exchange has its own bytes only.

The client's and the servers' messages are written and read by h11, a parser that is not ours.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

import h11
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from support.relay.relay_front import relay_front
from support.relay.scripted_route import ScriptedRoute, ServedStream

# Bodies and values that look like the framing around them.
TRICKY = st.sampled_from(
    [
        b"",
        b"0\r\n\r\n",
        b"GET /smuggled HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
        b"data: [DONE]\n\n",
        bytes(range(256)),
    ]
)
LARGE = st.integers(1_000, 100_000).map(lambda size: (b"%x\r\n" % size * size)[:size])
BODIES = st.one_of(TRICKY, LARGE, st.binary(max_size=300))
PIECES = st.lists(st.integers(1, 400), min_size=1, max_size=6)


@dataclass(frozen=True)
class Turn:
    """One exchange as the test wants it; `number` tells it from all others."""

    number: int
    method: str
    asked: bytes
    is_asked_in_chunks: bool
    status: int
    interim: bool
    said: bytes
    is_said_in_chunks: bool
    trailer: bool
    losses: int  # streams that are lost, provably unreceived, before the one that answers
    is_lost_late: bool  # when all of the request was sent on them, not at its head
    closes: bool  # the server ends its side behind the answer


@st.composite
def turns(draw: st.DrawFn) -> list[Turn]:
    made = []
    for number in range(draw(st.integers(1, 5))):
        method = draw(st.sampled_from(["POST", "PUT", "GET", "HEAD", "DELETE"]))
        has_body = method in ("POST", "PUT")
        made.append(
            Turn(
                number,
                method,
                draw(BODIES) if has_body else b"",
                has_body and draw(st.booleans()),
                draw(st.sampled_from([200, 201, 204, 304, 404, 500, 529])),
                draw(st.booleans()),
                draw(BODIES),
                draw(st.booleans()),
                draw(st.booleans()),
                draw(st.integers(0, 2)),
                draw(st.booleans()),
                draw(st.booleans()),
            )
        )
    return made


def sent_by_client(turn: Turn) -> bytes:
    connection = h11.Connection(h11.CLIENT)
    fields = [("Host", "localhost"), ("X-Number", str(turn.number))]
    if turn.is_asked_in_chunks:
        fields.append(("Transfer-Encoding", "chunked"))
    elif turn.asked:
        fields.append(("Content-Length", str(len(turn.asked))))
    request = h11.Request(method=turn.method, target=f"/{turn.number}", headers=fields)
    sent = connection.send(request) or b""
    if turn.asked:
        sent += connection.send(h11.Data(data=turn.asked)) or b""
    trailers = [("X-Trailer", str(turn.number))] if turn.trailer and turn.is_asked_in_chunks else []
    return sent + (connection.send(h11.EndOfMessage(headers=trailers)) or b"")


@dataclass
class Servers:
    """Plays every stream: the first ones of a turn are lost, the last one answers it."""

    turns: list[Turn]
    cuts: list[int]
    heard: list[tuple[int, bytes]] = field(default_factory=list)
    lost: dict[int, int] = field(default_factory=dict)

    async def serve(self, stream: ServedStream) -> None:
        connection, taken = h11.Connection(h11.SERVER), 0
        asked, number = b"", -1
        while True:
            if len(stream.heard) > taken:
                connection.receive_data(stream.heard[taken:])
            taken = len(stream.heard)
            event = connection.next_event()
            if event is h11.NEED_DATA:
                await asyncio.sleep(0)
                if stream.end:
                    return
                continue
            if isinstance(event, h11.Request):
                assert (b"connection", b"close") in list(event.headers)
                number = int(dict(event.headers)[b"x-number"])
                turn = self.turns[number]
                assert event.target == f"/{number}".encode()
                if not turn.is_lost_late and self.is_lost(stream, turn):
                    return
            elif isinstance(event, h11.Data):
                asked += event.data
            elif isinstance(event, h11.EndOfMessage):
                break
        assert connection.trailing_data[0] == b""
        if self.is_lost(stream, self.turns[number]):
            return
        self.heard.append((number, asked))
        await self.answer(stream, connection, self.turns[number])

    def is_lost(self, stream: ServedStream, turn: Turn) -> bool:
        if self.lost.get(turn.number, 0) == turn.losses:
            return False
        self.lost[turn.number] = self.lost.get(turn.number, 0) + 1
        stream.fail(is_unreceived=True)
        return True

    async def answer(self, stream: ServedStream, connection: h11.Connection, turn: Turn) -> None:
        said = b""
        if turn.interim:
            interim = h11.InformationalResponse(status_code=103, headers=[])
            said += connection.send(interim) or b""
        fields = [("X-Number", str(turn.number))]
        if turn.status not in (204, 304):
            framing = (
                ("Transfer-Encoding", "chunked")
                if turn.is_said_in_chunks
                else ("Content-Length", str(len(turn.said)))
            )
            fields.append(framing)
        said += connection.send(h11.Response(status_code=turn.status, headers=fields)) or b""
        if turn.said and turn.method != "HEAD" and turn.status not in (204, 304):
            said += connection.send(h11.Data(data=turn.said)) or b""
        said += connection.send(h11.EndOfMessage()) or b""
        for piece in cut(said, self.cuts):
            stream.say(piece)
            await asyncio.sleep(0)
        if turn.closes:
            stream.close()


def cut(payload: bytes, sizes: list[int]) -> list[bytes]:
    """Cut in pieces of these sizes in turn; what is long is cut in larger ones towards its end."""
    pieces, at = [], 0
    while at < len(payload):
        size = sizes[len(pieces) % len(sizes)] * (1 + len(pieces) // 16)
        pieces.append(payload[at : at + size])
        at += size
    return pieces


async def read_answer(
    reader: asyncio.StreamReader, turn: Turn, left: bytes
) -> tuple[int, int, bytes, bytes]:
    """One answer by h11: status, number, body, and what came behind it."""
    connection, body, status, number = h11.Connection(h11.CLIENT), b"", 0, -1
    connection.send(h11.Request(method=turn.method, target="/", headers=[("Host", "x")]))
    connection.send(h11.EndOfMessage())
    if left:
        connection.receive_data(left)
    while True:
        event = connection.next_event()
        if event is h11.NEED_DATA:
            connection.receive_data(await reader.read(65536))
        elif isinstance(event, h11.Response):
            status, number = event.status_code, int(dict(event.headers).get(b"x-number", b"-1"))
            assert b"connection" not in dict(event.headers)
        elif isinstance(event, h11.Data):
            body += event.data
        elif isinstance(event, h11.EndOfMessage):
            return status, number, body, connection.trailing_data[0]


async def converse(made: list[Turn], sizes: list[int], cuts: list[int]) -> None:
    servers = Servers(made, cuts)
    route = ScriptedRoute(servers.serve)
    async with relay_front(route.up) as front:
        reader, writer = await front.connect()

        async def send() -> None:
            for piece in cut(b"".join(map(sent_by_client, made)), sizes):
                writer.write(piece)
                await writer.drain()
                await asyncio.sleep(0)

        sending, left = asyncio.ensure_future(send()), b""
        for turn in made:
            status, number, body, left = await asyncio.wait_for(read_answer(reader, turn, left), 3)
            is_empty = turn.method == "HEAD" or turn.status in (204, 304)
            assert (status, number) == (turn.status, turn.number)
            assert body == (b"" if is_empty else turn.said)
        await sending

        assert left == b""
        assert servers.heard == [(turn.number, turn.asked) for turn in made]
        assert len(route.streams) == len(made) + sum(turn.losses for turn in made)
        assert [record["path"] for record in front.records] == [f"/{t.number}" for t in made]
        assert front.cuts == []
        assert (front.admission.streams, front.connections) == (0, 1)
        assert front.context.budget._left_bytes == type(front.context.budget)()._left_bytes
        writer.close()


@settings(
    max_examples=150,
    deadline=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(made=turns(), sizes=PIECES, cuts=PIECES)
def test_each_exchange_of_any_conversation_has_its_own_bytes(
    made: list[Turn], sizes: list[int], cuts: list[int]
) -> None:
    asyncio.run(asyncio.wait_for(converse(made, sizes, cuts), 30))
