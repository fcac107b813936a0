"""Simulation of the gateware: engines behind one interface, and the comparison with the integer reference."""

from licgate.sim.engine import COUNTERS, Job, Outcome, engine_names, get_engine

__all__ = ["COUNTERS", "Job", "Outcome", "engine_names", "get_engine"]
