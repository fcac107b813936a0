// The block RAM of ECP5, from FPGA-TN-02204: 1024 words of 18 bits, of which a port sees 1, 2, 4, 9, 18 or 36.
//
// A word of 9 bits is a lane; four lanes make a row, the word of a port of 36 bits. Ports of fewer than 9 bits see the
// lower 8 bits of lanes. A port of 36 bits writes by both ports' data inputs, on the pins of port A, and reads to both
// ports' outputs, on those of port B.
//
// What a port reads while the other one writes any bit of it, and what two ports leave where they write the same lane,
// is random; for that both ports have to be on one clock.

// A lane: 512 words of 9 bits with two ports that write.
module licgate_lane (
    input CLKA, CLKB, input [8:0] ROWA, ROWB, MASKA, MASKB, DIA, DIB, NOISE, output [8:0] DOA, DOB
);
    parameter [4607:0] INIT = 0;
    parameter WHOLEA = 1, WHOLEB = 1;
    parameter START = "INIT";
    (* start = START *) reg [8:0] words [0:511];
    integer k;
    generate
        if (INIT != 0) initial for (k = 0; k < 512; k = k + 1) words[k] = INIT[9*k +: 9];
    endgenerate
    assign DOA = words[ROWA];
    assign DOB = words[ROWB];
    wire clash = MASKA != 0 && MASKB != 0 && ROWA == ROWB;
    always @(posedge CLKA) if (MASKA != 0) words[ROWA] <= clash ? NOISE : WHOLEA ? DIA : DOA & ~MASKA | DIA & MASKA;
    always @(posedge CLKB) if (MASKB != 0) words[ROWB] <= clash ? NOISE : WHOLEB ? DIB : DOB & ~MASKB | DIB & MASKB;
endmodule

