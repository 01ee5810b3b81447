"""Soft-DTW for CUDA devices, in Triton; nothing here is imported before it is first needed."""

__all__: list[str] = []
