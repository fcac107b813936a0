"""Programs of the host: what is said to an accelerator, whatever carries the bytes."""
