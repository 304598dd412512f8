"""The JSON Schema and the settings say the same."""

import tomllib
from collections.abc import Iterator
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from portward.config.schema import json_schema
from portward.config.settings import Settings
from portward.config.starter import STARTER


def fields(node: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    if isinstance(node, dict):
        yield from node.get("properties", {}).items()
        for value in node.values():
            yield from fields(value)


def test_it_is_valid_draft_2020_12() -> None:
    schema = json_schema()
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    Draft202012Validator.check_schema(schema)


def test_it_accepts_the_starter_file_and_its_own_defaults() -> None:
    validator = Draft202012Validator(json_schema())
    validator.validate(tomllib.loads(STARTER))
    validator.validate(
        {key: field["default"] for key, field in json_schema()["properties"].items() if "default" in field}
    )


def test_its_defaults_are_the_settings_own() -> None:
    written = {key: field["default"] for key, field in json_schema()["properties"].items() if "default" in field}
    assert Settings.model_validate(written) == Settings()


@pytest.mark.parametrize(
    "text",
    [
        "nonsense = 1",
        '[services.a]\naccess = "members"',
        '[services.a]\nupstream = "demo"\naccess = "all"',
        "[limits]\nrequests = 0",
    ],
)
def test_it_refuses_what_reading_refuses(text: str) -> None:
    assert not Draft202012Validator(json_schema()).is_valid(tomllib.loads(text))


def test_every_key_explains_itself() -> None:
    schema = json_schema()
    silent = [key for key, field in fields(schema) if not field.get("description") and "$ref" not in field]
    assert silent == []
