"""Jobs at every port of an arbiter before the SDRAM controller and its chip, simulated."""

from licgate.gateware.memory.arbiter import Arbiter
from licgate.gateware.memory.sdram import ADDRESS_BITS, BEAT_BITS, SdramController
from tests.gateware.kit import run_simulation
from tests.gateware.memory.kit import CHIP, Requester, SdramSystem, chip_of, chip_process, port_monitors


def simulate(jobs_by_port, *, controller=None, clock=100, limit=120_000, contents=None, **options):
    """Run the jobs; return the requesters, with their events, and the chip."""
    controller = controller or SdramController(CHIP, clock)
    arbiter = Arbiter(len(jobs_by_port), BEAT_BITS, ADDRESS_BITS)
    system = SdramSystem(controller, arbiter)
    chip = chip_of(controller, contents)
    requesters = [Requester(port, jobs, **options) for port, jobs in zip(arbiter.i, jobs_by_port)]
    monitors = [one for n, port in enumerate(arbiter.i) for one in port_monitors(port, f"i[{n}]")]
    monitors += port_monitors(arbiter.o, "o")
    benches = [requester.run for requester in requesters]
    run_simulation(system, *benches, monitors=monitors, background=[chip_process(chip, system)], limit=limit)
    return requesters, chip
