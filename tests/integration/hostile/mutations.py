"""What a fuzzed peer makes of valid bytes: mutated texts and JSON, and frames no one asked for."""

from __future__ import annotations

import random
import re
import struct
import zlib
from collections.abc import Callable

from llmgwd.protocol import spdy, spdy_headers

# Values that decoders stumble over, put in a value's place.
ODD_VALUES = (
    *(b"null", b"true", b"-1", b"0", b"1e999", b"NaN", b"9" * 5000, b"1.5", b"[]", b"{}", b'""'),
    *(b"[" * 3000, b'{"a":' * 200, rb'"\ud800"', b'"\xff\xfe"', rb'"\u001b[2J\u009b\u202e"'),
    *(b'"' + b"x" * 70_000 + b'"', b'"9999-99-99T99:99:99Z"', b"18446744073709551616"),
    *(b'"2000-01-01T00:00:00Z"', rb'"\u0000"', b"[null]", b'[{"a": [{}]}]', b'{"metadata": 7}'),
)
_VALUE = re.compile(rb'(?<=[:\[,=])\s*("(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?|true|false|null)')
_LENGTH = re.compile(rb"(?i)(content-length: *)(\d+)")
_CHUNK = re.compile(rb"\A[0-9a-fA-F]+\r\n(.*)\r\n\Z", re.DOTALL)
_WEBSOCKET_BINARY = 0x82