// What a port of some width makes of its pins: bits of a row that it reaches, of those that it writes, and their data.
module licgate_port (
    input [13:0] ADDRESS, input [35:0] DATA, input ACTIVE, WE, output [8:0] ROW, output [35:0] REACHED, WRITTEN, DI
);
    parameter WIDTH = 18;
    assign ROW = ADDRESS[13:5];
    generate
        if (WIDTH == 36) begin
            assign REACHED = ~36'd0;
            assign WRITTEN = {{9{ADDRESS[3]}}, {9{ADDRESS[2]}}, {9{ADDRESS[1]}}, {9{ADDRESS[0]}}} & {36{ACTIVE & WE}};
            assign DI = DATA;
        end else if (WIDTH == 18) begin
            assign REACHED = ADDRESS[4] ? {18'h3ffff, 18'd0} : {18'd0, 18'h3ffff};
            assign WRITTEN = REACHED & {2{ {9{ADDRESS[1]}}, {9{ADDRESS[0]}} }} & {36{ACTIVE & WE}};
            assign DI = {2{DATA[17:0]}};
        end else begin
            wire [8:0] bits;
            wire [8:0] data;
            if (WIDTH == 9) begin
                assign bits = 9'h1ff;
                assign data = DATA[8:0];
            end else if (WIDTH == 4) begin
                assign bits = ADDRESS[2] ? 9'h0f0 : 9'h00f;
                assign data = {1'b0, DATA[3:0], DATA[3:0]};
            end else if (WIDTH == 2) begin
                assign bits = ADDRESS[2:1] == 3 ? 9'h0c0 : ADDRESS[2:1] == 2 ? 9'h030 : ADDRESS[2:1] == 1 ? 9'h00c : 9'h003;
                assign data = {1'b0, {4{DATA[1:0]}}};
            end else begin
                assign bits = 9'h001 << ADDRESS[2:0];
                assign data = {1'b0, {8{DATA[0]}}};
            end
            assign REACHED = {27'd0, bits} << (ADDRESS[4:3] == 3 ? 27 : ADDRESS[4:3] == 2 ? 18 : ADDRESS[4:3] == 1 ? 9 : 0);
            assign WRITTEN = REACHED & {36{ACTIVE & WE}};
            assign DI = {4{data}};
        end
    endgenerate
endmodule

// The output of a port: what it takes of a row, and the register behind it.
module licgate_output (
    input CLK, CE, OCE, RST, WRITES, input [4:0] ADDRESS, input [35:0] OLD, NEW, NOISE, input CLASH, output [WIDTH-1:0] Q
);
    parameter WIDTH = 18;
    parameter WRITEMODE = "NORMAL";
    parameter LOW_REGMODE = "NOREG", HIGH_REGMODE = "NOREG";
    parameter RESETMODE = "SYNC";
    parameter START = "INIT";
    localparam LOW = WIDTH == 36 ? 18 : WIDTH;
    wire [35:0] row = WRITES && WRITEMODE == "WRITETHROUGH" ? NEW : OLD;
    wire [WIDTH-1:0] read;
    generate
        if (WIDTH == 36) assign read = row;
        else if (WIDTH == 18) assign read = ADDRESS[4] ? row[35:18] : row[17:0];
        else begin
            wire [8:0] lane = ADDRESS[4:3] == 3 ? row[35:27] : ADDRESS[4:3] == 2 ? row[26:18]
                              : ADDRESS[4:3] == 1 ? row[17:9] : row[8:0];
            if (WIDTH == 9) assign read = lane;
            else if (WIDTH == 4) assign read = ADDRESS[2] ? lane[7:4] : lane[3:0];
            else if (WIDTH == 2) assign read = lane >> {ADDRESS[2:1], 1'b0};
            else assign read = lane >> ADDRESS[2:0];
        end
    endgenerate
    // at the sense amplifiers, where a write leaves what was there in mode NORMAL
    (* start = START *) reg [WIDTH-1:0] sensed = 0;
    (* start = START *) reg [WIDTH-1:0] held = 0;
    wire reads = CE && !(WRITES && WRITEMODE == "NORMAL");
    generate
        if (RESETMODE == "ASYNC") begin
            always @(posedge CLK, posedge RST)
                if (RST) sensed <= 0;
                else if (reads) sensed <= CLASH ? NOISE[WIDTH-1:0] : read;
            always @(posedge CLK, posedge RST)
                if (RST) held <= 0;
                else if (OCE) held <= sensed;
        end else begin
            always @(posedge CLK)
                if (RST) sensed <= 0;
                else if (reads) sensed <= CLASH ? NOISE[WIDTH-1:0] : read;
            always @(posedge CLK)
                if (RST) held <= 0;
                else if (OCE) held <= sensed;
        end
    endgenerate
    assign Q[LOW-1:0] = LOW_REGMODE == "OUTREG" ? held[LOW-1:0] : sensed[LOW-1:0];
    generate
        if (WIDTH == 36) assign Q[35:18] = HIGH_REGMODE == "OUTREG" ? held[35:18] : sensed[35:18];
    endgenerate
endmodule

module DP16KD (
    input DIA17, DIA16, DIA15, DIA14, DIA13, DIA12, DIA11, DIA10, DIA9, DIA8, DIA7, DIA6, DIA5, DIA4, DIA3, DIA2, DIA1, DIA0,
    input ADA13, ADA12, ADA11, ADA10, ADA9, ADA8, ADA7, ADA6, ADA5, ADA4, ADA3, ADA2, ADA1, ADA0,
    input CLKA, CEA, OCEA, WEA, RSTA, CSA2, CSA1, CSA0,
    output DOA17, DOA16, DOA15, DOA14, DOA13, DOA12, DOA11, DOA10, DOA9, DOA8, DOA7, DOA6, DOA5, DOA4, DOA3, DOA2, DOA1, DOA0,
    input DIB17, DIB16, DIB15, DIB14, DIB13, DIB12, DIB11, DIB10, DIB9, DIB8, DIB7, DIB6, DIB5, DIB4, DIB3, DIB2, DIB1, DIB0,
    input ADB13, ADB12, ADB11, ADB10, ADB9, ADB8, ADB7, ADB6, ADB5, ADB4, ADB3, ADB2, ADB1, ADB0,
    input CLKB, CEB, OCEB, WEB, RSTB, CSB2, CSB1, CSB0,
    output DOB17, DOB16, DOB15, DOB14, DOB13, DOB12, DOB11, DOB10, DOB9, DOB8, DOB7, DOB6, DOB5, DOB4, DOB3, DOB2, DOB1, DOB0
);
    parameter DATA_WIDTH_A = 18, DATA_WIDTH_B = 18;
    parameter REGMODE_A = "NOREG", REGMODE_B = "NOREG";
    parameter RESETMODE = "SYNC", ASYNC_RESET_RELEASE = "SYNC";
    parameter CSDECODE_A = "0b000", CSDECODE_B = "0b000";
    parameter WRITEMODE_A = "NORMAL", WRITEMODE_B = "NORMAL";
    parameter CLKAMUX = "CLKA", CLKBMUX = "CLKB";
    parameter GSR = "ENABLED", INITVAL_DATA = "STATIC", INIT_DATA = "STATIC", WID = 0;
    // of licgate: RANDOM for a memory whose first content means nothing, and the same of what its ports show
    parameter START = "INIT", START_OUTPUT = "INIT";
    parameter [63:0] SEED = 64'd1;
    parameter INITVAL_00 = 320'd0;
    parameter INITVAL_01 = 320'd0;
    parameter INITVAL_02 = 320'd0;
    parameter INITVAL_03 = 320'd0;
    parameter INITVAL_04 = 320'd0;
    parameter INITVAL_05 = 320'd0;
    parameter INITVAL_06 = 320'd0;
    parameter INITVAL_07 = 320'd0;
    parameter INITVAL_08 = 320'd0;
    parameter INITVAL_09 = 320'd0;
    parameter INITVAL_0A = 320'd0;
    parameter INITVAL_0B = 320'd0;
    parameter INITVAL_0C = 320'd0;
    parameter INITVAL_0D = 320'd0;
    parameter INITVAL_0E = 320'd0;
    parameter INITVAL_0F = 320'd0;
    parameter INITVAL_10 = 320'd0;
    parameter INITVAL_11 = 320'd0;
    parameter INITVAL_12 = 320'd0;
    parameter INITVAL_13 = 320'd0;
    parameter INITVAL_14 = 320'd0;
    parameter INITVAL_15 = 320'd0;
    parameter INITVAL_16 = 320'd0;
    parameter INITVAL_17 = 320'd0;
    parameter INITVAL_18 = 320'd0;
    parameter INITVAL_19 = 320'd0;
    parameter INITVAL_1A = 320'd0;
    parameter INITVAL_1B = 320'd0;
    parameter INITVAL_1C = 320'd0;
    parameter INITVAL_1D = 320'd0;
    parameter INITVAL_1E = 320'd0;
    parameter INITVAL_1F = 320'd0;
    parameter INITVAL_20 = 320'd0;
    parameter INITVAL_21 = 320'd0;
    parameter INITVAL_22 = 320'd0;
    parameter INITVAL_23 = 320'd0;
    parameter INITVAL_24 = 320'd0;
    parameter INITVAL_25 = 320'd0;
    parameter INITVAL_26 = 320'd0;
    parameter INITVAL_27 = 320'd0;
    parameter INITVAL_28 = 320'd0;
    parameter INITVAL_29 = 320'd0;
    parameter INITVAL_2A = 320'd0;
    parameter INITVAL_2B = 320'd0;
    parameter INITVAL_2C = 320'd0;
    parameter INITVAL_2D = 320'd0;
    parameter INITVAL_2E = 320'd0;
    parameter INITVAL_2F = 320'd0;
    parameter INITVAL_30 = 320'd0;
    parameter INITVAL_31 = 320'd0;
    parameter INITVAL_32 = 320'd0;
    parameter INITVAL_33 = 320'd0;
    parameter INITVAL_34 = 320'd0;
    parameter INITVAL_35 = 320'd0;
    parameter INITVAL_36 = 320'd0;
    parameter INITVAL_37 = 320'd0;
    parameter INITVAL_38 = 320'd0;
    parameter INITVAL_39 = 320'd0;
    parameter INITVAL_3A = 320'd0;
    parameter INITVAL_3B = 320'd0;
    parameter INITVAL_3C = 320'd0;
    parameter INITVAL_3D = 320'd0;
    parameter INITVAL_3E = 320'd0;
    parameter INITVAL_3F = 320'd0;
    localparam [20479:0] INIT = {
        INITVAL_3F, INITVAL_3E, INITVAL_3D, INITVAL_3C, INITVAL_3B, INITVAL_3A, INITVAL_39, INITVAL_38, INITVAL_37,
        INITVAL_36, INITVAL_35, INITVAL_34, INITVAL_33, INITVAL_32, INITVAL_31, INITVAL_30, INITVAL_2F, INITVAL_2E,
        INITVAL_2D, INITVAL_2C, INITVAL_2B, INITVAL_2A, INITVAL_29, INITVAL_28, INITVAL_27, INITVAL_26, INITVAL_25,
        INITVAL_24, INITVAL_23, INITVAL_22, INITVAL_21, INITVAL_20, INITVAL_1F, INITVAL_1E, INITVAL_1D, INITVAL_1C,
        INITVAL_1B, INITVAL_1A, INITVAL_19, INITVAL_18, INITVAL_17, INITVAL_16, INITVAL_15, INITVAL_14, INITVAL_13,
        INITVAL_12, INITVAL_11, INITVAL_10, INITVAL_0F, INITVAL_0E, INITVAL_0D, INITVAL_0C, INITVAL_0B, INITVAL_0A,
        INITVAL_09, INITVAL_08, INITVAL_07, INITVAL_06, INITVAL_05, INITVAL_04, INITVAL_03, INITVAL_02, INITVAL_01,
        INITVAL_00
    };
    // a lane of all rows; 320 bits of the content hold 16 words, 20 bits apart
    function [4607:0] lane (input integer number);
        integer k;
        for (k = 0; k < 512; k = k + 1) lane[9*k +: 9] = INIT[40*k + 20*(number / 2) + 9*(number % 2) +: 9];
    endfunction
    wire [17:0] data_a = {DIA17, DIA16, DIA15, DIA14, DIA13, DIA12, DIA11, DIA10, DIA9, DIA8, DIA7, DIA6, DIA5, DIA4, DIA3, DIA2, DIA1, DIA0};
    wire [13:0] address_a = {ADA13, ADA12, ADA11, ADA10, ADA9, ADA8, ADA7, ADA6, ADA5, ADA4, ADA3, ADA2, ADA1, ADA0};
    wire [17:0] data_b = {DIB17, DIB16, DIB15, DIB14, DIB13, DIB12, DIB11, DIB10, DIB9, DIB8, DIB7, DIB6, DIB5, DIB4, DIB3, DIB2, DIB1, DIB0};
    wire [13:0] address_b = {ADB13, ADB12, ADB11, ADB10, ADB9, ADB8, ADB7, ADB6, ADB5, ADB4, ADB3, ADB2, ADB1, ADB0};
    wire clock_a = CLKAMUX == "INV" ? ~CLKA : CLKA;
    wire clock_b = CLKBMUX == "INV" ? ~CLKB : CLKB;
    // a reset that waits for the clock holds up writes too
    wire active_a = CEA & {CSA2, CSA1, CSA0} == 0 & ~(RESETMODE == "SYNC" & RSTA);
    wire active_b = CEB & {CSB2, CSB1, CSB0} == 0 & ~(RESETMODE == "SYNC" & RSTB);

    wire [8:0] row_a, row_b;
    wire [35:0] reached_a, reached_b, written_a, written_b, di_a, di_b, old_a, old_b;
    licgate_port #(.WIDTH(DATA_WIDTH_A)) port_a (
        .ADDRESS(address_a), .DATA({data_b, data_a}), .ACTIVE(active_a), .WE(WEA),
        .ROW(row_a), .REACHED(reached_a), .WRITTEN(written_a), .DI(di_a));
    // a port of 36 bits on B only reads
    licgate_port #(.WIDTH(DATA_WIDTH_B)) port_b (
        .ADDRESS(address_b), .DATA({18'd0, data_b}), .ACTIVE(active_b), .WE(DATA_WIDTH_B == 36 ? 1'b0 : WEB),
        .ROW(row_b), .REACHED(reached_b), .WRITTEN(written_b), .DI(di_b));

    // xorshift of 64 bits, a step at each clash
    (* start = "RANDOM" *) reg [63:0] noise = SEED;
    (* clashes *) reg [31:0] clashes = 0;
    wire [63:0] noise_1 = noise ^ noise << 13, noise_2 = noise_1 ^ noise_1 >> 7, noise_3 = noise_2 ^ noise_2 << 17;
    wire meet = row_a == row_b;
    // what a port of 36 bits on A reads nobody sees, nor what a port without a clock enable does
    wire clash_a = meet & active_a & DATA_WIDTH_A != 36 & |(reached_a & written_b);
    wire clash_b = meet & active_b & |(reached_b & written_a);
    always @(posedge clock_a) if (clash_a | clash_b) begin
        noise <= noise_3;
        clashes <= clashes + 1;
    end

    genvar g;
    generate
        for (g = 0; g < 4; g = g + 1) begin: lanes
            licgate_lane #(
                .INIT(lane(g)), .WHOLEA(DATA_WIDTH_A >= 9), .WHOLEB(DATA_WIDTH_B >= 9), .START(START)
            ) words (
                .CLKA(clock_a), .CLKB(clock_b), .ROWA(row_a), .ROWB(row_b), .NOISE(noise[63 - 9*g -: 9]),
                .MASKA(written_a[9*g +: 9]), .MASKB(written_b[9*g +: 9]), .DIA(di_a[9*g +: 9]), .DIB(di_b[9*g +: 9]),
                .DOA(old_a[9*g +: 9]), .DOB(old_b[9*g +: 9]));
        end
        wire [DATA_WIDTH_B-1:0] out_b;
        licgate_output #(
            .WIDTH(DATA_WIDTH_B), .WRITEMODE(WRITEMODE_B), .RESETMODE(RESETMODE), .START(START_OUTPUT),
            .LOW_REGMODE(DATA_WIDTH_B == 36 ? REGMODE_A : REGMODE_B), .HIGH_REGMODE(REGMODE_B)
        ) output_b (
            .CLK(clock_b), .CE(active_b), .OCE(OCEB), .RST(RSTB), .WRITES(active_b & WEB), .ADDRESS(address_b[4:0]),
            .OLD(old_b), .NEW(old_b & ~written_b | di_b & written_b), .NOISE(noise[35:0]), .CLASH(clash_b), .Q(out_b));
        if (DATA_WIDTH_B == 36)
            assign {DOB17, DOB16, DOB15, DOB14, DOB13, DOB12, DOB11, DOB10, DOB9, DOB8, DOB7, DOB6, DOB5, DOB4, DOB3, DOB2, DOB1, DOB0, DOA17, DOA16, DOA15, DOA14, DOA13, DOA12, DOA11, DOA10, DOA9, DOA8, DOA7, DOA6, DOA5, DOA4, DOA3, DOA2, DOA1, DOA0} = out_b;
        else begin
            assign {DOB17, DOB16, DOB15, DOB14, DOB13, DOB12, DOB11, DOB10, DOB9, DOB8, DOB7, DOB6, DOB5, DOB4, DOB3, DOB2, DOB1, DOB0} = out_b;
            if (DATA_WIDTH_A == 36)
                assign {DOA17, DOA16, DOA15, DOA14, DOA13, DOA12, DOA11, DOA10, DOA9, DOA8, DOA7, DOA6, DOA5, DOA4, DOA3, DOA2, DOA1, DOA0} = 18'd0;
            else begin
                wire [DATA_WIDTH_A-1:0] out_a;
                licgate_output #(
                    .WIDTH(DATA_WIDTH_A), .WRITEMODE(WRITEMODE_A), .RESETMODE(RESETMODE), .START(START_OUTPUT),
                    .LOW_REGMODE(REGMODE_A)
                ) output_a (
                    .CLK(clock_a), .CE(active_a), .OCE(OCEA), .RST(RSTA), .WRITES(active_a & WEA),
                    .ADDRESS(address_a[4:0]), .OLD(old_a), .NEW(old_a & ~written_a | di_a & written_a),
                    .NOISE(noise[35:0]), .CLASH(clash_a), .Q(out_a));
                assign {DOA17, DOA16, DOA15, DOA14, DOA13, DOA12, DOA11, DOA10, DOA9, DOA8, DOA7, DOA6, DOA5, DOA4, DOA3, DOA2, DOA1, DOA0} = out_a;
            end
        end
    endgenerate
endmodule
