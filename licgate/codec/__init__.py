"""The codec in software: entropy coder, container, and images to files and back."""

from licgate.codec.codec import Codec
from licgate.codec.container import Header, read_header
from licgate.codec.models import load_model, model_of
from licgate.codec.trace import Trace

__all__ = ["Codec", "Header", "Trace", "load_model", "model_of", "read_header"]
