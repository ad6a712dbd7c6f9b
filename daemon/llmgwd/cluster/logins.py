"""Which kind of login a kubeconfig's user is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llmgwd.cluster.credentials import FixedLogin, Login, TokenFileLogin, fixed_headers

if TYPE_CHECKING:
    from llmgwd.cluster.kubeconfig import Kubeconfig


def login_for(chosen: Kubeconfig) -> Login:
    """Choose in kubectl's order: a token file, a token or password, a plugin, else what is left
    (a client certificate, or nobody).
    """
    user = chosen.user
    if path := user.path("tokenFile"):
        return TokenFileLogin(path, f"{user.where}: tokenFile")
    return FixedLogin(fixed_headers(user), f"log in again, so that {user.where} is renewed")
