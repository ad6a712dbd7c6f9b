"""Logins by an OpenID provider: refreshed, saved, and clear when they are over."""

from __future__ import annotations

import base64
import json
import os
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from aiohttp import web
from login_plugin import problem_of

from llmgwctl.wire import ConditionKind
from llmgwd.cluster.access import open_access
from llmgwd.errors import Blocked
from peers.conformance.pki import chains
from support.scripted_api import VERSION, kubeconfig, serving

pytestmark = pytest.mark.anyio


def jwt(expires_at: datetime, name: str) -> str:
    claims = json.dumps({"exp": expires_at.timestamp(), "sub": name}).encode()
    return f"e30.{base64.urlsafe_b64encode(claims).decode().rstrip('=')}.c2ln"


def saved_tokens(path: str) -> tuple[str, str]:
    document = yaml.safe_load(Path(path).read_text())
    saved = document["users"][0]["user"]["auth-provider"]["config"]
    return saved["id-token"], saved["refresh-token"]


@pytest.mark.parametrize("chain", ["root", "intermediate", "rotated"])
async def test_an_openid_login_is_refreshed_and_the_new_tokens_are_saved(
    tmp_path: Path, chain: str
) -> None:
    shown, trusted = chains(b"")[chain]
    now = datetime.now(UTC)
    old, new = jwt(now - timedelta(hours=1), "old"), jwt(now + timedelta(hours=1), "new")
    forms: list[dict[str, Any]] = []

    async def give(request: web.Request) -> web.Response:
        forms.append({**await request.post(), "login": request.headers.get("Authorization")})
        return web.json_response({"id_token": new, "refresh_token": "R2"})

    async with serving(shown) as provider, serving() as api:
        provider.answers["/.well-known/openid-configuration"] = {
            "token_endpoint": f"{provider.url}/token"
        }
        provider.answers["/token"] = give
        api.answers["/version"] = VERSION
        api.tokens = {new}
        config = {
            "idp-issuer-url": provider.url,
            "idp-certificate-authority-data": base64.b64encode(trusted).decode(),
            "client-id": "kubectl",
            "id-token": old,
            "refresh-token": "R1",
        }
        user = {"auth-provider": {"name": "oidc", "config": config}}
        path = kubeconfig(tmp_path, api, user)
        access = await open_access(path, None)

        assert await access.version() == "v1.36.2"
        await access.close()

    assert [form["refresh_token"] for form in forms] == ["R1"]
    assert saved_tokens(path) == (new, "R2")
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o600


async def test_an_openid_provider_that_is_not_trusted_gets_no_refresh_token(tmp_path: Path) -> None:
    async with serving() as provider, serving() as api:
        config = {"idp-issuer-url": provider.url, "client-id": "k", "refresh-token": "R1"}
        user = {"auth-provider": {"name": "oidc", "config": config}}
        access = await open_access(kubeconfig(tmp_path, api, user), None)

        error = await problem_of(access)

        assert isinstance(error, Blocked)
        assert error.code == ConditionKind.TLS_UNTRUSTED
        assert f"certificate of the login provider {provider.url} is not" in error.message
        assert provider.requests == []
        await access.close()


async def test_an_openid_login_that_is_over_says_so(tmp_path: Path) -> None:
    async def refuse(request: web.Request) -> web.Response:
        return web.json_response({"error": "invalid_grant"}, status=400)

    async with serving() as provider, serving() as api:
        provider.answers["/.well-known/openid-configuration"] = {
            "token_endpoint": f"{provider.url}/token"
        }
        provider.answers["/token"] = refuse
        config = {
            "idp-issuer-url": provider.url,
            "idp-certificate-authority-data": base64.b64encode(provider.authority.pem).decode(),
            "client-id": "k",
            "refresh-token": "R1",
        }
        user = {"auth-provider": {"name": "oidc", "config": config}}
        access = await open_access(kubeconfig(tmp_path, api, user), None)

        error = await problem_of(access)

        assert isinstance(error, Blocked)
        assert error.code == ConditionKind.LOGIN_EXPIRED
        assert "invalid_grant" in error.message
        await access.close()


async def test_a_provider_that_left_kubernetes_is_refused_with_what_replaced_it(
    tmp_path: Path,
) -> None:
    user = {"auth-provider": {"name": "gcp", "config": {"access-token": "s3cret"}}}
    async with serving() as api:
        with pytest.raises(Blocked, match='name is "gcp"; allowed is oidc') as caught:
            await open_access(kubeconfig(tmp_path, api, user), None)

        assert "login plugin" in caught.value.remedy
