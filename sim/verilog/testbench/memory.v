// A memory behind AXI4. Without stalls it has the latency that the figures of README.md assume, and moves a beat a cycle
// each way; with stalls it is late at random. It checks what a master of whole incrementing bursts has to keep.

module licgate_memory (
    input clk, input resetn, input [31:0] seed, input [6:0] percent,
    input [39:0] araddr, input [7:0] arlen, input [2:0] arsize, input [1:0] arburst, input arvalid, output reg arready,
    output reg [BITS-1:0] rdata, output [1:0] rresp, output reg rlast, output reg rvalid, input rready,
    input [39:0] awaddr, input [7:0] awlen, input [2:0] awsize, input [1:0] awburst, input awvalid, output reg awready,
    input [BITS-1:0] wdata, input [BITS/8-1:0] wstrb, input wlast, input wvalid, output reg wready,
    output [1:0] bresp, output reg bvalid, input bready,
    output reg [31:0] moved, output reg [31:0] failures
);
    parameter BITS = 64, BEATS = 1, ORIGIN = 0, READ_LATENCY = 60, WRITE_LATENCY = 30;
    parameter FILE = "vectors/memory.hex", EXPECTED = "vectors/expected.hex", MASK = "vectors/mask.hex";
    localparam [39:0] BYTES = BITS / 8;
    localparam [3:0] PLACES = 15;
    reg [BITS-1:0] contents [0:BEATS-1];
    reg [BITS-1:0] expected [0:BEATS-1];
    reg [BITS-1:0] mask [0:BEATS-1];

    // bursts that wait: first beat, beats, and the cycle in which they may begin or be answered
    reg [31:0] read_place [0:15];
    reg [8:0] read_beats [0:15];
    reg [31:0] read_due [0:15];
    reg [31:0] write_place [0:15];
    reg [8:0] write_beats [0:15];
    reg [31:0] answer_due [0:15];
    reg [3:0] read_in, read_out, write_in, write_out, answer_in, answer_out;
    reg [8:0] read_beat, write_beat;
    reg [31:0] now;
    reg offering;
    integer at, place;

    wire [4:0] stalls;
    wire [31:0] drawn;
    wire [3:0] reads = read_in - read_out, writes = write_in - write_out;
    wire [31:0] late = percent == 0 ? 32'd0 : {25'd0, drawn[22:16]};
    assign rresp = 2'd0, bresp = 2'd0;
    licgate_coin #(.SALT(10)) ar_coin (
        .clk(clk), .resetn(resetn), .seed(seed), .percent(percent), .stall(stalls[0]), .drawn(drawn));
    licgate_coin #(.SALT(11)) r_coin (
        .clk(clk), .resetn(resetn), .seed(seed), .percent(percent), .stall(stalls[1]), .drawn());
    licgate_coin #(.SALT(12)) aw_coin (
        .clk(clk), .resetn(resetn), .seed(seed), .percent(percent), .stall(stalls[2]), .drawn());
    licgate_coin #(.SALT(13)) w_coin (
        .clk(clk), .resetn(resetn), .seed(seed), .percent(percent), .stall(stalls[3]), .drawn());
    licgate_coin #(.SALT(14)) b_coin (
        .clk(clk), .resetn(resetn), .seed(seed), .percent(percent), .stall(stalls[4]), .drawn());

    function [31:0] beat_of (input [39:0] address);
        reg [39:0] whole;
        begin
            whole = (address - ORIGIN) / BYTES;
            beat_of = whole[31:0];
        end
    endfunction

    task fail (input [8*40-1:0] rule, input [39:0] address);
        begin
            failures = failures + 1;
            if (failures <= 10) $display("m_axi, address %h: %0s", address, rule);
        end
    endtask

    task check (input [39:0] address, input [7:0] len, input [2:0] size, input [1:0] burst);
        reg [39:0] last;
        begin
            last = address + ({32'd0, len} + 40'd1) * BYTES - 40'd1;
            if (burst !== 2'd1 || (40'd1 << size) !== BYTES) fail("not incrementing, or not of whole beats", address);
            if (address % BYTES != 0) fail("not aligned", address);
            if (address[39:12] !== last[39:12]) fail("crosses 4 KB", address);
            /* verilator lint_off UNSIGNED */
            if (address < ORIGIN || last >= ORIGIN + BEATS * BYTES) fail("outside of the memory", address);
            /* verilator lint_on UNSIGNED */
        end
    endtask

    initial begin
        $readmemh(FILE, contents);
        $readmemh(EXPECTED, expected);
        $readmemh(MASK, mask);
        arready = 0; rdata = 0; rlast = 0; rvalid = 0; awready = 0; wready = 0; bvalid = 0; moved = 0; failures = 0;
        read_in = 0; read_out = 0; write_in = 0; write_out = 0; answer_in = 0; answer_out = 0;
        read_beat = 0; write_beat = 0; now = 0; offering = 0;
    end

    // What is held against the memory in the end.
    task compare;
        for (at = 0; at < BEATS; at = at + 1)
            if (((contents[at] ^ expected[at]) & mask[at]) !== {BITS{1'b0}}) begin
                failures = failures + 1;
                if (failures <= 10)
                    $display("memory, byte %h: %h, expected %h in %h", ORIGIN + at * BYTES, contents[at], expected[at],
                        mask[at]);
            end
    endtask

    /* verilator lint_off BLKSEQ */
    always @(posedge clk)
        if (resetn) begin
            if (rvalid && rready) begin
                moved = moved + 1;
                offering = 0;
                read_beat = read_beat + 1;
                if (read_beat == read_beats[read_out]) begin
                    read_out = read_out + 1;
                    read_beat = 0;
                end
            end
            if (bvalid && bready) answer_out = answer_out + 1;
            if (arvalid && arready) begin
                check(araddr, arlen, arsize, arburst);
                read_place[read_in] = beat_of(araddr);
                read_beats[read_in] = {1'b0, arlen} + 9'd1;
                read_due[read_in] = now + READ_LATENCY + late;
                read_in = read_in + 1;
            end
            if (awvalid && awready) begin
                check(awaddr, awlen, awsize, awburst);
                write_place[write_in] = beat_of(awaddr);
                write_beats[write_in] = {1'b0, awlen} + 9'd1;
                write_in = write_in + 1;
            end
            if (wvalid && wready) begin
                moved = moved + 1;
                if (wstrb !== {(BITS / 8){1'b1}})
                    fail("a byte is masked", ORIGIN + {8'd0, write_place[write_out]} * BYTES);
                place = write_place[write_out] + {23'd0, write_beat};
                contents[place] = wdata;
                write_beat = write_beat + 1;
                if (wlast !== (write_beat == write_beats[write_out]))
                    fail("last beat not where it belongs", ORIGIN + {8'd0, write_place[write_out]} * BYTES);
                if (wlast) begin
                    write_out = write_out + 1;
                    write_beat = 0;
                    answer_due[answer_in] = now + WRITE_LATENCY + late;
                    answer_in = answer_in + 1;
                end
            end
            now = now + 1;
            if (!offering && read_in != read_out && read_due[read_out] <= now && !stalls[1]) begin
                offering = 1;
                place = read_place[read_out] + {23'd0, read_beat};
                rdata <= contents[place];
                rlast <= read_beat + 9'd1 == read_beats[read_out];
            end
            rvalid <= offering;
            bvalid <= answer_in != answer_out && answer_due[answer_out] <= now && (!stalls[4] || (bvalid && !bready));
            // places are kept for what is accepted in this cycle and the next
            arready <= !stalls[0] && reads < PLACES - 4'd2;
            awready <= !stalls[2] && writes < PLACES - 4'd2;
            wready <= !stalls[3] && write_in != write_out;
        end
    /* verilator lint_on BLKSEQ */
endmodule
