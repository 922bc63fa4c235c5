"""The names of flash_attn.bert_padding that OpenRLHF imports (openrlhf/models/ring_attn_utils.py)."""

from typing import Any, NoReturn

from einops import rearrange

__all__ = ["index_first_axis", "pad_input", "rearrange", "unpad_input"]


def _absent(*_: Any, **__: Any) -> NoReturn:
    msg = "flash-attn is a stand-in here; leave out --ds.packing_samples"
    raise NotImplementedError(msg)


index_first_axis = pad_input = unpad_input = _absent
