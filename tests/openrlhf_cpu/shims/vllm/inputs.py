"""A prompt that is tokens already."""

from typing import TypedDict


class TokensPrompt(TypedDict):
    """What OpenRLHF gives to `generate`."""

    prompt_token_ids: list[int]
