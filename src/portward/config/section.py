"""The base of every table of portward.toml.

class Log(Section):
    keep: Duration = timedelta(days=30)
    \"\"\"How long access logs and events are kept.\"\"\"
"""

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    """Unknown keys are mistakes, and nothing changes after reading. A docstring below a key says what it is for."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        alias_generator=lambda name: name.replace("_", "-"),
        validate_by_name=False,
        validate_by_alias=True,
        arbitrary_types_allowed=True,
    )
