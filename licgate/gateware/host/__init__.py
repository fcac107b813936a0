"""The host link: frames, buffers, UART, AXI4-Lite."""
