"""How much asyncio reads of a TLS connection at once, and into what.

No public way leads to either. Where the attributes are gone, setting them changes nothing.
"""

from __future__ import annotations

import asyncio
import asyncio.sslproto
from typing import Any, Final

# asyncio reads TLS into 256 KiB, and may keep as much again undecoded for a reader that stalls:
# with a client's own share that is above a megabyte each.
_OWN_BYTES: Final = 128 * 1024
# Of those that carry much: larger reads take a twentieth of the processor off a download. asyncio
# fills a buffer and has it decoded within one call, so one serves all.
_SHARED: Final = bytearray(256 * 1024)


def bound_reads() -> None:
    """Let each connection that is made from now on have a smaller buffer."""
    asyncio.sslproto.SSLProtocol.max_size = _OWN_BYTES


def share_buffer(transport: asyncio.BaseTransport) -> None:
    """Have a TLS connection read into the buffer that it shares, and let go of its own."""
    protocol: Any = getattr(transport, "_ssl_protocol", None)
    if hasattr(protocol, "_ssl_buffer") and hasattr(protocol, "_ssl_buffer_view"):
        protocol._ssl_buffer, protocol._ssl_buffer_view = _SHARED, memoryview(_SHARED)
