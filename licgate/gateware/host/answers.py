"""What the host link sends, one frame after the other: answers, acknowledgments, patches, latents."""

from functools import reduce
from operator import or_

from amaranth.hdl import Cat, Const, Module, ResetInserter, Signal
from amaranth.lib import stream
from amaranth.lib.data import StructLayout
from amaranth.lib.wiring import Component, In, Out, flipped

from licgate.gateware.host.hostframe import header_layout
from licgate.gateware.ports import patch_layout
from licgate.gateware.stream import StreamBuffer, connect
from licgate.target.frames import FrameType

__all__ = ["AnswerArbiter", "answer_layout"]

#: The answer to a command: a frame of at most five bytes.
answer_layout = StructLayout({"header": header_layout, "data": 40})


class AnswerArbiter(Component):
    """Choose what is sent next, and bring its bytes: answers to commands first, then acknowledgments, patches, latents.

    Members
    -------
    i_answer : :py:`In(stream.Signature(answer_layout))`
    drained, flush : :py:`In(1)`
        A frame of pixels waits to be acknowledged (level); that is void in this cycle.
    acknowledged : :py:`Out(1)`
        The acknowledgment of one such frame is on its way (pulse).
    i_patch : :py:`In(stream.Signature(patch_layout))`
    i_header, i_latents : :py:`In(stream.Signature(header_layout))`, :py:`In(stream.Signature(8))`
        A frame of latents; a header may be withdrawn before it is taken.
    o_header, o : :py:`Out(stream.Signature(header_layout))`, :py:`Out(stream.Signature(8))`
        To a :class:`~licgate.gateware.host.hostframe.FrameSender`.

    Attributes
    ----------
    latency : int
        From what is offered to its header: 2 cycles, while nothing is being sent.
    """

    latency = 2

    def __init__(self):
        super().__init__(
            {
                "i_answer": In(stream.Signature(answer_layout)),
                "drained": In(1),
                "flush": In(1),
                "acknowledged": Out(1),
                "i_patch": In(stream.Signature(patch_layout)),
                "i_header": In(stream.Signature(header_layout)),
                "i_latents": In(stream.Signature(8)),
                "o_header": Out(stream.Signature(header_layout)),
                "o": Out(stream.Signature(8)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        body, choosing = StreamBuffer(8), Signal()
        # A register in front of the sender; what it holds between frames is of the one before.
        m.submodules.body = ResetInserter(choosing)(body)
        connect(m, body.o, flipped(self.o))
        names = ("from_answer", "from_drained", "from_patch", "from_latents")
        chosen, loads, latents, passes = [Signal(name=n) for n in names], Signal(), Signal(), Signal()
        small = self._load(m, chosen, loads, latents, passes)
        m.d.sync += loads.eq(0)
        with m.FSM():
            # Choosing and loading are two steps, so that neither makes a long path; a flush may come between them.
            with m.State("PICK"):
                m.d.comb += choosing.eq(1)
                m.d.sync += [latents.eq(0), *self._pick(chosen)]
                with m.If(self.i_answer.valid | self.drained | self.i_patch.valid | self.i_header.valid):
                    m.d.sync += loads.eq(1)
                    m.next = "LOAD"
            with m.State("LOAD"):
                m.next = "HEADER"
                with m.If(chosen[-1] & ~self.i_header.valid):
                    m.next = "PICK"
            with m.State("HEADER"):
                m.d.comb += self.o_header.valid.eq(1)
                with m.If(self.o_header.ready):
                    m.next = "BODY"
            with m.State("BODY"):
                with m.If(latents):
                    m.d.comb += [
                        body.i.payload.eq(self.i_latents.payload),
                        body.i.valid.eq(self.i_latents.valid),
                        self.i_latents.ready.eq(body.i.ready),
                    ]
                with m.Else():
                    m.d.comb += [body.i.payload.eq(small[:8]), body.i.valid.eq(1), passes.eq(body.i.ready)]
                with m.If(self.o_header.ready):
                    m.next = "PICK"
        return m

    def _pick(self, chosen):
        """What is to be loaded, by rank."""
        from_answer, from_drained, from_patch, from_latents = chosen
        none = ~self.i_answer.valid
        return [
            from_answer.eq(self.i_answer.valid),
            from_drained.eq(none & self.drained & ~self.flush),
            from_patch.eq(none & ~self.drained & self.i_patch.valid),
            from_latents.eq(none & ~self.drained & ~self.i_patch.valid),
        ]

    def _load(self, m, chosen, loads, latents, passes):
        """Header and bytes of what is chosen; return the bytes of a short frame, the next one first."""
        from_answer, from_drained, from_patch, from_latents = chosen
        header, small = Signal(header_layout), Signal(64)
        m.d.comb += self.o_header.payload.eq(header)
        # The register takes a byte at every second cycle at most, so there is time to bring the next one.
        passed = Signal()
        m.d.sync += passed.eq(passes)
        with m.If(passed):
            m.d.sync += small.eq(small[8:])
        answer = self.i_answer.payload
        # One is chosen: an OR of what each gives is shorter than a choice.
        sources = (
            (from_answer, answer.header.as_value(), answer.data),
            (from_drained, Cat(Const(FrameType.ACK, 8), Const(1, 8)), Const(FrameType.PIXELS, 8)),
            (from_patch, Cat(Const(FrameType.PATCH, 8), Const(8, 8)), self.i_patch.payload.as_value()),
            (from_latents, self.i_header.payload.as_value(), Const(0, 1)),
        )
        m.d.comb += [
            self.i_answer.ready.eq(loads & from_answer),
            self.acknowledged.eq(loads & from_drained),
            self.i_patch.ready.eq(loads & from_patch),
            self.i_header.ready.eq(loads & from_latents),
        ]
        with m.If(loads):
            m.d.sync += [
                header.eq(_chosen((by, head) for by, head, _ in sources)),
                small.eq(_chosen((by, payload) for by, _, payload in sources)),
                latents.eq(from_latents),
            ]
        return small


def _chosen(pairs):
    """The value whose bit is set; 0 if none is."""
    return reduce(or_, (value & bit.replicate(len(value)) for bit, value in pairs))
