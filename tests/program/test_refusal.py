"""What the array does not run is refused."""

from dataclasses import replace

import pytest

from licgate.errors import ConfigError
from licgate.manifest import IntType, Transform
from licgate.manifest.synthetic import synthetic_conv2d, synthetic_gdn, synthetic_manifest
from licgate.program import compile_program
from licgate.target.config import AcceleratorConfig

ODD = r"the array runs convolutions of an odd kernel, stride 1 or 2 and padding kernel // 2"


DOUBLE = "the array runs transposed convolutions of stride 2 that double the size"


def conv(name="g_a.0", inputs=2, signed=False, **options):
    return synthetic_conv2d(
        name,
        in_channels=inputs,
        out_channels=2,
        input_type=IntType(8, signed=signed),
        output_type=IntType(8),
        **options,
    )


def gdn(name="g_a.1", inverse=False):
    return synthetic_gdn(name, channels=2, inverse=inverse, input_type=IntType(8), output_type=IntType(8))


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        ([conv(stride=3)], f"g_a.0: {ODD}, not kernel 5, stride 3, padding 2"),
        ([conv(kernel=4, padding=1)], f"g_a.0: {ODD}, not kernel 4, stride 2, padding 1"),
        ([conv(padding=1)], f"g_a.0: {ODD}, not kernel 5, stride 2, padding 1"),
        ([conv(stride=1, padding=0)], f"g_a.0: {ODD}, not kernel 5, stride 1, padding 0"),
        ([conv(), conv("g_a.2", signed=True, kernel=2, padding=1)], f"g_a.2: {ODD}, not kernel 2, stride 2, padding 1"),
        ([conv(transposed=True)], f"g_a.0: {DOUBLE}, not kernel 5, stride 2, padding 2, output padding 0"),
        (
            [conv(transposed=True, kernel=4, output_padding=1, padding=1)],
            f"g_a.0: {DOUBLE}, not kernel 4, stride 2, padding 1, output padding 1",
        ),
        (
            [conv(transposed=True, kernel=1, output_padding=1)],
            f"g_a.0: {DOUBLE}, not kernel 1, stride 2, padding 0, output padding 1",
        ),
        (
            [conv(transposed=True, stride=1, kernel=3)],
            f"g_a.0: {DOUBLE}, not kernel 3, stride 1, padding 1, output padding 0",
        ),
        ([conv(), gdn(), gdn("g_a.2")], "g_a.2: the array runs a GDN only behind a convolution"),
        ([gdn("g_a.0")], "g_a: the array needs a transform that begins with a convolution"),
        (
            [conv(transposed=True, output_padding=1), gdn(inverse=True)],
            "g_a.1: the array ends no transform with a GDN behind a transposed convolution",
        ),
    ],
)
def test_layers_that_the_array_does_not_run(layers, message):
    kind = IntType(8, signed=layers[0].kind == "gdn")
    transform = Transform(name="g_a", in_channels=2, input=kind, input_scale=1 / 255, layers=layers)
    with pytest.raises(ConfigError) as caught:
        compile_program(transform, AcceleratorConfig(rows=2, cols=2))
    assert str(caught.value) == message


def test_a_leak_is_refused():
    g_a = synthetic_manifest(channels=(3, 4, 5), gdn="none").g_a
    first = replace(g_a.layers[0], requantize=replace(g_a.layers[0].requantize, leak=655))
    with pytest.raises(ConfigError, match=r"^g_a\.0: the array has no leaky ReLU \(slope 0\.01\); train with ReLU$"):
        compile_program(replace(g_a, layers=(first, *g_a.layers[1:])), AcceleratorConfig(max_width=16))
