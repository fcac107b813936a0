"""The parts of the feeder: the next pass, the pass at work, its reads, and the operands that come of them."""
