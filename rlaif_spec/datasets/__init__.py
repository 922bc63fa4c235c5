"""The texts of a task, read from files or written by a toy world, and split once for everybody.

Every condition of an experiment sees the same `Dataset`, so no condition can differ from another in its texts.
Read `dataset` for the parts, `split` for who sees which context; `formats` knows what a row looks like, and
`reading` where rows come from. Tokens, prompts and labels made by AI are no business of this room.
"""

from rlaif_spec.datasets.dataset import Dataset
from rlaif_spec.datasets.load import load_data

__all__ = ["Dataset", "load_data"]
