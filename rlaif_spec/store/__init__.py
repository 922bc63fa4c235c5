"""Artifacts: folders named by a step's key, finished when their receipt is there."""

from rlaif_spec.store.receipt import ENGINE_NOTE, SCRATCH, Receipt, sha256_of, versions_of
from rlaif_spec.store.rows import append_rows, read_rows, read_whole_rows, write_rows
from rlaif_spec.store.store import Store, copy_folder, write_json, write_whole

__all__ = [
    "ENGINE_NOTE",
    "SCRATCH",
    "Receipt",
    "Store",
    "append_rows",
    "copy_folder",
    "read_rows",
    "read_whole_rows",
    "sha256_of",
    "versions_of",
    "write_json",
    "write_rows",
    "write_whole",
]
