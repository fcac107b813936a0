// The flip-flop of an ECP5's slice.

module TRELLIS_FF (input CLK, LSR, CE, DI, M, output Q);
    parameter GSR = "ENABLED";
    parameter CEMUX = "1";
    parameter CLKMUX = "CLK";
    parameter LSRMUX = "LSR";
    parameter LSRMODE = "LSR";
    parameter SRMODE = "LSR_OVER_CE";
    parameter REGSET = "RESET";
    // what nextpnr calls the choice between DI, from the table in front of the flip-flop, and M, from anywhere
    parameter SD = "1";
    // of licgate: RANDOM for a register whose first value means nothing
    parameter START = "INIT";
    wire clock = CLKMUX == "INV" ? ~CLK : CLK;
    wire enable = CEMUX == "1" ? 1'b1 : CEMUX == "0" ? 1'b0 : CEMUX == "INV" ? ~CE : CE;
    wire reset = LSRMUX == "INV" ? ~LSR : LSRMUX == "0" ? 1'b0 : LSRMUX == "1" ? 1'b1 : LSR;
    wire data = SD == "0" ? M : DI;
    wire set = LSRMODE == "PRLD" ? M : REGSET == "SET";
    (* start = START *) reg held = REGSET == "SET";
    assign Q = held;
    generate
        if (SRMODE == "ASYNC") begin
            always @(posedge clock, posedge reset)
                if (reset) held <= set;
                else if (enable) held <= data;
        end else begin
            always @(posedge clock)
                if (reset) held <= set;
                else if (enable) held <= data;
        end
    endgenerate
endmodule
