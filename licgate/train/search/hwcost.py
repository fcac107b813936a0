"""What a configuration of bit widths costs: equivalent bit width, bit operations, and cells and cycles of a board."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

from licgate.errors import TrainingError
from licgate.manifest.geometry import layer_macs, layer_sizes
from licgate.perf.memories import GdnMemories, MemoryUse, memory_uses
from licgate.target.board import Board
from licgate.train.measure.cost import READS, float_layers
from licgate.train.quant.export import NORM_BITS, TABLE_INDEX_BITS
from licgate.train.quant.widths import Widths

FOOTPRINTS = ("line", "map")
PIXEL_BITS = 8
# A GDN table's word is taken as a whole block's, an offset as what a multiplier's port holds.
TABLE_SLOPE_BITS = 18
OFFSET_BITS = 18


@dataclass(frozen=True)
class Map:
    """A feature map whose width is free: the output of a convolution (with its GDN), or the latents."""

    part: str
    owner: str  # the convolution, or "latent"
    channels: int
    height: int
    width: int

    def bits(self, widths: Widths) -> int:
        """Width of its values."""
        return widths.latent if self.owner == "latent" else widths.of(self.owner).activation

    def footprint(self, kind: str) -> int:
        """Values in one line of it, which is what a streamed accelerator holds, or in all of it."""
        return self.channels * self.width * (self.height if kind == "map" else 1)


@dataclass(frozen=True)
class Product:
    """What the multipliers get for one layer.

    Attributes
    ----------
    name, part, kind : str
    macs : int
        Multiply-accumulates an image.
    activation, weight : int
        Stored bits of the operands.
    signed : tuple of bool
        Of activation and weight.
    """

    name: str
    part: str
    kind: str
    macs: int
    activation: int
    weight: int
    signed: tuple[bool, bool]

    @property
    def operands(self) -> tuple[int, int]:
        """Signed widths of activation and weight."""
        return self.activation + (not self.signed[0]), self.weight + (not self.signed[1])

    @property
    def bit_operations(self) -> int:
        """Product of multiply-accumulates, activation bits and weight bits."""
        return self.macs * self.activation * self.weight


@dataclass(frozen=True, kw_only=True)
class ModelShape:
    """Layers of a model and the image they are counted for.

    Attributes
    ----------
    transforms : dict of str to list
        Layers by transform, as `licgate.train.measure.cost.float_layers` lists them.
    gdn : {"abs", "square_root", "none"}
    height, width : int
        Of the image in pixels.
    readers : tuple of str
        Transforms that read latents at their full width.
    context : bool
        The entropy parameters are computed from the outputs of ``h_s`` and ``context``, which share one width.
    inputs : dict of str to int
        Bits of the other inputs, of which calibration decides (whole latents of ``h_s`` and ``g_s``); 8 if not given.
    """

    transforms: Mapping[str, list]
    gdn: str
    readers: tuple[str, ...] = ("h_a",)
    context: bool = False
    height: int = 512
    width: int = 768
    inputs: Mapping[str, int] = field(default_factory=dict)

    @cached_property
    def _macs(self) -> dict[str, int]:
        return {
            layer.name: layer_macs(layer, *size)
            for part, sizes in self.sizes().items()
            for layer, size in zip(self.transforms[part], sizes, strict=False)
        }

    def sizes(self) -> dict[str, list[tuple[int, int]]]:
        """Size of what enters each transform, then of every layer's output."""
        start = {"x": (self.height, self.width)}
        for part, source, result in (("g_a", "x", "y"), ("h_a", "y", "z")):
            start[result] = layer_sizes(self.transforms[part], *start[source])[-1]
        return {part: layer_sizes(layers, *start[READS[part]]) for part, layers in self.transforms.items()}

    def stages(self, part: str) -> list[tuple]:
        """Pairs of a convolution and the GDN behind it, or None."""
        pairs: list[tuple] = []
        for layer in self.transforms[part]:
            if layer.kind == "gdn":
                pairs[-1] = (pairs[-1][0], layer)
            else:
                pairs.append((layer, None))
        return pairs

    def is_free(self, conv) -> bool:
        """Whether the output of a convolution (with its GDN) has a width of its own, unlike levels, pixels, latents."""
        part = conv.name.split(".")[0]
        return conv.name != self.stages(part)[-1][0].name or (self.context and part == "h_s")

    @cached_property
    def maps(self) -> list[Map]:
        """List the maps of free width: outputs of all but the last stages, latents behind g_a and before g_s."""
        found = []
        for part, sizes in self.sizes().items():
            layers = self.transforms[part]
            stages = self.stages(part)
            ends = [(gdn or conv) for conv, gdn in stages]
            place = {layer.name: size for layer, size in zip(layers, sizes[1:], strict=True)}
            if part == "g_s":
                found.append(Map(part, "latent", layers[0].in_channels, *sizes[0]))
            for (conv, _), end in zip(stages, ends, strict=True):
                if self.is_free(conv):
                    found.append(Map(part, conv.name, conv.out_channels, *place[end.name]))
            if part == "g_a":
                found.append(Map(part, "latent", layers[-1].out_channels, *sizes[-1]))
        return found

    def products(self, widths: Widths) -> list[Product]:
        """List what the multipliers get in every layer, in the order of the layers."""
        found = []
        root = self.gdn == "square_root"
        macs = self._macs
        for part in self.transforms:
            width, signed = self._input(part, widths)
            for conv, gdn in self.stages(part):
                own = widths.of(conv.name)
                found.append(Product(conv.name, part, "conv2d", macs[conv.name], width, own.weight, (signed, True)))
                if gdn is not None:
                    size = min((own.gdn - 1) * (2 if root else 1), NORM_BITS[root])
                    found.append(Product(gdn.name, part, "gdn", macs[gdn.name], size, own.gamma, (False, False)))
                width, signed = own.activation, gdn is not None
        return found

    def _input(self, part: str, widths: Widths) -> tuple[int, bool]:
        if part == "g_a":
            return PIXEL_BITS, False
        if part in self.readers:
            return widths.latent, part != "h_a"
        if part == "parameters":
            return widths.of(self.stages("h_s")[-1][0].name).activation, True
        return self.inputs.get(part, 8), True


