"""An accelerator as Verilog for others' designs: the module, golden vectors with a testbench, and how to package it."""
