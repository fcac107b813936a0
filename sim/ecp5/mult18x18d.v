// The multiplier of ECP5's DSP slice, from FPGA-TN-02205: registers at its operands, in its middle and at its product,
// each with one of four clocks, enables and resets, or none. Operands come from the fabric; the shift chains between
// multipliers are not modelled.

// A register of it, or none.
module licgate_dsp_register (input [3:0] CLK, CE, RST, input [WIDTH-1:0] D, output [WIDTH-1:0] Q);
    parameter WIDTH = 18;
    parameter CLOCK = "NONE";
    parameter ENABLE = "CE0";
    parameter RESET = "RST0";
    parameter RESETMODE = "SYNC";
    parameter START = "INIT";
    generate
        if (CLOCK == "NONE")
            assign Q = D;
        else begin
            wire clock = CLOCK == "CLK3" ? CLK[3] : CLOCK == "CLK2" ? CLK[2] : CLOCK == "CLK1" ? CLK[1] : CLK[0];
            wire enable = ENABLE == "CE3" ? CE[3] : ENABLE == "CE2" ? CE[2] : ENABLE == "CE1" ? CE[1] : CE[0];
            wire reset = RESET == "RST3" ? RST[3] : RESET == "RST2" ? RST[2] : RESET == "RST1" ? RST[1] : RST[0];
            (* start = START *) reg [WIDTH-1:0] held = 0;
            assign Q = held;
            if (RESETMODE == "ASYNC") begin
                always @(posedge clock, posedge reset)
                    if (reset) held <= 0;
                    else if (enable) held <= D;
            end else begin
                always @(posedge clock)
                    if (reset) held <= 0;
                    else if (enable) held <= D;
            end
        end
    endgenerate
endmodule

module MULT18X18D (
    input A17, A16, A15, A14, A13, A12, A11, A10, A9, A8, A7, A6, A5, A4, A3, A2, A1, A0,
    input B17, B16, B15, B14, B13, B12, B11, B10, B9, B8, B7, B6, B5, B4, B3, B2, B1, B0,
    input SIGNEDA, SIGNEDB, CLK0, CLK1, CLK2, CLK3, CE0, CE1, CE2, CE3, RST0, RST1, RST2, RST3,
    output P35, P34, P33, P32, P31, P30, P29, P28, P27, P26, P25, P24, P23, P22, P21, P20, P19, P18,
    output P17, P16, P15, P14, P13, P12, P11, P10, P9, P8, P7, P6, P5, P4, P3, P2, P1, P0
);
    parameter REG_INPUTA_CLK = "NONE";
    parameter REG_INPUTA_CE = "CE0";
    parameter REG_INPUTA_RST = "RST0";
    parameter REG_INPUTB_CLK = "NONE";
    parameter REG_INPUTB_CE = "CE0";
    parameter REG_INPUTB_RST = "RST0";
    parameter REG_PIPELINE_CLK = "NONE";
    parameter REG_PIPELINE_CE = "CE0";
    parameter REG_PIPELINE_RST = "RST0";
    parameter REG_OUTPUT_CLK = "NONE";
    parameter REG_OUTPUT_CE = "CE0";
    parameter REG_OUTPUT_RST = "RST0";
    parameter RESETMODE = "SYNC";
    parameter GSR = "ENABLED";
    parameter START = "INIT";
    wire [3:0] clk = {CLK3, CLK2, CLK1, CLK0}, ce = {CE3, CE2, CE1, CE0}, rst = {RST3, RST2, RST1, RST0};
    wire [18:0] operand_a, operand_b;
    licgate_dsp_register #(
        .WIDTH(19), .CLOCK(REG_INPUTA_CLK), .ENABLE(REG_INPUTA_CE), .RESET(REG_INPUTA_RST), .RESETMODE(RESETMODE),
        .START(START)
    ) input_a (
        .CLK(clk), .CE(ce), .RST(rst), .Q(operand_a),
        .D({SIGNEDA & A17, A17, A16, A15, A14, A13, A12, A11, A10, A9, A8, A7, A6, A5, A4, A3, A2, A1, A0}));
    licgate_dsp_register #(
        .WIDTH(19), .CLOCK(REG_INPUTB_CLK), .ENABLE(REG_INPUTB_CE), .RESET(REG_INPUTB_RST), .RESETMODE(RESETMODE),
        .START(START)
    ) input_b (
        .CLK(clk), .CE(ce), .RST(rst), .Q(operand_b),
        .D({SIGNEDB & B17, B17, B16, B15, B14, B13, B12, B11, B10, B9, B8, B7, B6, B5, B4, B3, B2, B1, B0}));
    wire signed [37:0] product = $signed(operand_a) * $signed(operand_b);
    wire [35:0] between;
    licgate_dsp_register #(
        .WIDTH(36), .CLOCK(REG_PIPELINE_CLK), .ENABLE(REG_PIPELINE_CE), .RESET(REG_PIPELINE_RST),
        .RESETMODE(RESETMODE), .START(START)
    ) pipeline (.CLK(clk), .CE(ce), .RST(rst), .D(product[35:0]), .Q(between));
    licgate_dsp_register #(
        .WIDTH(36), .CLOCK(REG_OUTPUT_CLK), .ENABLE(REG_OUTPUT_CE), .RESET(REG_OUTPUT_RST), .RESETMODE(RESETMODE),
        .START(START)
    ) result (
        .CLK(clk), .CE(ce), .RST(rst), .D(between),
        .Q({P35, P34, P33, P32, P31, P30, P29, P28, P27, P26, P25, P24, P23, P22, P21, P20, P19, P18, P17, P16, P15, P14,
            P13, P12, P11, P10, P9, P8, P7, P6, P5, P4, P3, P2, P1, P0}));
endmodule