def shape_of(model, *, height: int = 512, width: int = 768, inputs: Mapping[str, int] | None = None) -> ModelShape:
    """Take the shape of a float model (an ``nn.Module`` with a ``config``)."""
    kind = model.config.kind
    transforms = {}
    for part, layers in float_layers(model).items():
        # as the layers of a manifest are called: context_prediction is context.0
        names = [f"{part}.{index if index.isdecimal() else 0}" for index in (x.name.split(".")[-1] for x in layers)]
        transforms[part] = [replace(layer, name=name) for layer, name in zip(layers, names, strict=True)]
    return ModelShape(
        transforms=transforms,
        gdn=model.config.gdn,
        readers=("h_a", *(("context",) if kind.context else ()), *(("g_s",) if kind.means else ())),
        context=bool(kind.context),
        height=height,
        width=width,
        inputs=dict(inputs or {}),
    )


def equivalent_width(shape: ModelShape, widths: Widths, part: str = "all", *, footprint: str = "line") -> float:
    """Give DRAQ's equivalent bit width P_m (eq. 9) for any channel counts.

    It is the mean of the widths of the feature maps, each weighted by its size. The paper's 8/15, 4/15, 2/15, 1/15
    halve from layer to layer where the area of the maps falls to a quarter: they count one line of each map, which is
    what a streamed accelerator holds, and so does ``footprint="line"``; ``"map"`` counts whole maps. The maps are
    those between picture and latents, counted from the picture: outputs of g_a, inputs of g_s.

    Parameters
    ----------
    part : str
        A transform, or ``all``.
    footprint : {"line", "map"}
    """
    if footprint not in FOOTPRINTS:
        raise TrainingError(f"footprint {footprint!r} is unknown: choose {' or '.join(FOOTPRINTS)}")
    maps = [m for m in shape.maps if part in ("all", m.part)]
    if not maps:
        raise TrainingError(f"transform {part!r} has no feature map of free width: choose all, g_a or g_s")
    total = sum(m.footprint(footprint) for m in maps)
    return sum(m.footprint(footprint) * m.bits(widths) for m in maps) / total


def bit_operations(shape: ModelShape, widths: Widths, part: str = "all") -> int:
    """Sum macs × activation bits × weight bits over the layers, for one image."""
    return sum(p.bit_operations for p in shape.products(widths) if part in ("all", p.part))


