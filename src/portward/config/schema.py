"""The JSON Schema of portward.toml (draft 2020-12), with which editors complete it and explain its keys.

json_schema()["properties"]["domain"]["description"]
"""

from datetime import timedelta
from ipaddress import IPv4Network, IPv6Network
from typing import Any

from pydantic.json_schema import GenerateJsonSchema
from pydantic_core.core_schema import ModelSchema, NullableSchema

from portward.config.meaning import meanings_of
from portward.config.section import Section
from portward.config.settings import Settings
from portward.config.spelling import Address, spell_access, spell_duration
from portward.model import Access


class _TomlSchema(GenerateJsonSchema):
    """Defaults are spelt as in the file, and what may be left out is not `null`, which TOML does not know."""

    def nullable_schema(self, schema: NullableSchema) -> dict[str, Any]:
        return self.generate_inner(schema["schema"])

    def model_schema(self, schema: ModelSchema) -> dict[str, Any]:
        table = super().model_schema(schema)
        kind: type[Section] = schema["cls"]
        for key, meaning in meanings_of(kind).items():
            table["properties"][key]["description"] = meaning
        return table

    def encode_default(self, dft: Any) -> Any:
        match dft:
            case Section():
                return dft.model_dump(mode="json", by_alias=True, exclude_none=True)
            case Access():
                return spell_access(dft)
            case timedelta():
                return spell_duration(dft)
            case Address() | IPv4Network() | IPv6Network():
                return dft.text if isinstance(dft, Address) else str(dft)
            case tuple():
                return [self.encode_default(element) for element in dft]
        return super().encode_default(dft)


def json_schema() -> dict[str, Any]:
    """The schema of the whole file."""
    schema = Settings.model_json_schema(schema_generator=_TomlSchema)
    _tidy(schema)
    return {"$schema": GenerateJsonSchema.schema_dialect, "$comment": "portward.toml", **schema}


def _tidy(node: Any) -> None:
    """Titles that repeat the key, and defaults that say nothing, would only fill an editor's pop-up."""
    if isinstance(node, dict):
        if node.get("default", "") is None:
            del node["default"]
        for field in node.get("properties", {}).values():
            field.pop("title", None)
        for value in node.values():
            _tidy(value)
    elif isinstance(node, list):
        for value in node:
            _tidy(value)
