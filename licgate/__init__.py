"""licgate: learned image compression, from a trained model to placed-and-routed gateware."""

__version__ = "0.1.0"
