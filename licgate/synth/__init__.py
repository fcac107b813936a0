"""From an accelerator and a board to a bitstream and a report."""
