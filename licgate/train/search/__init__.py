"""Which width each layer needs, and what it costs on a board."""
