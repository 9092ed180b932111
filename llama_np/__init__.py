"""Llama 3 in NumPy, one module for each chapter of the course."""

from llama_np.checkpoint import Model, load
from llama_np.layers import forward

__all__ = ["Model", "forward", "load"]
