// For Yosys' techmap: gives the operands of every cell the width at which it works, as Verilog does by itself and tools
// warn of. Values are those of before: what a signed cell gets is extended by its sign, what another one gets by zeros.

`define LICGATE_CELL(TYPE) \
    TYPE #(.A_SIGNED(S), .B_SIGNED(S), .A_WIDTH(W), .B_WIDTH(W), .Y_WIDTH(R)) _TECHMAP_REPLACE_ (.A(a), .B(b), .Y(Y));

// Sums and bitwise operations, as wide as what they make.
(* techmap_celltype = "$add $sub $and $or $xor $xnor" *)
module licgate_both (A, B, Y);
    parameter A_SIGNED = 0, B_SIGNED = 0, A_WIDTH = 1, B_WIDTH = 1, Y_WIDTH = 1, _TECHMAP_CELLTYPE_ = "";
    localparam S = A_SIGNED && B_SIGNED, W = Y_WIDTH, R = Y_WIDTH;
    input [A_WIDTH-1:0] A;
    input [B_WIDTH-1:0] B;
    output [Y_WIDTH-1:0] Y;
    wire _TECHMAP_FAIL_ = A_WIDTH == W && B_WIDTH == W;
    wire [W-1:0] a, b;
    licgate_extended #(.FROM(A_WIDTH), .TO(W), .SIGNED(S)) of_a (.i(A), .o(a));
    licgate_extended #(.FROM(B_WIDTH), .TO(W), .SIGNED(S)) of_b (.i(B), .o(b));
    generate
        case (_TECHMAP_CELLTYPE_)
            "$add": `LICGATE_CELL(\$add )
            "$sub": `LICGATE_CELL(\$sub )
            "$and": `LICGATE_CELL(\$and )
            "$or": `LICGATE_CELL(\$or )
            "$xor": `LICGATE_CELL(\$xor )
            "$xnor": `LICGATE_CELL(\$xnor )
        endcase
    endgenerate
endmodule

// Comparisons, as wide as the wider of their operands.
(* techmap_celltype = "$eq $ne $lt $le $gt $ge" *)
module licgate_compared (A, B, Y);
    parameter A_SIGNED = 0, B_SIGNED = 0, A_WIDTH = 1, B_WIDTH = 1, Y_WIDTH = 1, _TECHMAP_CELLTYPE_ = "";
    localparam S = A_SIGNED && B_SIGNED, W = A_WIDTH > B_WIDTH ? A_WIDTH : B_WIDTH, R = Y_WIDTH;
    input [A_WIDTH-1:0] A;
    input [B_WIDTH-1:0] B;
    output [Y_WIDTH-1:0] Y;
    wire _TECHMAP_FAIL_ = A_WIDTH == B_WIDTH;
    wire [W-1:0] a, b;
    licgate_extended #(.FROM(A_WIDTH), .TO(W), .SIGNED(S)) of_a (.i(A), .o(a));
    licgate_extended #(.FROM(B_WIDTH), .TO(W), .SIGNED(S)) of_b (.i(B), .o(b));
    generate
        case (_TECHMAP_CELLTYPE_)
            "$eq": `LICGATE_CELL(\$eq )
            "$ne": `LICGATE_CELL(\$ne )
            "$lt": `LICGATE_CELL(\$lt )
            "$le": `LICGATE_CELL(\$le )
            "$gt": `LICGATE_CELL(\$gt )
            "$ge": `LICGATE_CELL(\$ge )
        endcase
    endgenerate
endmodule

// What has one operand, as wide as what it makes.
(* techmap_celltype = "$neg $not" *)
module licgate_one (A, Y);
    parameter A_SIGNED = 0, A_WIDTH = 1, Y_WIDTH = 1, _TECHMAP_CELLTYPE_ = "";
    input [A_WIDTH-1:0] A;
    output [Y_WIDTH-1:0] Y;
    wire _TECHMAP_FAIL_ = A_WIDTH == Y_WIDTH;
    wire [Y_WIDTH-1:0] a;
    licgate_extended #(.FROM(A_WIDTH), .TO(Y_WIDTH), .SIGNED(A_SIGNED)) of_a (.i(A), .o(a));
    generate
        if (_TECHMAP_CELLTYPE_ == "$neg")
            \$neg #(.A_SIGNED(A_SIGNED), .A_WIDTH(Y_WIDTH), .Y_WIDTH(Y_WIDTH)) _TECHMAP_REPLACE_ (.A(a), .Y(Y));
        else
            \$not #(.A_SIGNED(A_SIGNED), .A_WIDTH(Y_WIDTH), .Y_WIDTH(Y_WIDTH)) _TECHMAP_REPLACE_ (.A(a), .Y(Y));
    endgenerate
endmodule

// Shifts, as wide as the wider of what is shifted and what is made.
(* techmap_celltype = "$shl $shr $sshl $sshr" *)
module licgate_shifted (A, B, Y);
    parameter A_SIGNED = 0, B_SIGNED = 0, A_WIDTH = 1, B_WIDTH = 1, Y_WIDTH = 1, _TECHMAP_CELLTYPE_ = "";
    localparam W = A_WIDTH > Y_WIDTH ? A_WIDTH : Y_WIDTH;
    input [A_WIDTH-1:0] A;
    input [B_WIDTH-1:0] B;
    output [Y_WIDTH-1:0] Y;
    wire _TECHMAP_FAIL_ = A_WIDTH == Y_WIDTH;
    wire [W-1:0] a, y;
    licgate_extended #(.FROM(A_WIDTH), .TO(W), .SIGNED(A_SIGNED)) of_a (.i(A), .o(a));
    assign Y = y[Y_WIDTH-1:0];
`define LICGATE_SHIFT(TYPE) \
    TYPE #(.A_SIGNED(A_SIGNED), .B_SIGNED(B_SIGNED), .A_WIDTH(W), .B_WIDTH(B_WIDTH), .Y_WIDTH(W)) \
        _TECHMAP_REPLACE_ (.A(a), .B(B), .Y(y));
    generate
        case (_TECHMAP_CELLTYPE_)
            "$shl": `LICGATE_SHIFT(\$shl )
            "$shr": `LICGATE_SHIFT(\$shr )
            "$sshl": `LICGATE_SHIFT(\$sshl )
            "$sshr": `LICGATE_SHIFT(\$sshr )
        endcase
    endgenerate
