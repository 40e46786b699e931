"""Publications: the models of everything that is published, and their JSON Schemas, which `funnelstream schema` prints."""

from typing import Any

from pydantic import BaseModel

from schemas.metrics import Metric
from schemas.records import Conversion, Lead, Transition


def published_models() -> dict[str, type[BaseModel]]:
    """The models by the name of their schema file."""
    return {"transition.v1": Transition, "conversion.v1": Conversion, "lead.v1": Lead, "metric.v1": Metric}


def json_schema(name: str) -> dict[str, Any]:
    """The JSON Schema of a published record, by the name of its file."""
    schema = published_models()[name].model_json_schema(by_alias=True, mode="serialization")
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": f"funnelstream.{name}", **schema}
