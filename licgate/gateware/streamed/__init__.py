"""An accelerator whose weights and feature maps stream from external memory."""
