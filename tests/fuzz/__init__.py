"""Hostile input: whatever is sent, the server answers with a coded error, keeps its limits and goes on serving.

`pytest tests/fuzz` tries the same few examples each time; `pytest tests/fuzz --fuzz-seconds 600` new ones, for ten
minutes in each file. `docs/fuzzing.md` says more.
"""
