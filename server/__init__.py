"""Owns tensors and runs ops: devices, kernels, sessions, and the FastAPI application over them."""
