"""The document of all routes, OpenAPI 3.1: what Litestar makes of them, and what it does not see."""

from typing import Any

import msgspec

from caxton.gateway.problem import MEDIA_TYPE, Problem

TITLE = "Caxton"
_SCHEMAS = "#/components/schemas/"
_OPEN = {"/health", "/ready"}


def completed(document: dict[str, Any], handlers: dict[tuple[str, str], dict[str, Any]]) -> dict[str, Any]:
    """Return the document with bodies, answers, problems and tokens.

    handlers: of each path, as the document has it, and method, what its route says of itself: the types `body`, `form`
    and `answer`.
    """
    kinds = {kind for said in handlers.values() for key in ("body", "form", "answer") if (kind := said.get(key))}
    _, schemas = msgspec.json.schema_components([*kinds, Problem], ref_template=_SCHEMAS + "{name}")
    components = document.setdefault("components", {})
    components["schemas"] = components.get("schemas", {}) | schemas
    components["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            said = handlers.get((path, method.upper()), {})
            _say_body(operation, said)
            _say_answers(operation, said)
            operation["security"] = [] if path in _OPEN else [{"token": []}]
    return document


def _say_body(operation: dict[str, Any], said: dict[str, Any]) -> None:
    body, form = said.get("body"), said.get("form")
    if body is None:
        return
    content: dict[str, Any] = {"application/json": {"schema": _ref(body)}}
    if form is not None:
        parts: dict[str, Any] = {
            "agent": _ref(form),
            "wasm": {"type": "string", "contentMediaType": "application/wasm"},
        }
        schema = {"type": "object", "properties": parts, "required": ["agent", "wasm"]}
        content["multipart/form-data"] = {"schema": schema}
    operation["requestBody"] = {"required": True, "content": content}


def _say_answers(operation: dict[str, Any], said: dict[str, Any]) -> None:
    answers = operation["responses"]
    answers.pop("400", None)
    if (answer := said.get("answer")) is not None:
        for status in [status for status in answers if status.startswith("2")]:
            answers[status]["content"] = {"application/json": {"schema": _ref(answer)}}
    if said.get("stream"):
        told = answers["200"].setdefault("content", {})
        if answer is None:
            told.clear()
        told["text/event-stream"] = {"schema": {"type": "string"}}
    answers.get("204", {}).pop("content", None)
    problem = {"description": "What is wrong", "content": {MEDIA_TYPE: {"schema": _ref(Problem)}}}
    answers["default"] = problem


def _ref(kind: type) -> dict[str, str]:
    return {"$ref": _SCHEMAS + kind.__name__}
