"""The one name of flash_attn.utils.distributed that OpenRLHF imports; only ring attention calls it."""

from typing import Any, NoReturn


def all_gather(*_: Any, **__: Any) -> NoReturn:
    """Ring attention needs the real flash-attn."""
    msg = "flash-attn is a stand-in here; leave out --ds.ring_attn_size"
    raise NotImplementedError(msg)
