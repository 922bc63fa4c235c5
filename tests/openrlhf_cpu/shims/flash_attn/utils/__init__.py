"""Needed for `flash_attn.utils.distributed` to be found."""
