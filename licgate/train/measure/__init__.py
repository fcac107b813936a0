"""Rate, distortion and cost of codecs, and curves beside each other."""
