"""Exact timing of external memories."""
