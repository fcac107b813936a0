"""Gateware: everything here describes hardware with Amaranth and knows nothing of torch."""
