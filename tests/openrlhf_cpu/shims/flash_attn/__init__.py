"""A stand-in for flash-attn, which builds only with nvcc: OpenRLHF imports it even where it is not used.

The version is below what transformers asks for, so attention itself never comes here.
"""

__version__ = "0.0.0"
