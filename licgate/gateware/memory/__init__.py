"""External memory: the port, its arbiter, and the controllers of SDR SDRAM and AXI4."""
