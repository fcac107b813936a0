"""Figures of the project, made again with one command."""
