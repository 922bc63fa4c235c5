"""Secrets stay out of everything that is said, logged or copied."""

from collections.abc import Iterable


def masked(text: str, hidden: Iterable[str]) -> str:
    """The text without secrets; values shorter than 8 characters are no keys and stay."""
    for secret in hidden:
        if len(secret) >= 8:
            text = text.replace(secret, "***")
    return text
