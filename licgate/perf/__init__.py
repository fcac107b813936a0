"""Prediction of cycles, and what follows from them, without running the gateware."""

from licgate.perf.predict import Prediction, predict

__all__ = ["Prediction", "predict"]
