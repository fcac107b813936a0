// A DSP48E2 as licgate uses it: a product with a register at its operands, in its middle and at its end.
module DSP48E2 (
    input CLK, input signed [29:0] A, input signed [17:0] B, input [47:0] C, input [26:0] D, input [8:0] OPMODE,
    input [3:0] ALUMODE, input [4:0] INMODE, input CARRYIN, input [2:0] CARRYINSEL,
    input CEA1, CEA2, CEB1, CEB2, CEM, CEP, CEAD, CEALUMODE, CEC, CECARRYIN, CECTRL, CED, CEINMODE,
    input RSTA, RSTALLCARRYIN, RSTALUMODE, RSTB, RSTC, RSTCTRL, RSTD, RSTINMODE, RSTM, RSTP, output [47:0] P
);
    parameter AREG = 1, BREG = 1, MREG = 1, PREG = 1, ACASCREG = 1, BCASCREG = 1, ADREG = 1, ALUMODEREG = 1;
    parameter CARRYINREG = 1, CARRYINSELREG = 1, CREG = 1, DREG = 1, INMODEREG = 1, OPMODEREG = 1;
    parameter USE_MULT = "MULTIPLY", USE_SIMD = "ONE48";
    reg signed [26:0] a = 0;
    reg signed [17:0] b = 0;
    reg signed [47:0] m = 0, p = 0;
    assign P = p;
    always @(posedge CLK) begin
        a <= A[26:0];
        b <= B;
        m <= a * b;
        p <= m;
    end
    initial
        if ({AREG[0], BREG[0], MREG[0], PREG[0]} != 4'hF || USE_MULT != "MULTIPLY") begin
            $display("not as licgate uses it");
            $finish_and_return(1);
        end
endmodule
