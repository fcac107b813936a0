"""Host link: framed access to an accelerator's registers, pixels and latents over one byte stream each way."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, ResetInserter, Signal
from amaranth.lib import stream
from amaranth.lib.wiring import Component, In, Out, flipped

from licgate.gateware.host.answers import AnswerArbiter
from licgate.gateware.host.commands import FrameCommands
from licgate.gateware.host.hostframe import FrameReceiver, FrameSender
from licgate.gateware.host.latentpacker import LatentPacker
from licgate.gateware.host.pixelbuffer import PixelBuffer
from licgate.gateware.ports import csr_signature, latent_layout, patch_layout
from licgate.gateware.stream import connect

__all__ = ["HostLink"]


class HostLink(Component):
    """Device side of docs/hostlink.md.

    Every WRITE and READ is answered by one frame. A PIXELS frame is acknowledged once the accelerator has taken its
    last pixel; meanwhile registers stay accessible. A frame with a wrong CRC is answered by ERROR and has no other
    effect. Writing CONTROL with the reset bit also forgets buffered pixels and latents.

    With `streaming` a PIXELS_STREAM frame for which there is no room stops `i` until there is. What stands behind it
    stands still, a command too: the host sends no more of them than the accelerator has asked for, and `abort` is for
    what is left.

    Parameters
    ----------
    timeout : int
        Clock cycles after which an unfinished frame is given up.
    frames : int
        Frames of the pixel buffer, see `PixelBuffer`; the host may have ``frames - 1`` PIXELS frames outstanding.
    streaming : bool
        PIXELS_STREAM frames are taken; the line must hold back what `i` does not take.

    Members
    -------
    i, o : In(stream.Signature(8)), Out(stream.Signature(8))
        Bytes from and to the line.
    csr : Out(csr_signature)
        The accelerator's registers; `r_data` is read three cycles after `addr`.
    o_pixels : Out(stream.Signature(24))
    i_latents : In(stream.Signature(latent_layout))
    i_patch : In(stream.Signature(patch_layout))
    flush : Out(1)
        The host has asked for a reset; what is on its way between the link and the accelerator is void.
    abort : In(1)
        Forget all that has come and all that is to go, frames that have begun included; the cycle behind, CONTROL is
        written with the reset bit. Only with `streaming`.
    """

    def __init__(self, *, timeout: int, frames: int = 16, streaming: bool = False):
        self.streaming = streaming
        self.receiver = FrameReceiver(timeout=timeout)
        self.buffer = PixelBuffer(frames=frames, streaming=streaming)
        self.packer = LatentPacker()
        self.sender = FrameSender()
        self.frames = frames
        super().__init__(
            {
                "i": In(stream.Signature(8)),
                "o": Out(stream.Signature(8)),
                "csr": Out(csr_signature),
                "o_pixels": Out(stream.Signature(24)),
                "flush": Out(1),
                "i_latents": In(stream.Signature(latent_layout)),
                "i_patch": In(stream.Signature(patch_layout)),
                **({"abort": In(1)} if streaming else {}),
            }
        )

    def elaborate(self, platform):
        m = Module()
        receiver, buffer, packer, sender = self.receiver, self.buffer, self.packer, self.sender
        commands, answers = FrameCommands(streaming=self.streaming), AnswerArbiter()
        parts = {"receiver": receiver, "commands": commands, "buffer": buffer, "packer": packer}
        for name, part in (parts | {"answers": answers, "sender": sender}).items():
            m.submodules[name] = ResetInserter(self.abort)(part) if self.streaming else part
        connect(m, flipped(self.i), receiver.i)
        connect(m, receiver.o, commands.i)
        connect(m, commands.csr, flipped(self.csr))
        connect(m, commands.o, answers.i_answer)
        connect(m, buffer.o, flipped(self.o_pixels))
        connect(m, flipped(self.i_latents), packer.i)
        connect(m, flipped(self.i_patch), answers.i_patch)
        connect(m, packer.o_header, answers.i_header)
        connect(m, packer.o, answers.i_latents)
        connect(m, answers.o_header, sender.i)
        connect(m, answers.o, sender.i_payload)
        connect(m, sender.o, flipped(self.o))

        # PIXELS frames accepted and not acknowledged yet, and those of them which are ready for it.
        outstanding, drained = Signal(range(self.frames)), Signal(range(self.frames))
        flush, acknowledged = commands.flush, answers.acknowledged
        gone = acknowledged
        if self.streaming:
            flush, gone = flush | self.abort, acknowledged + buffer.released
            m.d.comb += buffer.quiet.eq(commands.quiet)
        m.d.sync += [
            outstanding.eq(Mux(flush, 0, outstanding + buffer.commit - gone)),
            drained.eq(Mux(flush, 0, drained + buffer.drained - acknowledged)),
        ]
        m.d.comb += [
            commands.byte.eq(receiver.w_stb),
            commands.full.eq(outstanding == self.frames - 1),
            buffer.w_index.eq(receiver.w_index),
            buffer.w_data.eq(receiver.w_data),
            buffer.w_stb.eq(receiver.w_stb),
            buffer.commit.eq(commands.commit),
            buffer.pixels.eq(commands.pixels),
            answers.drained.eq(drained != 0),
            *(target.eq(flush) for target in (answers.flush, packer.flush, buffer.flush, self.flush)),
        ]
        return m
