// Logic cells of ECP5 for simulation, from FPGA-TN-02205 (slices) and the names that Yosys and nextpnr give them.
// A cell says with the attribute `start` on a register or memory that what it holds at the start means nothing: the
// harness fills those with random numbers.

// Table of four inputs, A the lowest bit of its index; a tree, which a constant table leaves little of.
module LUT4 (input A, B, C, D, output Z);
    parameter [15:0] INIT = 16'h0000;
    wire a0 = A ? INIT[1] : INIT[0], a1 = A ? INIT[3] : INIT[2], a2 = A ? INIT[5] : INIT[4], a3 = A ? INIT[7] : INIT[6];
    wire a4 = A ? INIT[9] : INIT[8], a5 = A ? INIT[11] : INIT[10], a6 = A ? INIT[13] : INIT[12], a7 = A ? INIT[15] : INIT[14];
    wire b0 = B ? a1 : a0, b1 = B ? a3 : a2, b2 = B ? a5 : a4, b3 = B ? a7 : a6;
    wire c0 = C ? b1 : b0, c1 = C ? b3 : b2;
    assign Z = D ? c1 : c0;
endmodule

// Two tables as one of five inputs.
module PFUMX (input ALUT, BLUT, C0, output Z);
    assign Z = C0 ? ALUT : BLUT;
endmodule

// Two of those as one of six, and so on.
module L6MUX21 (input D0, D1, SD, output Z);
    assign Z = SD ? D1 : D0;
endmodule

// One bit of a carry chain: where the table says that the bit propagates, the carry goes through, else it is what the
// lowest quarter of the table says of A and B. A sum takes the carry in, unless INJECT cuts it off there.
module licgate_carry (input A, B, C, D, CI, output S, CO);
    parameter [15:0] INIT = 16'h0000;
    parameter INJECT = "NO";
    wire propagates, generates;
    LUT4 #(.INIT(INIT)) table_of_four (.A(A), .B(B), .C(C), .D(D), .Z(propagates));
    LUT4 #(.INIT(INIT)) table_of_two (.A(A), .B(B), .C(1'b0), .D(1'b0), .Z(generates));
    assign S = INJECT == "YES" ? propagates : propagates ^ CI;
    assign CO = propagates ? CI : INJECT == "YES" ? 1'b0 : generates;
endmodule

module CCU2C (input CIN, A0, B0, C0, D0, A1, B1, C1, D1, output S0, S1, COUT);
    parameter [15:0] INIT0 = 16'h0000;
    parameter [15:0] INIT1 = 16'h0000;
    parameter INJECT1_0 = "YES";
    parameter INJECT1_1 = "YES";
    wire between;
    licgate_carry #(.INIT(INIT0), .INJECT(INJECT1_0)) low (.A(A0), .B(B0), .C(C0), .D(D0), .CI(CIN), .S(S0), .CO(between));
    licgate_carry #(.INIT(INIT1), .INJECT(INJECT1_1)) high (.A(A1), .B(B1), .C(C1), .D(D1), .CI(between), .S(S1), .CO(COUT));
endmodule

// What nextpnr makes of LUT4, CCU2C and TRELLIS_DPR16X4: half a slice.
module TRELLIS_COMB (
    input A, B, C, D, M, FCI, F1, FXA, FXB, WD, WAD0, WAD1, WAD2, WAD3, WRE, WCK,
    output F, FCO, OFX
);
    parameter MODE = "LOGIC";
    parameter [15:0] INITVAL = 16'h0000;
    parameter CCU2_INJECT1 = "NO";
    parameter WREMUX = "WRE";
    parameter WCKMUX = "WCK";
    parameter IS_Z1 = 0;
    parameter START = "INIT";
    // as a memory, the cell takes its address in another order than as a table: D, B, C, A from the lowest bit
    function [15:0] by_address (input [15:0] by_index);
        integer k;
        for (k = 0; k < 16; k = k + 1)
            by_address[k] = by_index[8 * (k & 1) + 4 * (k >> 2 & 1) + 2 * (k >> 1 & 1) + (k >> 3 & 1)];
    endfunction
    generate
        if (MODE == "CCU2") begin
            licgate_carry #(.INIT(INITVAL), .INJECT(CCU2_INJECT1)) bit_of_sum (
                .A(A), .B(B), .C(C), .D(D), .CI(FCI), .S(F), .CO(FCO));
        end else begin
            assign FCO = 1'b0;
            if (MODE == "DPRAM")
                licgate_ram16 #(.WIDTH(1), .INIT(by_address(INITVAL)), .WCKMUX(WCKMUX), .WREMUX(WREMUX), .START(START)) ram (
                    .WCK(WCK), .WRE(WRE), .WAD({WAD3, WAD2, WAD1, WAD0}), .DI(WD), .RAD({A, C, B, D}), .DO(F));
            else
                LUT4 #(.INIT(INITVAL)) lut (.A(A), .B(B), .C(C), .D(D), .Z(F));
        end
    endgenerate
    // the multiplexer behind the table: of the slice's two tables, or of two such multiplexers
    assign OFX = IS_Z1 ? (M ? FXB : FXA) : (M ? F1 : F);
endmodule

// The half slice that leads what is written, and where, to the other cells of a distributed memory.
module TRELLIS_RAMW (
    input A0, B0, C0, D0, A1, B1, C1, D1,
    output WADO0, WADO1, WADO2, WADO3, WDO0, WDO1, WDO2, WDO3
);
    assign {WADO3, WADO2, WADO1, WADO0} = {A0, C0, B0, D0};
    assign {WDO3, WDO2, WDO1, WDO0} = {B1, D1, A1, C1};
endmodule

// A driver of the clock network.
module DCCA (input CLKI, CE, output CLKO);
    assign CLKO = CLKI;
endmodule
