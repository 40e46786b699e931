"""The base of every model that people write: immutable, and a key it does not know is a mistake."""

from collections.abc import Sized
from typing import TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict
from pydantic_core import PydanticKnownError

_Sized = TypeVar("_Sized", bound=Sized)


class Shape(BaseModel):
    """Immutable; unknown keys are refused; fields whose key is a Python word also answer to the name with an underscore."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


def _not_empty(value: _Sized) -> _Sized:
    if not value:
        raise PydanticKnownError("too_short", {"field_type": "List", "min_length": 1, "actual_length": 0})
    return value


AtLeastOne = AfterValidator(_not_empty)
"""For lists and mappings. `min_length` would count only valid entries, and call a list empty whose one entry has a mistake."""
