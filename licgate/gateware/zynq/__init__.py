"""A streaming accelerator for the programmable logic of Zynq UltraScale+: beside the processor, at its memory."""
