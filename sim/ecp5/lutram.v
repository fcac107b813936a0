// Distributed memory of ECP5: written on the clock, read without one.

module licgate_ram16 (input WCK, WRE, input [3:0] WAD, RAD, input [WIDTH-1:0] DI, output [WIDTH-1:0] DO);
    parameter WIDTH = 4;
    parameter [16*WIDTH-1:0] INIT = 0;
    parameter WCKMUX = "WCK";
    parameter WREMUX = "WRE";
    parameter START = "INIT";
    (* start = START *) reg [WIDTH-1:0] words [0:15];
    integer k;
    initial for (k = 0; k < 16; k = k + 1) words[k] = INIT[WIDTH*k +: WIDTH];
    wire clock = WCKMUX == "INV" ? ~WCK : WCK;
    wire enable = WREMUX == "1" ? 1'b1 : WREMUX == "0" ? 1'b0 : WREMUX == "INV" ? ~WRE : WRE;
    always @(posedge clock) if (enable) words[WAD] <= DI;
    assign DO = words[RAD];
endmodule

module TRELLIS_DPR16X4 (input WCK, WRE, input [3:0] WAD, RAD, DI, output [3:0] DO);
    parameter [63:0] INITVAL = 64'd0;
    parameter WCKMUX = "WCK";
    parameter WREMUX = "WRE";
    parameter START = "INIT";
    licgate_ram16 #(.INIT(INITVAL), .WCKMUX(WCKMUX), .WREMUX(WREMUX), .START(START)) ram (
        .WCK(WCK), .WRE(WRE), .WAD(WAD), .RAD(RAD), .DI(DI), .DO(DO));
endmodule
