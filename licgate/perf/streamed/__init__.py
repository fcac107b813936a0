"""Cycles of streamed cores."""
