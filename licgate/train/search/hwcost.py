"""What a configuration of bit widths costs: equivalent bit width, bit operations, and cells and cycles of a board."""

from __future__ import annotations

import math

from licgate.errors import TrainingError
from licgate.perf.memories import GdnMemories, MemoryUse, memory_uses
from licgate.target.board import Board
from licgate.train.quant.export import TABLE_INDEX_BITS
from licgate.train.quant.widths import Widths
from licgate.train.search.modelshape import PIXEL_BITS, ModelShape, Product

FOOTPRINTS = ("line", "map")
# A GDN table's word is taken as a whole block's, an offset as what a multiplier's port holds.
TABLE_SLOPE_BITS = 18
OFFSET_BITS = 18


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
            program,
            lines=[(width, depth, False) for width, _, depth in memories["lines"]],
            weights=[(width, depth) for width, _, depth in memories["weights"]],
            bias_bits=min(accumulator, 36),
            offset_bits=OFFSET_BITS,
            gdn=gdn,
        )
