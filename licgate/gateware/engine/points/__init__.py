"""An array whose rows make four outputs each, by points, see :mod:`licgate.target.points`."""
