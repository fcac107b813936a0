"""Cores whose weights and maps lie on the chip."""
