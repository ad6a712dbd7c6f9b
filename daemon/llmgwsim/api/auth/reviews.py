"""Self subject (access, rules) reviews: what the user who asks may do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from llmgwsim.api import answers

if TYPE_CHECKING:
    from llmgwsim.api.auth.access import Access

Object = dict[str, Any]


def review(path: str, body: Object, user: str, access: Access) -> Object:
    """Answer a review.

    Raises:
        Refusal: another kind of review.
    """
    plural = path.rstrip("/").rsplit("/", 1)[1]
    spec = body.get("spec") or {}
    head = {"apiVersion": "authorization.k8s.io/v1", "metadata": {"creationTimestamp": None}}
    if plural == "selfsubjectaccessreviews":
        status = _access_status(spec, user, access)
        return head | {"kind": "SelfSubjectAccessReview", "spec": spec, "status": status}
    if plural == "selfsubjectrulesreviews":
        rules = access.rules_of(user, spec.get("namespace", "default"))
        status = {"resourceRules": rules, "nonResourceRules": [], "incomplete": False}
        return head | {"kind": "SelfSubjectRulesReview", "spec": spec, "status": status}
    if plural == "selfsubjectreviews":
        status = {"userInfo": {"username": user, "groups": ["system:authenticated"]}}
        head |= {"apiVersion": "authentication.k8s.io/v1"}
        return head | {"kind": "SelfSubjectReview", "status": status}
    raise answers.no_such_path()


def _access_status(spec: Object, user: str, access: Access) -> Object:
    asked = spec.get("resourceAttributes")
    if not asked:
        return {"allowed": True, "reason": "non-resource paths are open here"}
    resource = asked.get("resource", "")
    if asked.get("subresource"):
        resource += f"/{asked['subresource']}"
    is_allowed = access.allows(user, asked.get("verb", ""), resource, asked.get("namespace", ""))
    return {"allowed": is_allowed} | ({} if is_allowed else {"reason": "no rule allows it"})
