"""Reads the one body that kubectl insists on sending as protobuf: a review.

`kubectl auth can-i` has no JSON mode. The envelope is `k8s\\0` and a `runtime.Unknown` whose field
2 holds the object (k8s.io/apimachinery, runtime/generated.proto); the numbers below are those of
k8s.io/api, authorization/v1/generated.proto.
"""

from __future__ import annotations

from typing import Any

CONTENT_TYPE = "application/vnd.kubernetes.protobuf"
_MAGIC = b"k8s\x00"
_RAW = 2
_SPEC = 2
_RESOURCE_ATTRIBUTES = 1
_ATTRIBUTES = {
    1: "namespace",
    2: "verb",
    3: "group",
    4: "version",
    5: "resource",
    6: "subresource",
    7: "name",
}
_VARINT, _BYTES = 0, 2


def read_review(body: bytes, is_rules_review: bool) -> dict[str, Any]:
    """A review's spec as its JSON would have it.

    Raises:
        ValueError: not a protobuf object of Kubernetes, or cut short.
    """
    if not body.startswith(_MAGIC):
        raise ValueError("the body is no protobuf object of Kubernetes")
    spec = _fields(_fields(_fields(body[len(_MAGIC) :]).get(_RAW, b"")).get(_SPEC, b""))
    if is_rules_review:
        return {"spec": {"namespace": spec.get(1, b"").decode()}}
    attributes = _fields(spec.get(_RESOURCE_ATTRIBUTES, b""))
    known = {
        name: attributes[number].decode()
        for number, name in _ATTRIBUTES.items()
        if number in attributes
    }
    return {"spec": {"resourceAttributes": known}}


def _fields(message: bytes) -> dict[int, bytes]:
    """The length-delimited fields of a message by number; numbers are skipped."""
    fields: dict[int, bytes] = {}
    at = 0
    while at < len(message):
        tag, at = _varint(message, at)
        number, kind = tag >> 3, tag & 7
        if kind == _VARINT:
            _, at = _varint(message, at)
        elif kind == _BYTES:
            size, at = _varint(message, at)
            if at + size > len(message):
                raise ValueError("a protobuf field longer than its message")
            fields[number] = message[at : at + size]
            at += size
        else:
            raise ValueError(f"a protobuf field of wire type {kind}")
    return fields


def _varint(message: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while at < len(message):
        byte = message[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if not byte & 0x80:
            return value, at
        shift += 7
    raise ValueError("a protobuf number cut short")
