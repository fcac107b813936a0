"""Pixels of many channels in simulation: the harnesses hand over 32 bits a pixel, from which all channels are made."""

from dataclasses import replace

import numpy as np
from amaranth.hdl import Cat, Module
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from licgate.gateware.ports import csr_signature, latent_layout, patch_layout
from licgate.gateware.top.resident import Accelerator
from licgate.sim.transforms import Gateware

WORD = 32


class WidePixels(wiring.Component):
    """An accelerator whose pixels of 8-bit channels are made of a word: channel c is byte c modulo 4, xor `mask(c)`.

    Members: those of `Accelerator`, with a payload of 32 bits at ``i``. Takes no time.

    Parameters
    ----------
    accelerator : Accelerator
        With unsigned pixels of 8 bits a channel.
    """

    def __init__(self, accelerator: Accelerator):
        self._accelerator, self.watchdog = accelerator, accelerator.watchdog
        super().__init__(
            {
                "i": In(stream.Signature(WORD)),
                "o": Out(stream.Signature(latent_layout)),
                "o_patch": Out(stream.Signature(patch_layout)),
                "csr": In(csr_signature),
            }
        )

    def elaborate(self, platform):
        """Make the channels."""
        m = Module()
        m.submodules.accelerator = inner = self._accelerator
        channels = len(inner.i.payload) // 8
        pixel = [self.i.payload.word_select(c % 4, 8) ^ mask(c) for c in range(channels)]
        m.d.comb += [inner.i.payload.eq(Cat(pixel)), inner.i.valid.eq(self.i.valid), self.i.ready.eq(inner.i.ready)]
        connect(m, inner.o, flipped(self.o))
        connect(m, inner.o_patch, flipped(self.o_patch))
        connect(m, flipped(self.csr), inner.csr)
        return m


def mask(channel: int) -> int:
    """What tells a channel apart from those of the same byte."""
    return 37 * (channel // 4) & 0xFF


def wide_image(words: np.ndarray, channels: int) -> np.ndarray:
    """Channels (C, H, W) of an image of words (H, W)."""
    return np.stack([(words >> 8 * (c % 4) & 0xFF) ^ mask(c) for c in range(channels)])


class WideGateware(Gateware):
    """`Gateware` for an image made of words; give `run` what `wide_image` makes of them.

    Parameters
    ----------
    manifest, config, transforms, engine
        As for `Gateware`.
    words : ndarray of int, shape (H, W)
    """

    def __init__(self, manifest, config, transforms, engine, words: np.ndarray):
        super().__init__(manifest, config, transforms, engine)
        make, self._words = self._make, words
        self._make = lambda: WidePixels(make())

    def _simulate(self, job, progress):
        return super()._simulate(replace(job, words=self._words), progress)
