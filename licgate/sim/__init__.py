"""Simulation of the gateware: engines behind one interface, and the comparison with the integer reference."""

from licgate.runtime.outcome import Outcome
from licgate.sim.engine import Job, engine_names, get_engine

__all__ = ["Job", "Outcome", "engine_names", "get_engine"]
