"""The base of every stage's configuration, whose fields say what is part of a fingerprint.

A configuration is one frozen pydantic model that serves the command line, the YAML file, the code, the
tests and the manifest. Fields made with `runtime` (places, worker counts) cannot change the bytes of the
output and stay out of the fingerprint; all others are its identity.
"""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field


def runtime(default: Any, description: str, **limits: Any) -> Any:
    """Return a pydantic field that is left out of the stage's fingerprint."""
    return Field(default, description=description, json_schema_extra={"runtime": True}, **limits)


class StageConfig(BaseModel):
    """Frozen, closed configuration of one stage."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    def identity(self) -> dict[str, Any]:
        """Return the fields that decide the bytes of the output, JSON-ready."""
        fields = type(self).model_fields
        skip = {
            name
            for name, field in fields.items()
            if isinstance(field.json_schema_extra, dict) and field.json_schema_extra.get("runtime")
        }
        return self.model_dump(mode="json", exclude=skip)


Workers = Annotated[int, Field(ge=1, le=1024)]
