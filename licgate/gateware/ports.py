"""Shapes that cores, their control and the host link share."""

from amaranth.hdl import signed
from amaranth.lib.data import StructLayout
from amaranth.lib.wiring import In, Out, Signature

from licgate.target.registers import ADDRESS_WIDTH, COUNTERS

__all__ = ["CoreControl", "TransferControl", "csr_signature", "latent_layout", "patch_layout"]

latent_layout = StructLayout({"value": signed(16), "last": 1})
patch_layout = StructLayout({"x": 16, "y": 16, "width": 16, "height": 16})
csr_signature = Signature({"addr": Out(ADDRESS_WIDTH), "w_data": Out(32), "w_stb": Out(1), "r_data": In(32)})


class CoreControl(Signature):
    """Between the control of an accelerator, whose side this is, and what it runs: one or more cores.

    Parameters
    ----------
    settings : dict of str to Member
        What a run depends on, by the names of registers; stable while a core is busy.
    cores : int
    streams, levels : int
        Words of a watchdog for each core, see :class:`~licgate.gateware.watchdog.Watchdog`.

    Members
    -------
    start : :py:`Out(cores)`
        Begin, for one cycle; a bit for each core, which is ``done``.
    clear : :py:`Out(cores)`
        Give up whatever is under way (level): no transaction of a memory is requested any more, none broken off.
    cleared : :py:`In(cores)`
        The core is being cleared, and will stay so while ``clear`` does.
    done : :py:`In(cores)`
        The core is not at work (level); low from the cycle behind ``start`` on.
    refused : :py:`In(1)`
        The settings ask for what cannot be done (level, from the run's end until the next start).
    threshold : :py:`Out(32)`
        Of the watchdogs.
    hung : :py:`In(cores)`
    counters : :py:`In(32).array(cores, 5)`
        In the order of ``licgate.target.registers.COUNTERS``.
    streams, levels : :py:`In(32).array(cores, words)`
    settings : :py:`Out(Signature(settings))`
    """

    def __init__(self, settings, *, cores=1, streams, levels=0):
        self.cores = cores
        members = {
            "start": Out(cores),
            "clear": Out(cores),
            "cleared": In(cores),
            "done": In(cores),
            "refused": In(1),
            "threshold": Out(32),
            "hung": In(cores),
            "counters": In(32).array(cores, len(COUNTERS)),
            "streams": In(32).array(cores, streams),
            "settings": Out(Signature(settings)),
        }
        if levels:
            members["levels"] = In(32).array(cores, levels)
        super().__init__(members)


class TransferControl(Signature):
    """Between the control of an accelerator, whose side this is, and the host's way to its memory.

    Parameters
    ----------
    address_bits : int

    Members
    -------
    write, read : :py:`Out(1)`
        A transfer is asked for, for one cycle.
    address, beats : :py:`Out(address_bits)`, :py:`Out(32)`
        Of the stretch; ``beats`` in that cycle.
    refused : :py:`In(1)`
        What is asked for in this cycle is not done.
    moving : :py:`In(1)`
        A transfer is under way (level).
    clear, cleared : :py:`Out(1)`, :py:`In(1)`
        As of a core.
    """

    def __init__(self, address_bits):
        super().__init__(
            {
                "write": Out(1),
                "read": Out(1),
                "address": Out(address_bits),
                "beats": Out(32),
                "refused": In(1),
                "moving": In(1),
                "clear": Out(1),
                "cleared": In(1),
            }
        )
