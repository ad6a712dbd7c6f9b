"""The OpenAPI document, made from the table of endpoints and the contract's payload types.

Nothing of it is written by hand, so it is as true as the table that the server itself routes by.
"""

from __future__ import annotations

import re
from functools import cache
from typing import Any

import msgspec

from llmgwctl import __version__
from llmgwctl.wire import API_VERSION, ErrorBody
from llmgwd.control.endpoint import JSON, Endpoint, EndpointTable, Parameter

_REFERENCE = "#/components/schemas/{name}"
# What every route may answer beside its own: see `api.py`.
_EVERYWHERE = {
    400: "the request holds a mistake",
    403: "the peer is another user",
    405: "the path is right, the method is not",
    408: "the request took too long to come",
    413: "the body is too large",
    500: "a mistake of llmgwd's own",
    503: "not now: it hangs on something that may pass",
}
_OWN = {
    404: "there is no such forward",
    409: "it hangs on what a person must do",
    422: "the configuration holds a mistake",
}
_KINDS: dict[type, str] = {str: "string", bool: "boolean", int: "integer", float: "number"}


@cache
def document(table: EndpointTable) -> dict[str, Any]:
    """Describe a table of endpoints (OpenAPI 3.1)."""
    # Other types (bytes, a plain dict) stand for themselves and need no component.
    types = [each.payload for each in table if hasattr(each.payload, "__required_keys__")]
    _, components = msgspec.json.schema_components(
        [*dict.fromkeys(types), ErrorBody], ref_template=_REFERENCE
    )
    paths: dict[str, dict[str, Any]] = {}
    for endpoint in table:
        paths.setdefault(endpoint.path, {})[endpoint.method.lower()] = _operation(endpoint)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "llmgwd control API",
            "version": __version__,
            "summary": f"v{API_VERSION}, over a Unix socket of the user's own",
        },
        "paths": paths,
        "components": {"schemas": components},
    }


def _operation(endpoint: Endpoint) -> dict[str, Any]:
    schema = _schema(endpoint.payload)
    content = {endpoint.media.partition(";")[0]: {"schema": schema}}
    responses: dict[str, Any] = {
        str(status): {"description": endpoint.summary, "content": content}
        for status in (200, *endpoint.also)
    }
    mistake = {JSON: {"schema": _schema(ErrorBody)}}
    for status, text in (_EVERYWHERE | {n: _OWN.get(n, "no") for n in endpoint.refusals}).items():
        response = {"description": text, "content": mistake}
        if str(status) in responses:
            # One status, two shapes: not healthy, or not answered at all.
            both = {"anyOf": [schema, _schema(ErrorBody)]}
            response = {
                "description": f"{endpoint.summary}; {text}",
                "content": {JSON: {"schema": both}},
            }
        responses[str(status)] = response
    return {
        "operationId": _operation_id(endpoint),
        "summary": endpoint.summary,
        "parameters": [*_path_parameters(endpoint), *map(_parameter, endpoint.parameters)],
        "responses": responses,
    }


def _operation_id(endpoint: Endpoint) -> str:
    words = re.sub(r"\{[^}]*\}", "", endpoint.path.removeprefix("/v1")).replace(".json", "")
    return "_".join([endpoint.method.lower(), *filter(None, words.split("/"))])


def _path_parameters(endpoint: Endpoint) -> list[dict[str, Any]]:
    return [
        {
            "name": name,
            "in": "path",
            "required": True,
            "description": f"the forward's {name}",
            "schema": {"type": "string", "minLength": 1},
        }
        for name in re.findall(r"\{(\w+)\}", endpoint.path)
    ]


def _parameter(parameter: Parameter) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": _KINDS[parameter.kind]}
    if parameter.minimum is not None:
        schema["minimum"] = parameter.minimum
    if parameter.maximum is not None:
        schema["maximum"] = parameter.maximum
    if parameter.pattern is not None:
        schema["pattern"] = f"^{parameter.pattern}$"
    return {
        "name": parameter.name,
        "in": "query",
        "required": parameter.is_required,
        "description": parameter.summary,
        "schema": schema,
    }


def _schema(payload: type) -> dict[str, Any]:
    if hasattr(payload, "__required_keys__"):
        return {"$ref": _REFERENCE.format(name=payload.__name__)}
    return {"type": "string" if payload is str else "object"}
