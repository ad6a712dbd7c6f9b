"""The client speaks to its own user's daemon alone: the one that is connected, not the path."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from llmgwctl.api import transport
from llmgwctl.errors import Unreachable


def test_the_user_at_the_other_end_is_known(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server, socket.socket(socket.AF_UNIX) as client:
        server.bind(str(tmp_path / "s"))
        server.listen()
        client.connect(str(tmp_path / "s"))

        assert transport.peer_uid(client) == os.getuid()  # type: ignore[arg-type]


@pytest.mark.skipif(os.getuid() != 0, reason="only root can listen as another user")
def test_another_users_server_behind_our_own_path_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "s"
    with socket.socket(socket.AF_UNIX) as server:
        # The socket's credentials are taken when it listens; the file is ours by then.
        os.chmod(tmp_path, 0o777)
        server.bind(str(path))
        os.seteuid(65_534)
        try:
            server.listen()
        finally:
            os.seteuid(0)
        os.chown(path, 0, 0)

        with pytest.raises(Unreachable, match="belongs to uid 65534"):
            transport.request(str(path), "GET", "/v1/status")
