"""A client generated from the OpenAPI description calls the service by the names of its operations."""

import base64
import keyword
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import httpx
import pytest

from .conftest import running

BUNDLE = "0123456789ab"
METHODS = {"predict", "predict_one", "get_model", "get_health", "get_ready", "get_metrics"}


class ServiceError(Exception):
    """An error response: what a generated client makes of it."""


class GeneratedClient:
    """A client whose methods are made from a description alone: one per operation, with its declared parameters."""

    def __init__(self, http: httpx.Client) -> None:
        self.http = http
        self.description = http.get("/openapi.json").json()
        self.methods: dict[str, Callable[..., Any]] = {}
        for path, operations in self.description["paths"].items():
            for verb, operation in operations.items():
                assert operation["operationId"] not in self.methods
                self.methods[operation["operationId"]] = partial(self._call, verb, path, operation)

    def __getattr__(self, name: str) -> Callable[..., Any]:
        return self.methods[name]

    def _call(
        self, verb: str, path: str, operation: Mapping[str, Any], *, json: object = None, **parameters: object
    ) -> object:
        declared = {parameter["name"] for parameter in operation.get("parameters", [])}
        assert parameters.keys() <= declared
        assert json is None or "application/json" in operation["requestBody"]["content"]
        answer = self.http.request(verb, path, json=json, params={name: str(v) for name, v in parameters.items()})
        response = operation["responses"][str(answer.status_code)]
        assert all(name in answer.headers for name in response["headers"])
        (content_type,) = response["content"]
        if answer.is_error:
            raise ServiceError(answer.json()["error"])
        return answer.json() if content_type == "application/json" else answer.text


def test_a_generated_client_calls_every_operation_by_a_good_name(reddish: bytes) -> None:
    encoded = base64.b64encode(reddish).decode()
    with running() as service, httpx.Client(base_url=service.address) as http:
        client = GeneratedClient(http)
        assert set(client.methods) == METHODS
        assert client.get_health() == {"status": "ok"}
        assert client.get_ready() == {"status": "ready"}
        assert client.get_model()["bundle"] == BUNDLE
        assert 'tellapart_requests_total{route="/v1/model",status="200"} 1.0' in client.get_metrics()
        one = client.predict_one(json={"image": encoded}, top=1)
        assert (one["label"], len(one["top"]), one["bundle"]) == ("red", 1, BUNDLE)
        several = client.predict(json={"image": [encoded, encoded]}, top=2, explain=False)
        assert ([answer["label"] for answer in several["answers"]], several["bundle"]) == (["red", "red"], BUNDLE)
        with pytest.raises(ServiceError, match="is not base64"):
            client.predict_one(json={"image": "?"})


def test_names_suit_every_language(client: httpx.Client) -> None:
    description = client.get("/openapi.json").json()
    schemas = description["components"]["schemas"]
    for name in (*METHODS, *schemas):
        assert name.isidentifier()
        assert not keyword.iskeyword(name)
    assert {"Answer", "Answers", "OneAnswer", "Model", "Problem", "Status"} <= set(schemas)
    assert not {"HTTPValidationError", "ValidationError"} & set(schemas)  # errors have one form, Problem
