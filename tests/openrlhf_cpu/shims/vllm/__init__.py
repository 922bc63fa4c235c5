"""A stand-in for vLLM over transformers: what OpenRLHF 0.11.2 and a labeler's server touch of it, and no more.

It decodes on the CPU, one batch of the requests that arrived together at a time.
"""

from vllm.decoding import SamplingParams
from vllm.engine import AsyncEngineArgs, AsyncLLMEngine

__version__ = "0.29.0"
__all__ = ["AsyncEngineArgs", "AsyncLLMEngine", "SamplingParams", "__version__"]
