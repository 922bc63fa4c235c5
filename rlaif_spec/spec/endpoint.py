"""A model behind an OpenAI-compatible server: where it is, and how it is asked."""

from typing import Annotated
from urllib.parse import urlsplit

from pydantic import Field, field_validator

from rlaif_spec.frozen import Frozen
from rlaif_spec.spec.settings import Count


class RequestSettings(Frozen):
    """How a server is asked."""

    key_variable: str = "RLAIF_SPEC_LABELER_KEY"
    """Environment variable that holds the key, if the server wants one; the key itself stands in no file."""
    in_flight: Count = 64
    """Requests at a time; in RL by OpenRLHF from each vLLM engine of the policy."""
    retries: Annotated[int, Field(ge=0)] = 5
    timeout_seconds: Annotated[float, Field(gt=0)] = 120.0
    top_logprobs: Count
    """How many of the likeliest next tokens are read; answers beyond them count as having no probability."""


class Endpoint(RequestSettings):
    """A model that a server answers for: it labels, scores and judges, and is never trained."""

    url: str
    """Base address such as http://host:8000/v1. No part of any key: the same model may move to another host."""
    model: str
    """Its name there. Steps are told apart by it: a changed model wants another name, or another folder of runs."""
    top_logprobs: Count = 20
    """How many of the likeliest next tokens are read; answers beyond them count as having no probability. Hosts
    allow 20 in chat, some fewer in completions."""

    @field_validator("url")
    @classmethod
    def _is_an_address(cls, value: str) -> str:
        try:
            parts = urlsplit(value)
            parts.port  # noqa: B018 - it is read for its error
        except ValueError as error:
            raise ValueError(f"{value!r} is no address of a server ({error}); write http://host:8000/v1") from None
        if any(mark in value for mark in "@?#"):
            raise ValueError(
                "holds more than an address; put a key into an environment variable and name it in key_variable"
            )
        if parts.scheme not in ("http", "https") or not parts.hostname or not value.isprintable() or " " in value:
            raise ValueError(f"{value!r} is no address of a server; write http://host:8000/v1")
        return value
