"""Float codecs: architectures, layers, entropy models, checkpoints, and checkpoints of others."""
