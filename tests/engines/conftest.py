"""A model of a dozen words, small enough to be trained within a test."""

from pathlib import Path

import pytest
import torch
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import PreTrainedTokenizerFast

from rlaif_spec.engines.native.pretrain.train import Shape, new_model
from rlaif_spec.engines.protocol import Job

WORDS = ["<pad>", "<bos>", "<eos>", "<unk>", "ask", "yes", "no", "well", "then", "maybe", "1", "2", "0", "="]


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tiny") / "model"
    torch.set_num_threads(1)
    tokenizer = Tokenizer(models.WordLevel({word: at for at, word in enumerate(WORDS)}, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Whitespace(), pre_tokenizers.Digits(individual_digits=True)]
    )
    tokenizer.post_processor = processors.TemplateProcessing(single="<bos> $A", special_tokens=[("<bos>", 1)])
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token="<bos>", eos_token="<eos>", pad_token="<pad>", unk_token="<unk>"
    )
    fast.save_pretrained(folder)
    new_model(Shape(width=32, layers=1, heads=1), len(WORDS), seed=0).save_pretrained(folder)
    return folder


@pytest.fixture
def job(tmp_path: Path) -> Job:
    folder = tmp_path / "job"
    folder.mkdir()
    return Job(folder=folder, seed=7, tell=lambda progress: None)
