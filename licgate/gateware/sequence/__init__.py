"""From bands to passes: the one sequencer, and the parts of it that all cores share."""
