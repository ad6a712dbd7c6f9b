"""Access to a cluster with the credentials, certificates and authorities that people have."""

from __future__ import annotations

import base64
import os
import tempfile
from typing import TYPE_CHECKING

import pytest
from access_answers import problem_by, version_by

from llmgwctl.wire import ConditionKind
from llmgwd.cluster.access import open_access
from llmgwd.cluster.api_errors import Unauthorized
from llmgwd.errors import Blocked, Transient
from llmgwsim.net.tls import SERVER_NAME, Authority
from support.scripted_api import (
    VERSION,
    ScriptedApi,
    kubeconfig,
    serving,
)

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.anyio


async def test_a_token_is_sent_and_an_object_comes_back(tmp_path: Path) -> None:
    async with serving() as api:
        api.answers["/version"] = VERSION
        api.tokens = {"T"}

        assert await version_by(kubeconfig(tmp_path, api)) == "v1.36.2"


async def test_a_name_and_password_are_sent(tmp_path: Path) -> None:
    async with serving() as api:
        api.answers["/version"] = VERSION

        await version_by(kubeconfig(tmp_path, api, {"username": "me", "password": "pw"}))

        expected = "Basic " + base64.b64encode(b"me:pw").decode()
        assert api.requests[0].headers["Authorization"] == expected


async def test_a_token_file_that_rotates_is_read_again(tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("first\n")
    async with serving() as api:
        api.answers["/version"] = VERSION
        api.tokens = {"first"}
        access = await open_access(kubeconfig(tmp_path, api, {"tokenFile": "token"}), None)
        await access.version()

        api.tokens = {"second"}
        replacement = tmp_path / "token.new"
        replacement.write_text("second\n")
        replacement.replace(token)

        assert await access.version() == "v1.36.2"
        assert str(token) in access.credential_files
        assert api.refused == 0
        await access.close()


async def test_a_login_that_the_cluster_refuses_is_told_once(tmp_path: Path) -> None:
    async with serving() as api:
        api.tokens = {"other"}

        error = await problem_by(kubeconfig(tmp_path, api))

        assert isinstance(error, Unauthorized)
        assert error.code == ConditionKind.LOGIN_EXPIRED
        assert len(api.requests) == 1


@pytest.mark.parametrize("as_files", [True, False])
async def test_a_client_certificate_is_shown_and_no_key_stays_on_disk(
    tmp_path: Path, as_files: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    authority = Authority()
    identity = authority.client("jane")
    if as_files:
        identity.write_pem(tmp_path, "jane")
        user = {"client-certificate": "jane.crt", "client-key": "jane.key"}
    else:
        user = {
            "client-certificate-data": base64.b64encode(identity.certificate).decode(),
            "client-key-data": base64.b64encode(identity.key).decode(),
        }
    async with serving(authority, asks_for_certificate=True) as api:
        api.answers["/version"] = VERSION

        assert await version_by(kubeconfig(tmp_path, api, user)) == "v1.36.2"

    assert list(temporary.iterdir()) == []


async def test_a_certificate_file_that_is_replaced_is_used_for_the_next_connection(
    tmp_path: Path,
) -> None:
    authority = Authority()
    Authority().client("jane").write_pem(tmp_path, "jane")
    user = {"client-certificate": "jane.crt", "client-key": "jane.key"}
    async with serving(authority, asks_for_certificate=True) as api:
        api.answers["/version"] = VERSION
        access = await open_access(kubeconfig(tmp_path, api, user), None)
        with pytest.raises(Transient):
            await access.version()

        authority.client("jane").write_pem(tmp_path, "jane")
        os.utime(tmp_path / "jane.crt", (1, 1))

        assert await access.version() == "v1.36.2"
        await access.close()


async def test_an_authority_file_and_a_server_name_are_honoured(tmp_path: Path) -> None:
    async with serving() as api:
        api.answers["/version"] = VERSION
        (tmp_path / "ca.crt").write_bytes(api.authority.pem)
        path = kubeconfig(
            tmp_path,
            api,
            **{
                "certificate-authority-data": None,
                "certificate-authority": "ca.crt",
                "tls-server-name": SERVER_NAME,
            },
        )

        assert await version_by(path) == "v1.36.2"


async def test_a_server_name_the_certificate_does_not_hold_is_not_trusted(tmp_path: Path) -> None:
    async with serving() as api:
        error = await problem_by(
            kubeconfig(tmp_path, api, **{"tls-server-name": "other.example.com"})
        )

        assert isinstance(error, Blocked)
        assert error.code == ConditionKind.TLS_UNTRUSTED


async def test_an_unknown_authority_is_not_trusted_and_can_be_waived(tmp_path: Path) -> None:
    async with serving() as api:
        api.answers["/version"] = VERSION

        error = await problem_by(kubeconfig(tmp_path, api, **{"certificate-authority-data": None}))

        assert isinstance(error, Blocked)
        assert error.code == ConditionKind.TLS_UNTRUSTED
        waived = {"certificate-authority-data": None, "insecure-skip-tls-verify": True}
        assert await version_by(kubeconfig(tmp_path, api, **waived)) == "v1.36.2"


@pytest.mark.parametrize(
    ("user", "words"),
    [
        ({"client-certificate": "absent.crt"}, "cannot read"),
        ({"client-certificate-data": base64.b64encode(b"junk").decode()}, "in PEM"),
    ],
)
async def test_an_unreadable_certificate_is_told_when_the_access_is_opened(
    tmp_path: Path, user: dict[str, str], words: str
) -> None:
    path = kubeconfig(tmp_path, ScriptedApi(Authority()), user | {"client-key": "empty.key"})
    (tmp_path / "empty.key").touch()

    with pytest.raises(Blocked) as caught:
        await open_access(path, None)

    assert caught.value.code == ConditionKind.CERTIFICATE_UNREADABLE
    assert "user test: client-certificate" in caught.value.message
    assert words in caught.value.message


async def test_impersonation_is_sent(tmp_path: Path) -> None:
    async with serving() as api:
        api.answers["/version"] = VERSION

        await version_by(
            kubeconfig(tmp_path, api, {"token": "T", "as": "jane", "as-groups": ["g", "h"]})
        )

        assert api.requests[0].headers["Impersonate-User"] == "jane"
        assert api.requests[0].headers.getall("Impersonate-Group") == ["g", "h"]


async def test_nothing_secret_is_in_the_text_form_of_an_access(tmp_path: Path) -> None:
    async with serving() as api:
        access = await open_access(kubeconfig(tmp_path, api, {"token": "s3cret"}), None)

        assert "s3cret" not in f"{access!r} {await access.credential()!r}"
        await access.close()