class Mutator:
    """One peer's choices, all from its own number."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)

    def data(self, data: bytes) -> bytes:
        """Flip, cut, double, insert or exchange some of the bytes."""
        found = bytearray(data)
        for _ in range(self.random.randint(1, 4)):
            at = self.random.randint(0, len(found))
            size = self.random.choice((1, 1, 2, 8, 300))
            match self.random.randrange(6):
                case 0 if at < len(found):
                    found[at] ^= 1 << self.random.randrange(8)
                case 1:
                    del found[at : at + size]
                case 2:
                    found[at:at] = found[at : at + size] * self.random.choice((1, 2, 100))
                case 3:
                    found[at:at] = self.random.randbytes(size)
                case 4:
                    found[at : at + size] = self.random.randbytes(size)
                case _:
                    found[at : at + 4] = struct.pack(
                        ">I", self.random.choice((0, 1, 0x7FFFFFFF, 0xFFFFFFFF, 0x80030002))
                    )
        return bytes(found)

    def values(self, data: bytes) -> bytes:
        """Put odd values in the place of some, and keep the lengths around them true."""
        chunk = _CHUNK.match(data)
        if chunk is not None:
            body = self._exchanged(chunk[1])
            return b"%x\r\n%b\r\n" % (len(body), body)
        head, end, body = data.partition(b"\r\n\r\n")
        if not end:
            return self._exchanged(data)
        if _CHUNK.match(body):
            return head + end + self.values(body)
        exchanged = self._exchanged(body)
        head = _LENGTH.sub(lambda found: found[1] + b"%d" % len(exchanged), head)
        return head + end + exchanged

    def _exchanged(self, data: bytes) -> bytes:
        places = list(_VALUE.finditer(data))
        for place in sorted(
            self.random.sample(places, min(len(places), self.random.choice((1, 1, 2, 5)))),
            key=lambda found: -found.start(1),
        ):
            odd = self.random.choice(ODD_VALUES)
            data = data[: place.start(1)] + odd + data[place.end(1) :]
        return data

    def text(self, text: str) -> str:
        """Mutate a file of text."""
        if self.random.random() < 0.5:
            return self.data(text.encode()).decode("latin-1")
        return self._exchanged(text.encode()).decode("latin-1")

    def frames(self, *, in_websocket: bool) -> bytes:
        """Give valid frames that no one asked for, or that contradict each other."""
        choose = self.random.choice
        kinds = choose((FRAMES, WEBSOCKET_FRAMES)) if in_websocket else FRAMES
        made = choose(tuple(kinds.values()))(self.random)
        is_wrapped = in_websocket and kinds is FRAMES
        return websocket_frame(_WEBSOCKET_BINARY, made) if is_wrapped else made


def control(kind: int, body: bytes, flags: int = 0) -> bytes:
    return struct.pack(">HHI", 0x8003, kind, flags << 24 | len(body)) + body


def deflated(raw: bytes) -> bytes:
    deflate = zlib.compressobj(zdict=spdy_headers.DICTIONARY)
    return deflate.compress(raw) + deflate.flush(zlib.Z_SYNC_FLUSH)


def websocket_frame(first: int, payload: bytes) -> bytes:
    size = len(payload)
    length = bytes([size]) if size < 126 else b"\x7e" + struct.pack(">H", min(size, 0xFFFF))
    return bytes([first]) + length + payload[:0xFFFF]


def _stream(random: random.Random) -> int:
    return random.choice((0, 1, 2, 3, 5, 7, 11, 4095, 0x7FFFFFFF))


def _two(kind: int) -> Callable[[random.Random], bytes]:
    values = (0, 1, 3, 7, 0x7FFFFFFF, 0xFFFFFFFF)
    return lambda random: (
        control(kind, struct.pack(">II", _stream(random), random.choice(values)))
        * random.choice((1, 1, 50, 5000))
    )


FRAMES: dict[str, Callable[[random.Random], bytes]] = {
    "pings": lambda random: spdy.Encoder().ping(random.randrange(9)) * random.choice((1, 9, 9000)),
    "resets": _two(spdy.RST_STREAM),
    "goaway": _two(spdy.GOAWAY),
    "windows": _two(spdy.WINDOW_UPDATE),
    "settings": lambda random: control(
        spdy.SETTINGS, struct.pack(">I", 500) + random.randbytes(4000)
    ),
    "a reply without a stream": lambda random: control(
        spdy.SYN_REPLY, struct.pack(">I", _stream(random)) + deflated(struct.pack(">I", 0))
    ),
    "a stream of the peer's": lambda random: (
        control(
            spdy.SYN_STREAM,
            struct.pack(">IIH", _stream(random), 0, 0) + deflated(struct.pack(">I", 0)),
            random.randrange(4),
        )
        * random.choice((1, 3, 300))
    ),
    "a bomb of headers": lambda random: control(
        spdy.SYN_REPLY, struct.pack(">I", 3) + deflated(struct.pack(">I", 99_999) + bytes(800_000))
    ),
    "data": lambda random: (
        spdy.data_frame(_stream(random), random.randbytes(random.randrange(99)))
        * random.choice((1, 1, 200))
    ),
    "data and its end, twice": lambda random: (
        (struct.pack(">II", random.choice((1, 3, 5, 7)), 1 << 24 | 1) + b"x") * 2
    ),
    "empty data": lambda random: spdy.data_frame(_stream(random), b"") * 5000,
    "an unknown kind": lambda random: control(random.randrange(10, 99), random.randbytes(30)),
    "16 MiB to come": lambda random: struct.pack(">II", 3, 0xFFFFFF) + random.randbytes(2000),
}
WEBSOCKET_FRAMES: dict[str, Callable[[random.Random], bytes]] = {
    "pings": lambda _: websocket_frame(0x89, b"x" * 125) * 3000,
    "pongs": lambda _: websocket_frame(0x8A, b"") * 3000,
    "continuations": lambda _: websocket_frame(0x02, b"x") + websocket_frame(0x00, b"x") * 3000,
    "a long ping": lambda _: websocket_frame(0x89, b"x" * 4000),
    "a fragmented ping": lambda _: websocket_frame(0x09, b"x"),
    "reserved bits": lambda random: websocket_frame(random.randrange(256), b"x"),
    "masked": lambda _: b"\x82\x85aaaaaaaaa",
    "text": lambda _: websocket_frame(0x81, b"\xff\xfe"),
    "a close": lambda random: websocket_frame(0x88, random.randbytes(random.randrange(126))),
    "a channel of its own": lambda random: websocket_frame(0x82, random.randbytes(3)),
    "2^63 bytes to come": lambda _: b"\x82\x7f" + struct.pack(">Q", 1 << 63),
    "2^62 bytes to come": lambda _: b"\x82\x7f" + struct.pack(">Q", 1 << 62) + b"x" * 4000,
}
