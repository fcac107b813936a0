"""From a float codec to the integers of a manifest: after training, or by training on in those integers."""
