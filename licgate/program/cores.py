"""An image cut into patches for cores that share an external memory."""

from dataclasses import dataclass

from licgate.manifest.checks import AnyIntegers
from licgate.manifest.patches import Patch, patches
from licgate.manifest.transform import Transform
from licgate.program.program import Chain
from licgate.program.schedule import Schedule, make_schedule
from licgate.program.streamed import StreamedProgram
from licgate.program.strips import Strip, cut

__all__ = ["CoreJob", "core_jobs", "core_patches"]


@dataclass(frozen=True)
class CoreJob:
    """What one core does: the schedule of its patch."""

    patch: Patch
    schedule: Schedule

    def input(self, x: AnyIntegers) -> AnyIntegers:
        """The patch's part of the whole input (C, H, W)."""
        p = self.patch
        return x[:, p.y : p.y + p.height, p.x : p.x + p.width]

    def kept(self, output: AnyIntegers) -> AnyIntegers:
        """The part of the patch's output (C, H, W) that belongs to the whole."""
        p = self.patch
        return output[:, p.skip_y : p.skip_y + p.out_height, p.skip_x : p.skip_x + p.out_width]


def core_patches(chain: Chain, width: int, height: int, cores: int) -> list[Patch]:
    """The strips of :func:`core_jobs`: a list of Patch."""
    transform = chain.transform
    if any(layer.kind == "conv2d" and layer.transposed for layer in transform.layers):
        return [_strip_patch(transform, strip, height) for strip in cut(transform, width, -(-width // cores))]
    stride = int(transform.stride)
    strip = -(-width // (stride * cores)) * stride
    patch_height = -(-height // stride) * stride
    return list(patches(width, height, patch_width=strip, patch_height=patch_height, transform=transform))


def _strip_patch(transform: Transform, strip: Strip, height: int) -> Patch:
    """A strip of whole columns as a patch."""
    return Patch(
        x=strip.x,
        y=0,
        width=strip.width,
        height=height,
        out_x=strip.out_x,
        out_y=0,
        out_width=strip.out_width,
        out_height=transform.output_size(height, strip.width)[0],
        skip_x=strip.skip,
        skip_y=0,
    )


def core_jobs(program: StreamedProgram, chain: Chain, width: int, height: int, cores: int) -> list[CoreJob]:
    """Cut an input into vertical strips with the margins that they need, one for each core.

    Parameters
    ----------
    program : StreamedProgram
    chain : Chain
    width, height : int
        Of the input.
    cores : int
        At least 1.

    Returns
    -------
    list of CoreJob
        ``cores`` of them, fewer for an input too narrow for so many; in stretches of memory behind each other, each
        beginning with a page.

    Raises
    ------
    ConfigError
        The memory is too small, or the input has no pixel.
    """
    found: list[CoreJob] = []
    origin = 0
    for patch in core_patches(chain, width, height, cores):
        schedule = make_schedule(program, chain, patch.width, patch.height, origin=origin)
        found.append(CoreJob(patch, schedule))
        pages = -(-(origin + schedule.beats) // program.page_beats) + len(found)
        origin = pages * program.page_beats
    return found
