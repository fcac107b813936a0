"""From transforms to a program.

The sequencer executes it, the cycle model walks it and the report tabulates it; no other place decides how a layer is
laid over the array.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TypeAlias, cast

import numpy as np

from licgate.errors import ConfigError
from licgate.manifest.checks import Integers
from licgate.manifest.layers import Conv2d, Layer
from licgate.manifest.transform import Transform
from licgate.program.ops import Op, PassKind, Shape, extents, matrices, steps_of, words_of
from licgate.program.packing import Packing, choose_packing, lane_count
from licgate.program.program import Chain, Memory, Program
from licgate.program.quads import biases_of_quads, biases_of_singles, quad_shape, quad_words
from licgate.program.stages import Stage, check_convolution
from licgate.target.arithmetic import ARITHMETICS
from licgate.target.config import AcceleratorConfig

__all__ = ["compile_program"]

# of a multiplier, signed
_WIDEST_OPERAND = 18
# of a third of a sum by points
_WIDEST_QUOTIENT = 32

# of a line memory: bits and sign of its values, and where they come from
LineKind: TypeAlias = tuple[int, bool, str]


def compile_program(
    transforms: Transform | Iterable[Transform],
    config: AcceleratorConfig,
    widths: Sequence[int] | None = None,
    *,
    weights: bool = True,
) -> Program:
    """Compile transforms for an array. They share it and every memory, and run one at a time.

    Parameters
    ----------
    transforms : Transform or sequence of Transform
        Convolutions of an odd kernel, stride 1 or 2 and padding ``kernel // 2``, and transposed ones of stride 2 that
        double the size; each followed by at most one GDN.
    config : AcceleratorConfig
        Shape of the array and widest line.
    widths : sequence of int or None
        Widest input of each transform, ``config.max_width`` by default; see :func:`licgate.program.input_widths`.
    weights : bool
        False counts the weight words without making them: for cycles and memories, a hundred times faster.

    Returns
    -------
    Program

    Raises
    ------
    ConfigError
        A transform holds something that the array does not run.
    """
    transforms = [transforms] if isinstance(transforms, Transform) else list(transforms)
    widths = [config.max_width] * len(transforms) if widths is None else widths
    compiler = _Compiler(config, weights, choose_packing(transforms, config))
    for transform, width in zip(transforms, widths, strict=True):
        compiler.add(transform, width)
    return compiler.program()


class _Compiler:
    """Collects chains, and what they put into memories."""

    def __init__(self, config: AcceleratorConfig, with_weights: bool, packing: Packing | None) -> None:
        self.config, self.with_weights, self.packing = config, with_weights, packing
        self.arithmetic = ARITHMETICS[config.arithmetic]
        self.chains: list[Chain] = []
        self.ops: list[Op] = []
        self.stages: list[Stage] = []
        # words of each kind of weight: their bits, whether they are signed, and packed
        self.weights: dict[tuple[int, bool, bool], list[int]] = {}
        # depth of each line memory, and whether it is split
        self.lines: dict[LineKind, tuple[int, bool]] = {}
        self.biases: list[int] = []
        self.multipliers: list[int] = []
        self.shifts: list[int] = []
        self.offsets: list[int] = []

    def add(self, transform: Transform, width: int) -> None:
        """Append the chain of a transform."""
        if transform.layers[0].kind != "conv2d":
            raise ConfigError(f"{transform.name}: the array needs a transform that begins with a convolution")
        first, top_width, pixels = len(self.stages), width, transform.name == "g_a"
        self._check(transform)
        # Chains run one at a time, so their line buffers lie over each other.
        used: dict[LineKind, int] = {}
        upsampled = False
        for index, layer in enumerate(transform.layers):
            if layer.kind == "gdn":
                if transform.layers[index - 1].kind == "gdn":
                    raise ConfigError(f"{layer.name}: the array runs a GDN only behind a convolution")
                self.stages[-1] = replace(self.stages[-1], gdn=self._op(layer))
            else:
                check_convolution(layer)
                source = ("pixels" if pixels else "values") if index == 0 else ""
                width = self._stage(transform, layer, layer is transform.layers[-1], source, used, width, upsampled)
                upsampled = self.stages[-1].upsampling
        last = self.stages[-1]
        if last.upsampling and last.gdn is not None:
            raise ConfigError(
                f"{last.gdn.layer.name}: the array ends no transform with a GDN behind a transposed convolution"
            )
        self.stages[-1] = replace(last, last=True)
        self.chains.append(Chain(len(self.chains), transform, first, len(self.stages) - 1, top_width, pixels))

    def _check(self, transform: Transform) -> None:
        """Refuse what the arithmetic does not run.

        Raises
        ------
        ConfigError
        """
        if self.arithmetic.points and transform.layers[-1].kind == "gdn":
            raise ConfigError(
                f"{transform.name}: arithmetic {self.arithmetic.name} ends no transform with a GDN: choose fip"
            )

    def _stage(
        self,
        transform: Transform,
        layer: Conv2d,
        final: bool,
        source: str,
        used: dict[LineKind, int],
        width: int,
        upsampled: bool,
    ) -> int:
        """Append the stage of a convolution; return the width of what it makes."""
        config = self.config
        op = self._op(layer, depth_form=final and layer.transposed)
        stage = Stage(op, None, 0, 0, 0, 0, len(self.chains), bool(source), False)
        slack = {"pixels": config.input_slack, "values": config.map_slack}.get(source, config.line_slack)
        ring = stage.most_rows + slack
        # where rows make several outputs, as many words are written together; whole pairs of what is upsampled
        outputs, parities = self.arithmetic.outputs, 1 + upsampled
        words = outputs * parities * -(-(width // parities) // (outputs * config.rows))
        key = (layer.input.bits, layer.input.signed, source)
        base = used.get(key, 0)
        used[key] = base + ring * words * op.words_in
        depth, split = self.lines.get(key, (0, False))
        self.lines[key] = (max(depth, used[key]), split or upsampled)
        memory = list(self.lines).index(key)
        self.stages.append(Stage(op, None, ring, words, memory, base, len(self.chains), bool(source), False))
        return stage.output_length(width)

    def _op(self, layer: Layer, *, depth_form: bool = False) -> Op:
        """Append the operation of a layer, its weights and its parameters."""
        cols, index = self.config.cols, len(self.ops)
        words_in = self.arithmetic.words(layer.in_channels)
        kinds: list[tuple[int, int, Shape | None, int]] = []
        if layer.kind == "gdn":
            bits, added = layer.gamma_type.bits, layer.beta
            kinds.append((0, 0, None, 1))
        else:
            bits, added = layer.weight_type.bits, layer.bias
            for p, q, left, rows, columns in extents(layer, depth_form=depth_form):
                kinds.append((p, q, self._shape(layer, left, columns), rows))
        made: Sequence[Integers | None] = self._weights(layer, depth_form) if self.with_weights else [None] * len(kinds)
        times = 4 if depth_form else 1
        packed = self.packing is not None and index in self.packing.ops
        tiles = -(-times * layer.out_channels // (cols << packed))
        key = (bits, layer.kind == "conv2d", packed)
        held = self.weights.setdefault(key, [])
        memory, start = list(self.weights).index(key), len(held)
        words: list[int] = []
        biases: list[list[int]] = []
        pass_kinds: list[PassKind] = []
        number = sum(len(op.pass_kinds) for op in self.ops)
        for (p, q, shape, rows), matrix in zip(kinds, made, strict=True):
            own = [int(v) for v in added] * times
            base = start + len(words)
            steps, weights = (1, 1) if shape is None else (shape.steps, shape.weights)
            steps, weights = rows * words_in * steps, rows * words_in * weights
            ordered, own = self._prepared(matrix, shape, own)
            if ordered is None:
                words += [0] * (tiles * weights)
            else:
                words += words_of(ordered, cols, bits, packed=packed)
            # Passes whose sums have more too much, or less, have parameters of their own.
            if not biases or self.arithmetic.row_sum:
                biases.append(own)
            params = (len(biases) - 1) * len(own)
            pass_kinds.append(
                PassKind(number + len(pass_kinds), index, p, q, rows, shape, steps, weights, base, params)
            )
        held += words
        op = Op(
            index,
            layer,
            layer.in_channels,
            times * layer.out_channels,
            tiles,
            bits,
            memory,
            start,
            tuple(words),
            len(self.biases),
            tuple(pass_kinds),
            depth_form,
            packed,
            self.arithmetic,
        )
        requantize = layer.requantize
        self.biases += [value for own in biases for value in own]
        times *= len(biases)
        for target, values in (
            (self.multipliers, requantize.multiplier),
            (self.shifts, requantize.shift),
            (self.offsets, requantize.offset),
        ):
            # each output of a channel has its own bias, so all of its parameters
            target += [int(v) for v in values for _ in range(op.outputs)] * times
        self.ops.append(op)
        return op

    def _shape(self, layer: Conv2d, left: int, columns: int) -> Shape:
        """The window of a pass kind of a convolution."""
        stride = 1 if layer.transposed else layer.stride
        if self.arithmetic.points:
            return quad_shape(layer, stride, left, columns)
        return Shape(stride, left, columns)

    def _prepared(
        self, matrix: Integers | None, shape: Shape | None, added: list[int]
    ) -> tuple[Integers | None, list[int]]:
        """Weights of a pass kind in the order of their use, (O, words, indices), and biases less what is too much.

        Without weights it is the number of biases that counts.
        """
        arithmetic = self.arithmetic
        quads = arithmetic.points and shape is not None
        if matrix is None:
            return None, added * (arithmetic.outputs if quads else 1)
        if shape is not None and quads:
            return quad_words(matrix, shape.tap_row, arithmetic), biases_of_quads(
                added, matrix, shape.tap_row, arithmetic
            )
        ordered = steps_of(matrix, arithmetic)
        sums = arithmetic.weight_sum(ordered.reshape(len(ordered), -1).T)
        biases = [bias - int(much) for bias, much in zip(added, sums, strict=True)]
        return ordered, biases_of_singles(biases) if arithmetic.points else biases

    def _weights(self, layer: Layer, depth_form: bool) -> list[Integers]:
        """Weights of a layer for each pass kind: (O, rows, I, columns), or (O, I) of a GDN."""
        if layer.kind == "gdn":
            return [np.asarray(layer.gamma, dtype=np.int64)]
        return [weight for *_, weight in matrices(layer, depth_form=depth_form)]

    def program(self) -> Program:
        """The program of the chains so far."""
        config, indices = self.config, self.arithmetic.indices
        program = Program(
            chains=tuple(self.chains),
            rows=config.rows,
            cols=config.cols,
            lanes=lane_count(config, [(op.shortest, op.products * op.outputs) for op in self.ops]),
            ops=tuple(self.ops),
            stages=tuple(self.stages),
            line_memories=tuple(
                Memory(bits, signed, depth, split=split, indices=indices)
                for (bits, signed, _), (depth, split) in self.lines.items()
            ),
            weight_memories=tuple(
                Memory(bits, signed, len(words), tuple(words), packed=packed, indices=indices)
                for (bits, signed, packed), words in self.weights.items()
            ),
            biases=tuple(self.biases),
            multipliers=tuple(self.multipliers),
            shifts=tuple(self.shifts),
            offsets=tuple(self.offsets),
            lane_multipliers=config.lane_multipliers,
            pack_shift=None if self.packing is None else self.packing.shift,
            output_words=cast(int, config.output_words),  # settled when the configuration was made
            arithmetic=self.arithmetic,
        )
        widest = program.multiplicand_width
        if self.arithmetic.row_sum and widest > _WIDEST_OPERAND:
            raise ConfigError(
                f"arithmetic {self.arithmetic.name} multiplies {widest} bits by as many here, a multiplier has "
                f"{_WIDEST_OPERAND}: choose direct, or narrower values"
            )
        if self.arithmetic.points and program.accumulator_width > _WIDEST_QUOTIENT:
            raise ConfigError(
                f"arithmetic {self.arithmetic.name} divides sums of {_WIDEST_QUOTIENT} bits at most, here they have "
                f"{program.accumulator_width}: choose fip, or narrower values"
            )
        return program
