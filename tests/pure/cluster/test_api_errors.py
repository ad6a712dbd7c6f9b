"""What an API server's refusal means, and the rule that would have allowed it."""

from __future__ import annotations

import json

import pytest

from llmgwctl.wire import ConditionKind
from llmgwd.cluster.api_errors import (
    Action,
    Forbidden,
    Gone,
    NotFound,
    Unauthorized,
    excerpt,
    parse_action,
    refusal,
)
from llmgwd.errors import LlmgwError, Transient

LIST = Action("list", "pods", "", "litellm")


def status(code: int, message: str) -> bytes:
    return json.dumps({"kind": "Status", "code": code, "message": message}).encode()


def refused(code: int, body: bytes, headers: dict[str, str] | None = None) -> LlmgwError:
    return refusal(LIST, code, body, headers or {}, "log in again: tsh login")


@pytest.mark.parametrize(
    ("method", "path", "query", "action"),
    [
        ("GET", "/api/v1/namespaces/n/pods", {}, Action("list", "pods", "", "n")),
        ("GET", "/api/v1/namespaces/n/pods", {"watch": "1"}, Action("watch", "pods", "", "n")),
        ("GET", "/api/v1/namespaces/n/pods/p", {}, Action("get", "pods", "", "n", "p")),
        ("GET", "/api/v1/namespaces/n/pods/p/log", {}, Action("get", "pods/log", "", "n", "p")),
        ("GET", "/api/v1/namespaces/n", {}, Action("get", "namespaces", "", "", "n")),
        ("GET", "/api/v1/namespaces", {}, Action("list", "namespaces")),
        (
            "GET",
            "/apis/apps/v1/namespaces/n/deployments/d",
            {},
            Action("get", "deployments", "apps", "n", "d"),
        ),
        (
            "POST",
            "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews",
            {},
            Action("create", "selfsubjectaccessreviews", "authorization.k8s.io"),
        ),
        ("GET", "/version", {}, Action("get", "/version")),
    ],
)
def test_a_request_is_named_in_the_words_of_rbac(
    method: str, path: str, query: dict[str, str], action: Action
) -> None:
    assert parse_action(method, path, query) == action


def test_a_403_names_verb_resource_namespace_and_the_rule_to_add() -> None:
    words = 'pods is forbidden: User "jane" cannot list resource "pods" in API group ""'

    error = refused(403, status(403, words))

    assert isinstance(error, Forbidden)
    assert error.code == ConditionKind.PERMISSION_DENIED
    assert error.message == '"jane" may not list pods in namespace litellm'
    assert error.remedy == (
        "Have this rule added to a Role bound to it: "
        '- {apiGroups: [""], resources: ["pods"], verbs: ["list"]}'
    )


def test_a_403_without_a_namespace_asks_for_a_cluster_role() -> None:
    error = refusal(Action("list", "namespaces"), 403, status(403, "no"), {}, "")

    assert "ClusterRole" in error.remedy


def test_a_401_shows_how_to_log_in_again() -> None:
    error = refused(401, status(401, "Unauthorized"))

    assert isinstance(error, Unauthorized)
    assert error.code == ConditionKind.LOGIN_EXPIRED
    assert error.remedy == "log in again: tsh login"


def test_a_404_by_the_api_server_is_a_missing_object() -> None:
    error = refused(404, status(404, 'pods "x" not found'))

    assert isinstance(error, NotFound)
    assert error.message == 'pods "x" not found'


def test_a_404_by_anything_else_is_tried_again() -> None:
    error = refused(404, b"<html><h1>Not here</h1></html>")

    assert isinstance(error, Transient)
    assert "Not here" in error.message


@pytest.mark.parametrize("code", [200, 302, 401, 403, 429, 503])
def test_a_page_of_something_in_between_is_no_login_and_no_permission(code: int) -> None:
    error = refused(code, b"<!DOCTYPE html><title>Sign in</title>")

    assert isinstance(error, Transient)
    assert error.code == ConditionKind.API_SERVER_FAILING
    assert error.message == (f"something that is no API server answered {code}: Sign in")


def test_a_role_that_is_not_loaded_yet_is_waited_for() -> None:
    words = (
        'pods is forbidden: User "jane" cannot list resource "pods" in API group "" in the '
        'namespace "n": RBAC: clusterrole.rbac.authorization.k8s.io "reader" not found'
    )

    error = refused(403, status(403, words))

    assert isinstance(error, Transient)
    assert error.code == ConditionKind.API_SERVER_FAILING
    assert "does not know the clusterrole reader" in error.message


def test_a_410_says_to_list_again() -> None:
    assert isinstance(refused(410, status(410, "too old")), Gone)


@pytest.mark.parametrize("code", [429, 500, 502, 503])
def test_an_overloaded_server_is_tried_again_when_it_says(code: int) -> None:
    error = refused(code, status(code, "busy"), {"Retry-After": "7"})

    assert isinstance(error, Transient)
    assert error.code == ConditionKind.API_SERVER_FAILING
    assert error.retry_after_s == 7.0
    assert f"{code}" in error.message


def test_a_body_of_any_kind_becomes_a_short_line() -> None:
    page = b"<html>\n<title>Sign in</title>\x1b[31m\n" + b"word " * 1000

    shown = excerpt(page)

    assert shown.startswith("Sign in")
    assert len(shown) <= 160
    assert "\n" not in shown
    assert "\x1b" not in shown
