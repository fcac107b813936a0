"""Exploration: which shapes an accelerator can have on a board, and what is reached with them."""
