"""Training, quantisation and float evaluation of learned image codecs (the only part that needs torch)."""
