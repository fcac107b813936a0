// A host that carries out a list: writes registers, reads and compares them, waits. Registers lie behind AXI4-Lite, or
// with LICGATE_PLAIN behind csr_*.
//
// A line of the list is an operation (4 bits), the number of a register (8) and a value (32): 0 ends, 1 writes, 2 reads
// and compares, 3 reads until the value is there, 4 waits for the interrupt, 5 is 2 where nothing stalls.

`include "job.vh"

module licgate_host (
    input clk, input resetn, input [31:0] seed, input [6:0] percent, input interrupt,
    output reg write_valid, output reg read_valid, output reg [7:0] address, output reg [31:0] value,
    input answered, input [31:0] answer,
    output reg done, output reg [31:0] step, output reg [31:0] failures
);
    parameter COUNT = 1, FILE = "vectors/program.hex";
    localparam [3:0] END = 0, WRITE = 1, EXPECT = 2, UNTIL = 3, INTERRUPT = 4, CYCLES = 5;
    localparam [3:0] SETTLE = 8;
    reg [43:0] list [0:COUNT-1];
    reg under_way;
    reg [3:0] settled;
    wire [43:0] line = list[step];
    wire [3:0] operation = line[43:40];
    wire skipped = operation == CYCLES && percent != 0;
    wire stall;
    licgate_coin #(.SALT(3)) coin (
        .clk(clk), .resetn(resetn), .seed(seed), .percent(percent), .stall(stall), .drawn());
    initial begin
        $readmemh(FILE, list);
        write_valid = 0; read_valid = 0; address = 0; value = 0; done = 0; step = 0; failures = 0;
        under_way = 0; settled = 0;
    end
    always @(posedge clk)
        if (!resetn) begin
            write_valid <= 0; read_valid <= 0; done <= 0; step <= 0; under_way <= 0; settled <= 0;
        end else if (under_way) begin
            write_valid <= 0; read_valid <= 0;
            if (answered) begin
                under_way <= 0;
                if (operation != UNTIL || answer === value) step <= step + 1;
                if ((operation == EXPECT || operation == CYCLES) && answer !== value) begin
                    failures <= failures + 1;
                    $display("register %0d: %h, expected %h", address, answer, value);
                end
            end
        end else if (!done && !stall)
            if (operation == END) done <= 1;
            else if (skipped) step <= step + 1;
            else if (operation == INTERRUPT) begin
                // it falls some cycles behind the start
                if (settled != SETTLE) settled <= settled + 1;
                else if (interrupt) begin
                    settled <= 0;
                    step <= step + 1;
                end
            end else begin
                under_way <= 1;
                write_valid <= operation == WRITE;
                read_valid <= operation != WRITE;
                address <= line[39:32];
                value <= line[31:0];
            end
endmodule

`ifdef LICGATE_PLAIN
// Registers as they are: a write takes a cycle, a read gives its value two cycles behind the address.
module licgate_registers (
    input clk, input resetn, input write_valid, input read_valid, input [7:0] address, input [31:0] value,
    output reg answered, output reg [31:0] answer,
    output reg [5:0] csr_addr, output reg [31:0] csr_w_data, output reg csr_w_stb, input [31:0] csr_r_data
);
    reg [3:0] waits;
    initial begin
        answered = 0; answer = 0; csr_addr = 0; csr_w_data = 0; csr_w_stb = 0; waits = 0;
    end
    always @(posedge clk) begin
        csr_w_stb <= resetn && write_valid;
        if (write_valid || read_valid) csr_addr <= address[5:0];
        csr_w_data <= value;
        waits <= resetn ? {waits[2:0], read_valid} : 4'd0;
        answered <= resetn && (write_valid || waits[3]);
        answer <= csr_r_data;
    end
endmodule
`else
// A master of AXI4-Lite that lets addresses, data and answers wait at random.
module licgate_registers (
    input clk, input resetn, input [31:0] seed, input [6:0] percent,
    input write_valid, input read_valid, input [7:0] address, input [31:0] value,
    output reg answered, output reg [31:0] answer, output reg [31:0] failures,
    output reg [11:0] araddr, output reg arvalid, input arready,
    input [31:0] rdata, input [1:0] rresp, input rvalid, output reg rready,
    output reg [11:0] awaddr, output reg awvalid, input awready,
    output reg [31:0] wdata, output reg wvalid, input wready,
    input [1:0] bresp, input bvalid, output reg bready
);
    reg address_waits, data_waits, read_waits;
    wire address_stall, data_stall, answer_stall;
    licgate_coin #(.SALT(4)) address_coin (
        .clk(clk), .resetn(resetn), .seed(seed), .percent(percent), .stall(address_stall), .drawn());
    licgate_coin #(.SALT(5)) data_coin (
        .clk(clk), .resetn(resetn), .seed(seed), .percent(percent), .stall(data_stall), .drawn());
    licgate_coin #(.SALT(6)) answer_coin (
        .clk(clk), .resetn(resetn), .seed(seed), .percent(percent), .stall(answer_stall), .drawn());
    initial begin
        answered = 0; answer = 0; failures = 0; araddr = 0; arvalid = 0; rready = 0; awaddr = 0; awvalid = 0;
        wdata = 0; wvalid = 0; bready = 0; address_waits = 0; data_waits = 0; read_waits = 0;
    end
    always @(posedge clk)
        if (!resetn) begin
            answered <= 0; arvalid <= 0; rready <= 0; awvalid <= 0; wvalid <= 0; bready <= 0;
            address_waits <= 0; data_waits <= 0; read_waits <= 0;
        end else begin
            if (arready) arvalid <= 0;
            if (awready) awvalid <= 0;
            if (wready) wvalid <= 0;
            if (write_valid) begin
                address_waits <= 1; data_waits <= 1;
            end
            if (read_valid) read_waits <= 1;
            if (address_waits && !address_stall) begin
                address_waits <= 0; awvalid <= 1; awaddr <= {2'd0, address, 2'd0};
            end
            if (data_waits && !data_stall) begin
                data_waits <= 0; wvalid <= 1; wdata <= value;
            end
            if (read_waits && !address_stall) begin
                read_waits <= 0; arvalid <= 1; araddr <= {2'd0, address, 2'd0};
            end
            rready <= !answer_stall;
            bready <= !answer_stall;
            answered <= (rvalid && rready) || (bvalid && bready);
            answer <= rdata;
            if ((rvalid && rready && rresp !== 2'd0) || (bvalid && bready && bresp !== 2'd0)) begin
                failures <= failures + 1;
                $display("register %0d: the answer is not OKAY", address);
            end
        end
endmodule
`endif
