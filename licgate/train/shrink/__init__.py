"""Smaller dense codecs: GDN-slimming, filter pruning, distillation."""
