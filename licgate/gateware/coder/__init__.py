"""The range coder: symbols to words and back, byte by byte the streams of `licgate.codec`."""