endmodule

// Whether anything is set, of more bits than one: in a bit first.
(* techmap_celltype = "$logic_not" *)
module licgate_none (A, Y);
    parameter A_SIGNED = 0, A_WIDTH = 1, Y_WIDTH = 1;
    input [A_WIDTH-1:0] A;
    output [Y_WIDTH-1:0] Y;
    wire _TECHMAP_FAIL_ = A_WIDTH == 1;
    wire any;
    \$reduce_or #(.A_SIGNED(0), .A_WIDTH(A_WIDTH), .Y_WIDTH(1)) of_a (.A(A), .Y(any));
    \$logic_not #(.A_SIGNED(0), .A_WIDTH(1), .Y_WIDTH(Y_WIDTH)) _TECHMAP_REPLACE_ (.A(any), .Y(Y));
endmodule

// An operand with bits in front, or without its first ones. One of no bits is 0.
module licgate_extended (i, o);
    parameter FROM = 1, TO = 1, SIGNED = 0;
    input [FROM-1:0] i;
    output [TO-1:0] o;
    generate
        if (FROM == 0)
            assign o = 0;
        else if (TO <= FROM)
            assign o = i[TO-1:0];
        else
            assign o = {{(TO - FROM){SIGNED ? i[FROM-1] : 1'b0}}, i};
    endgenerate
endmodule
