"""The tokenizer of the toy models: one token a word, in the format of transformers."""

import random

from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import PreTrainedTokenizerFast

from rlaif_spec.engines.native.pretrain.exercises import write_lesson

SPECIAL = ("<pad>", "<bos>", "<eos>", "<unk>")
LESSONS = 6000
"""Enough for every word of the worlds and of their prompts to occur."""


def build_tokenizer() -> PreTrainedTokenizerFast:
    """The words of many lessons, sorted, behind four special tokens; prompts begin with `<bos>`."""
    rng = random.Random("tokenizer")
    split = pre_tokenizers.Whitespace()
    words = {str(score) for score in range(1, 11)}
    for _ in range(LESSONS):
        text = str(write_lesson(rng)).replace("<eos>", "")
        words |= {word for word, _ in split.pre_tokenize_str(text)}
    vocabulary = {word: at for at, word in enumerate([*SPECIAL, *sorted(words)])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    tokenizer.pre_tokenizer = split
    tokenizer.post_processor = processors.TemplateProcessing(single="<bos> $A", special_tokens=[("<bos>", 1)])
    return PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=tokenizer,
        bos_token="<bos>",
        eos_token="<eos>",
        pad_token="<pad>",
        unk_token="<unk>",
        clean_up_tokenization_spaces=False,
        model_max_length=256,
    )
