"""aiohttp, imported without reading the system's certificate authorities.

It makes two contexts as it is imported and reads the authorities for each: 60 ms of the start and a
megabyte, for defaults that nothing here uses, as each of our connections has a context of its own.
If one is used all the same, that which checks certificates reads the authorities then, and the
other needs none.
"""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

__all__ = ["aiohttp", "web"]

_READ: Final = "set_default_verify_paths"


class _ReadLater(ssl.SSLContext):
    """Trusts what the system trusts, once it is used."""

    _has_read = False

    def wrap_bio(self, *arguments: Any, **options: Any) -> ssl.SSLObject:
        self._read()
        return super().wrap_bio(*arguments, **options)

    def wrap_socket(self, *arguments: Any, **options: Any) -> ssl.SSLSocket:
        self._read()
        return super().wrap_socket(*arguments, **options)

    def _read(self) -> None:
        if not self._has_read:
            self._has_read = True
            self.load_default_certs()


@contextmanager
def _reading_later() -> Iterator[None]:
    usual = ssl.create_default_context
    ssl.create_default_context = lambda *_, **__: _ReadLater(ssl.PROTOCOL_TLS_CLIENT)
    # An attribute of the subclass, before that of the C class that it stands for.
    setattr(ssl.SSLContext, _READ, lambda _: None)
    try:
        yield
    finally:
        ssl.create_default_context = usual
        delattr(ssl.SSLContext, _READ)


with _reading_later():
    import aiohttp
    from aiohttp import web
