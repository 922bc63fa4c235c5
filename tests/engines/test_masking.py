"""Secrets stay out of what is said."""

from rlaif_spec.engines.masking import masked


def test_short_values_are_no_secrets() -> None:
    assert masked("key sk-0123456789 at 1", ["sk-0123456789", "1", ""]) == "key *** at 1"
