"""How the simulated API server words its answers: Status objects with the real sentences."""

from __future__ import annotations

from typing import Any


class Refusal(Exception):
    """An HTTP status and the body that goes with it."""

    def __init__(
        self, status: int, body: dict[str, Any] | str, headers: dict[str, str] | None = None
    ) -> None:
        super().__init__(str(status))
        self.status = status
        self.body = body
        self.headers = headers or {}


def status(code: int, reason: str, message: str, **fields: Any) -> dict[str, Any]:
    known = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure"}
    return known | {"message": message, "reason": reason, "code": code} | fields


def unauthorized() -> Refusal:
    return Refusal(401, status(401, "Unauthorized", "Unauthorized"))


def not_found(resource: str, name: str) -> Refusal:
    group = group_of(resource)
    kind = f"{resource}.{group}" if group else resource
    details = {"name": name, "kind": resource} | ({"group": group} if group else {})
    text = f'{kind} "{name}" not found'
    return Refusal(404, status(404, "NotFound", text, details=details))


def no_such_path() -> Refusal:
    text = "the server could not find the requested resource"
    return Refusal(404, status(404, "NotFound", text, details={}))


def forbidden(
    user: str, verb: str, resource: str, namespace: str, name: str, reason: str = ""
) -> Refusal:
    """Refuse for lack of a permission; `reason` is the authorizer's own, if any."""
    group, kind = group_of(resource), resource.split("/", 1)[0]
    shown = f"{kind}.{group}" if group else kind
    what = f'{shown} "{name}" is forbidden' if name else f"{shown} is forbidden"
    where = f' in the namespace "{namespace}"' if namespace else " at the cluster scope"
    text = (
        f'{what}: User "{user}" cannot {verb} resource "{resource}" in API group "{group}"{where}'
    )
    if reason:
        text += f": {reason}"
    details = (
        {"kind": kind} | ({"name": name} if name else {}) | ({"group": group} if group else {})
    )
    return Refusal(403, status(403, "Forbidden", text, details=details))


def denied_by_webhook(code: int, words: str) -> Refusal:
    """Refuse as admission does; the status is the webhook's."""
    text = f'admission webhook "policy.corp" denied the request: {words}'
    return Refusal(code, status(code, "", text))


def bad_request(text: str) -> Refusal:
    return Refusal(400, status(400, "BadRequest", text))


def no_backend(message: str) -> Refusal:
    """An error that the server did not make itself: its text alone, and no reason."""
    known = status(500, "", message)
    del known["reason"]
    return Refusal(500, known)


def gone(version: str) -> dict[str, Any]:
    return status(410, "Expired", f"too old resource version: {version}")


def method_not_allowed() -> Refusal:
    text = "the server does not allow this method on the requested resource"
    return Refusal(405, status(405, "MethodNotAllowed", text, details={}))


def group_of(resource: str) -> str:
    """The API group a resource belongs to, by its plural name."""
    kind = resource.split("/", 1)[0]
    if kind in ("deployments", "statefulsets", "replicasets"):
        return "apps"
    return "authorization.k8s.io" if kind.startswith("selfsubject") else ""
