"""Facts of accelerators, devices, memories and links as plain numbers: nothing here loads Amaranth."""
