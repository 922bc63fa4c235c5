"""Models behind an OpenAI-compatible server, asked over HTTP: no engine holds them, and none trains them.

client          one server: probabilities of answers, rationales, retries
answers         what it said, kept on disk
language_model  the seam `rlaif_spec.lm.LanguageModel` over it
"""

from rlaif_spec.engines.endpoint.answers import AnswerCache
from rlaif_spec.engines.endpoint.client import (
    AsyncEndpoint,
    EndpointSettings,
    Refused,
    Unanswered,
    endpoint_settings,
    settings_for,
)
from rlaif_spec.engines.endpoint.language_model import EndpointLanguageModel, check_endpoint

__all__ = [
    "AnswerCache",
    "AsyncEndpoint",
    "EndpointLanguageModel",
    "EndpointSettings",
    "Refused",
    "Unanswered",
    "check_endpoint",
    "endpoint_settings",
    "settings_for",
]
