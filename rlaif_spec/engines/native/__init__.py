"""The native engine: the paper's training methods on torch and transformers, small enough to be read in an hour.

    engine          what the stages see
    models          load, save, tokenise, pad
    sampling        generation with a generator of its own
    language_model  answers' probabilities and rationales of labelers
    training        the loop that SFT, reward model and RL share: accumulate, clip, schedule, log, resume
    sft · reward_model · rl · values

fp32 throughout, dropout off. Left out on purpose: several GPUs, mixed precision, adapters.
"""

from rlaif_spec.engines.native.engine import NativeEngine

__all__ = ["NativeEngine"]
