"""The base of every model that people write: immutable, and a key it does not know is a mistake."""

from pydantic import BaseModel, ConfigDict


class Shape(BaseModel):
    """Immutable; unknown keys are refused; fields whose key is a Python word also answer to the name with an underscore."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)
