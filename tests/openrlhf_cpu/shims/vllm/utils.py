"""The one name of vllm.utils that OpenRLHF imports."""

from uuid import uuid4


def random_uuid() -> str:
    """Names a request."""
    return uuid4().hex
