"""What is delivered: an accelerator without a board, its module with ports, its vectors, and what an image costs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from licgate.backends.base import needed_transforms
from licgate.errors import ConfigError
from licgate.gateware.top.module import PortModule, memory_module, stream_module
from licgate.gateware.top.streams import StreamAccelerator
from licgate.gateware.top.zynq import ZynqAccelerator
from licgate.manifest.architectures import MODES
from licgate.perf.predict import input_sizes, predict
from licgate.perf.streamed.frame import StreamedModel
from licgate.program import compile_program, input_widths
from licgate.program.schedule import make_schedule
from licgate.program.streamed import compile_streamed
from licgate.synth.platforms import Ecp5Tools, UltraScalePlusPlatform
from licgate.target.axi import AxiTiming
from licgate.target.config import AcceleratorConfig
from licgate.target.registers import Kind
from licgate.verilog.vectors import Vectors, memory_vectors, stream_vectors

__all__ = ["CELLS", "Delivery"]

#: Bodies of multipliers and adders, by the name of the family.
CELLS: dict[str, Callable | None] = {"generic": None, "ecp5": Ecp5Tools, "ultrascale": UltraScalePlusPlatform}
_WIDEST = {"ecp5": 18}


@dataclass(frozen=True, kw_only=True)
class Delivery:
    """An accelerator that is written as Verilog.

    Attributes
    ----------
    manifest : Manifest
    config : AcceleratorConfig
        A StreamedConfig with ``memory`` axi.
    mode : str
        One of `MODES`.
    memory : str
        ``chip`` or ``axi``.
    plain : bool
        Streams and registers are plain ones, not of AXI.
    cells : str
        One of `CELLS`.
    timing : AxiTiming
        Of the memory that figures assume.

    Raises
    ------
    ConfigError
        There is no such module, or the model lacks a transform.
    """

    manifest: object
    config: AcceleratorConfig
    mode: str = "analysis"
    memory: str = "chip"
    plain: bool = False
    cells: str = "generic"
    timing: AxiTiming = field(default_factory=AxiTiming)

    def __post_init__(self) -> None:
        if self.memory not in ("chip", "axi"):
            raise ConfigError(
                f"--memory {self.memory} has pins and a start-up of its board: take --memory chip or axi, or licgate "
                "build"
            )
        if self.plain and self.external:
            raise ConfigError("--bus stream goes with --memory chip: a core with a memory behind AXI4 has no streams")
        widest = _WIDEST.get(self.cells)
        if self.config.packing and widest is not None and self.config.packed_bits > widest:
            raise ConfigError(
                f"--cells {self.cells} has multipliers of {widest} bits: give --packing {widest}, not "
                f"{self.config.packed_bits}"
            )
        needed_transforms(self)

    @property
    def transforms(self) -> tuple[str, ...]:
        """Names of the transforms that it contains."""
        return MODES[self.mode]

    @property
    def external(self) -> bool:
        """Weights and maps lie in an external memory."""
        return self.memory == "axi"

    @property
    def kind(self) -> Kind:
        """Which registers it has."""
        return Kind.AXI if self.external else Kind.RESIDENT

    @property
    def platform(self):
        """Bodies of the family, for Amaranth."""
        made = CELLS[self.cells]
        return None if made is None else made()

    def module(self) -> PortModule:
        """The module, not elaborated yet.

        Raises
        ------
        ConfigError
            The array does not run the model.
        """
        what = self.manifest, self.config
        if self.external:
            return memory_module(ZynqAccelerator(*what, transforms=self.transforms))
        return stream_module(StreamAccelerator(*what, self.transforms, axilite=not self.plain))

    def vectors(self, pixels) -> Vectors:
        """Golden vectors for a picture, uint8 (H, W, 3).

        Raises
        ------
        ConfigError
            It is too wide.
        """
        if self.external:
            # the testbench's memory moves a beat a cycle
            timing = replace(self.timing, beats=1, per=1)
            return memory_vectors(self.manifest, self._streamed(), pixels, timing)
        chains = needed_transforms(self)
        program = compile_program(
            chains, self.config, input_widths(self.manifest, self.transforms, self.config.max_width)
        )
        return stream_vectors(self.manifest, program, self.config, pixels, plain=self.plain)

    def costs(self, width: int, height: int) -> list[tuple[str, tuple[int, int], int]]:
        """Transform, width and height of its input, and cycles by the exact cycle model, for an image in pixels.

        Raises
        ------
        ConfigError
            The line buffers hold no strip of it.
        """
        sizes = input_sizes(self.manifest, self.transforms, width, height)
        if not self.external:
            rows = predict(self.manifest, self.config, width, height, transforms=self.transforms).transforms
            return [(row["name"], tuple(sizes[row["name"]]), row["cycles"]) for row in rows]
        program, found = self._streamed(weights=False), []
        for name, size in sizes.items():
            schedule = make_schedule(program, program.chain_of(name), *size)
            run = StreamedModel([schedule], self.timing, start=1).runs[0]
            found.append((name, tuple(size), run.done - run.start))
        return found

    def _streamed(self, **options):
        return compile_streamed(needed_transforms(self), self.config, **options)