class BoardCost:
    """Cells and cycles of a board's default accelerator, which runs g_a, for any widths.

    The compiler lays the layers out once, for a model of that shape with random weights; widths change what a memory
    holds and which layers share one, and nothing else, since the array computes one product per multiplier and cycle.

    Parameters
    ----------
    shape : ModelShape
    board : Board
    """

    def __init__(self, shape: ModelShape, board: Board) -> None:
        from licgate.manifest.synthetic import synthetic_manifest
        from licgate.perf import predict
        from licgate.target.config import AcceleratorConfig

        self.shape, self.board = shape, board
        self._stages = shape.stages("g_a")
        convs = [conv for conv, _ in self._stages]
        config = AcceleratorConfig(rows=board.rows, cols=board.cols, max_width=board.max_width)
        model = synthetic_manifest(
            channels=(convs[0].in_channels, *(conv.out_channels for conv in convs)),
            kernel=[conv.kernel for conv in convs],
            stride=[conv.stride for conv in convs],
            gdn=["none" if gdn is None else shape.gdn for _, gdn in self._stages[:-1]],
        )
        prediction = predict(model, config, shape.width, shape.height)
        self.cycles, self.program = prediction.cycles, prediction.program

    def memories(self, widths: Widths) -> dict[str, list[tuple[int, bool, int]]]:
        """Give (bits, signed, depth) of the memories of ``lines`` and ``weights``, as the compiler shares them.

        A word holds ``rows`` or ``cols`` such values.
        """
        lines: dict[tuple, int] = {}
        weights: dict[tuple, int] = {}
        bits, signed = PIXEL_BITS, False
        for stage, (conv, gdn) in zip(self.program.stages, self._stages, strict=True):
            own = widths.of(conv.name)
            key = (bits, signed, stage is self.program.stages[0])
            lines[key] = lines.get(key, 0) + stage.depth
            for op, width in ((stage.conv, own.weight), (stage.gdn, own.gamma)):
                if op is not None:
                    kind = (width, not op.is_gdn)
                    weights[kind] = weights.get(kind, 0) + op.tiles * op.steps
            bits, signed = own.activation, gdn is not None
        return {
            "lines": [(*key[:2], depth) for key, depth in lines.items()],
            "weights": [(*key, depth) for key, depth in weights.items()],
        }

    def cost(self, widths: Widths) -> dict:
        """Count what the accelerator takes.

        Returns
        -------
        dict
            ``board``; ``multipliers`` and ``multipliers_available``; ``operands``, the widths of the array's
            multipliers; ``products_per_multiplier`` (of today's gateware); ``would_pack``, whether two products of
            every layer would share a multiplier; ``memory_bits`` by use; ``block_rams`` and
            ``block_rams_available``; ``cycles`` and ``frames_per_second`` of the image; ``layers``: name, operands,
            ``multipliers`` a product, ``would_pack``.
        """
        board, program = self.board, self.program
        products = [p for p in self.shape.products(widths) if p.part == "g_a"]
        operands = tuple(max(p.operands[side] for p in products) for side in (0, 1))
        array = program.rows * program.cols
        blocks = array * board.multiplier_cells(*operands)
        lanes = program.multiplier_cells - array
        if blocks + lanes > board.multipliers:
            lanes = 0  # then they are made of logic, see AcceleratorConfig
        memories = self.memories(widths)
        uses = self._uses(widths, products, memories)
        names = {"line buffers": "lines", "weights": "weights"}
        bits = dict.fromkeys(("lines", "weights", "others"), 0)
        for use in uses:
            bits[names.get(use.holds, "others")] += use.bits
        cells = sum(use.cells(board.block_rams) for use in uses) + board.host_block_rams
        layers = [
            {
                "name": p.name,
                "operands": list(p.operands),
                "multipliers": board.multiplier_cells(*p.operands),
                "would_pack": p.operands[0] + 2 * p.operands[1] <= board.packed_bits,
            }
            for p in products
        ]
        return {
            "board": board.name,
            "multiplier": board.multiplier,
            "multipliers": blocks + lanes,
            "multipliers_available": board.multipliers,
            "operands": list(operands),
            "products_per_multiplier": 1,
            "would_pack": operands[0] + 2 * operands[1] <= board.packed_bits,
            "memory": board.memory,
            "memory_bits": bits,
            "block_rams": cells,
            "block_rams_available": board.memories,
            "cycles": self.cycles,
            "frames_per_second": board.frequency * 1e6 / self.cycles,
            "layers": layers,
        }

    def memory_bits(self, widths: Widths) -> int:
        """Bits of all memories."""
        return sum(self.cost(widths)["memory_bits"].values())

    def _uses(self, widths: Widths, products: list[Product], memories: dict[str, list]) -> list[MemoryUse]:
        """List the memories for these widths."""
        program = self.program
        accumulator = max(
            sum(p.operands) + math.ceil(math.log2(op.steps)) for p, op in zip(products, program.ops, strict=True)
        )
        gdns = [op for op in program.ops if op.is_gdn]
        gdn = None
        if gdns:
            gdn = GdnMemories(
                layers=len(gdns),
                words=program.gdn_depth,
                norm_bits=max(p.activation for p in products if p.kind == "gdn"),
                input_bits=max(widths.of(conv.name).gdn for conv, following in self._stages if following is not None),
                index_bits=TABLE_INDEX_BITS,
                slope_bits=TABLE_SLOPE_BITS,
            )
        return memory_uses(
            rows=program.rows,
            cols=program.cols,
            lanes=program.lanes,
            lines=[(width, depth, False) for width, _, depth in memories["lines"]],
            weights=[(width, depth) for width, _, depth in memories["weights"]],
            parameters=len(program.biases),
            bias_bits=min(accumulator, 36),
            offset_bits=OFFSET_BITS,
            gdn=gdn,
        )
