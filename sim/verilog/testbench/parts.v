// Parts of the testbench: a coin, a sender, a receiver that compares, and what watches a stream. Plain Verilog.

// A coin that falls on `stall` in so many of a hundred cycles (xorshift, so that every simulator draws the same).
module licgate_coin (input clk, input resetn, input [31:0] seed, input [6:0] percent, output stall, output [31:0] drawn);
    parameter SALT = 1;
    reg [31:0] state = 1;
    wire [31:0] once = state ^ (state << 13);
    wire [31:0] twice = once ^ (once >> 17);
    wire [31:0] scaled = {16'd0, state[15:0]} * 32'd100;
    always @(posedge clk)
        if (!resetn) state <= (seed * 32'h9E3779B1 + SALT * 32'h85EBCA6B) | 32'd1;
        else state <= twice ^ (twice << 5);
    assign stall = scaled[31:16] < {9'd0, percent};
    assign drawn = state;
endmodule

// Sends the words of a file, one after the other; what it offers stays until it is taken.
module licgate_sender (
    input clk, input resetn, input [31:0] seed, input [6:0] percent,
    output reg valid, output reg [WIDTH-1:0] data, input ready, output reg [31:0] sent
);
    parameter WIDTH = 24, COUNT = 1, SALT = 1, FILE = "vectors/input.hex";
    reg [WIDTH-1:0] words [0:COUNT-1];
    reg [31:0] next;
    wire stall;
    licgate_coin #(.SALT(SALT)) coin (
        .clk(clk), .resetn(resetn), .seed(seed), .percent(percent), .stall(stall), .drawn());
    initial begin
        $readmemh(FILE, words);
        valid = 0; data = 0; next = 0; sent = 0;
    end
    always @(posedge clk)
        if (!resetn) begin
            valid <= 0; next <= 0; sent <= 0;
        end else begin
            if (valid && ready) sent <= sent + 1;
            if (!valid || ready) begin
                valid <= next < COUNT && !stall;
                data <= next < COUNT && !stall ? words[next] : ~data;
                if (next < COUNT && !stall) next <= next + 1;
            end
        end
endmodule

// Takes what comes and compares it with a file. A difference is printed; what comes too many is one, too.
module licgate_receiver (
    input clk, input resetn, input [31:0] seed, input [6:0] percent,
    input valid, input [WIDTH-1:0] data, output reg ready, output reg [31:0] taken, output reg [31:0] failures
);
    parameter WIDTH = 18, COUNT = 1, SALT = 2, FILE = "vectors/golden.hex", NAME = "results";
    reg [WIDTH-1:0] words [0:COUNT-1];
    wire stall;
    licgate_coin #(.SALT(SALT)) coin (
        .clk(clk), .resetn(resetn), .seed(seed), .percent(percent), .stall(stall), .drawn());
    initial begin
        $readmemh(FILE, words);
        ready = 0; taken = 0; failures = 0;
    end
    always @(posedge clk)
        if (!resetn) begin
            ready <= 0; taken <= 0;
        end else begin
            ready <= !stall;
            if (valid && ready) begin
                taken <= taken + 1;
                if (taken >= COUNT) begin
                    failures <= failures + 1;
                    if (failures < 10) $display("%0s: %h comes behind the last of %0d", NAME, data, COUNT);
                end else if (data !== words[taken]) begin
                    failures <= failures + 1;
                    if (failures < 10) $display("%0s %0d: %h, expected %h", NAME, taken, data, words[taken]);
                end
            end
        end
endmodule

// The rules of a stream: what is offered stays, and stays as it is, until it is taken; nothing in it is unknown.
module licgate_rules (
    input clk, input resetn, input valid, input ready, input [WIDTH-1:0] payload,
    output reg [31:0] stalled, output reg [31:0] failures
);
    parameter WIDTH = 1, NAME = "stream";
    reg waits;
    reg [WIDTH-1:0] offered;
    initial begin
        waits = 0; offered = 0; stalled = 0; failures = 0;
    end
    always @(posedge clk)
        if (!resetn) waits <= 0;
        else begin
            waits <= valid === 1'b1 && ready !== 1'b1;
            offered <= payload;
            if (valid === 1'b1 && ready !== 1'b1) stalled <= stalled + 1;
            if ((waits && (valid !== 1'b1 || payload !== offered)) || (valid ^ valid) !== 1'b0
                    || (valid === 1'b1 && (payload ^ payload) !== {WIDTH{1'b0}})) begin
                failures <= failures + 1;
                if (failures < 10)
                    if (waits && valid !== 1'b1) $display("%0s: valid fell before %h was taken", NAME, offered);
                    else if (waits && payload !== offered)
                        $display("%0s: %h became %h before it was taken", NAME, offered, payload);
                    else $display("%0s: valid %b, payload %h is not known", NAME, valid, payload);
            end
        end
endmodule
