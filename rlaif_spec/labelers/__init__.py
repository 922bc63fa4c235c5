"""Who gives feedback for training: soft labels of pairs, scores of single responses."""

from rlaif_spec.labelers.pairs import label_pairs
from rlaif_spec.labelers.scores import expected_scores

__all__ = ["expected_scores", "label_pairs"]
