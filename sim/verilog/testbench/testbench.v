// Runs the accelerator on the golden vectors and says PASS, or what differs and FAIL. Plain Verilog.
//
// +seed=N draws other stalls, +stalls=P has every stream stall in P of a hundred cycles (50 if left out, 0 for never:
// then the cycles that the accelerator counts are compared, too), +patience=N is how many cycles may pass without
// anything moving. With a failure, the exit status is not 0.

`include "job.vh"

module testbench;
    reg clk = 0, resetn = 0;
    reg [31:0] seed = 1, patience = 200000, cycle = 0, quiet = 0, moved_before = 0;
    reg [6:0] percent = 50;
    wire interrupt;
    always #5 clk = ~clk;
    initial begin
        if ($value$plusargs("seed=%d", seed)) $display("seed %0d", seed);
        if ($value$plusargs("stalls=%d", percent)) $display("stalls in %0d of 100 cycles", percent);
        if ($value$plusargs("patience=%d", patience)) $display("patience of %0d cycles", patience);
    end

    // The host and the registers.
    wire write_valid, read_valid, answered, host_done;
    wire [7:0] address;
    wire [31:0] value, answer, step, host_failures;
    licgate_host #(.COUNT(`LICGATE_PROGRAM)) host (
        .clk(clk), .resetn(resetn), .seed(seed), .percent(percent), .interrupt(interrupt),
        .write_valid(write_valid), .read_valid(read_valid), .address(address), .value(value),
        .answered(answered), .answer(answer), .done(host_done), .step(step), .failures(host_failures));
`ifdef LICGATE_PLAIN
    wire [5:0] csr_addr;
    wire [31:0] csr_w_data, csr_r_data;
    wire csr_w_stb;
    licgate_registers registers (
        .clk(clk), .resetn(resetn), .write_valid(write_valid), .read_valid(read_valid), .address(address),
        .value(value), .answered(answered), .answer(answer),
        .csr_addr(csr_addr), .csr_w_data(csr_w_data), .csr_w_stb(csr_w_stb), .csr_r_data(csr_r_data));
    wire [31:0] register_failures = 0;
`else
    wire [11:0] s_axi_araddr, s_axi_awaddr;
    wire [31:0] s_axi_rdata, s_axi_wdata, registers_failures, r_failures, b_failures, r_stalled, b_stalled;
    wire [1:0] s_axi_rresp, s_axi_bresp;
    wire s_axi_arvalid, s_axi_arready, s_axi_rvalid, s_axi_rready, s_axi_awvalid, s_axi_awready, s_axi_wvalid,
        s_axi_wready, s_axi_bvalid, s_axi_bready;
    licgate_registers registers (
        .clk(clk), .resetn(resetn), .seed(seed), .percent(percent), .write_valid(write_valid), .read_valid(read_valid),
        .address(address), .value(value), .answered(answered), .answer(answer), .failures(registers_failures),
        .araddr(s_axi_araddr), .arvalid(s_axi_arvalid), .arready(s_axi_arready), .rdata(s_axi_rdata),
        .rresp(s_axi_rresp), .rvalid(s_axi_rvalid), .rready(s_axi_rready), .awaddr(s_axi_awaddr),
        .awvalid(s_axi_awvalid), .awready(s_axi_awready), .wdata(s_axi_wdata), .wvalid(s_axi_wvalid),
        .wready(s_axi_wready), .bresp(s_axi_bresp), .bvalid(s_axi_bvalid), .bready(s_axi_bready));
    licgate_rules #(.WIDTH(34), .NAME("s_axi r")) r_rules (
        .clk(clk), .resetn(resetn), .valid(s_axi_rvalid), .ready(s_axi_rready),
        .payload({s_axi_rresp, s_axi_rdata}), .stalled(r_stalled), .failures(r_failures));
    licgate_rules #(.WIDTH(2), .NAME("s_axi b")) b_rules (
        .clk(clk), .resetn(resetn), .valid(s_axi_bvalid), .ready(s_axi_bready), .payload(s_axi_bresp),
        .stalled(b_stalled), .failures(b_failures));
    wire [31:0] register_failures = registers_failures + r_failures + b_failures;
`endif

`ifdef LICGATE_MEMORY
    // The memory behind AXI4.
    wire [39:0] m_axi_araddr, m_axi_awaddr;
    wire [7:0] m_axi_arlen, m_axi_awlen;
    wire [2:0] m_axi_arsize, m_axi_awsize, m_axi_arprot, m_axi_awprot;
    wire [3:0] m_axi_arcache, m_axi_awcache;
    wire [1:0] m_axi_arburst, m_axi_awburst, m_axi_rresp, m_axi_bresp;
    wire [`LICGATE_BITS-1:0] m_axi_rdata, m_axi_wdata;
    wire [`LICGATE_BITS/8-1:0] m_axi_wstrb;
    wire m_axi_arvalid, m_axi_arready, m_axi_rvalid, m_axi_rready, m_axi_rlast, m_axi_awvalid, m_axi_awready,
        m_axi_wvalid, m_axi_wready, m_axi_wlast, m_axi_bvalid, m_axi_bready;
    wire [31:0] moved, memory_failures, ar_failures, aw_failures, w_failures, ar_stalled, aw_stalled, w_stalled;
    licgate_memory #(
        .BITS(`LICGATE_BITS), .BEATS(`LICGATE_BEATS), .ORIGIN(`LICGATE_ORIGIN),
        .READ_LATENCY(`LICGATE_READ_LATENCY), .WRITE_LATENCY(`LICGATE_WRITE_LATENCY)
    ) memory (
        .clk(clk), .resetn(resetn), .seed(seed), .percent(percent),
        .araddr(m_axi_araddr), .arlen(m_axi_arlen), .arsize(m_axi_arsize), .arburst(m_axi_arburst),
        .arvalid(m_axi_arvalid), .arready(m_axi_arready), .rdata(m_axi_rdata), .rresp(m_axi_rresp),
        .rlast(m_axi_rlast), .rvalid(m_axi_rvalid), .rready(m_axi_rready), .awaddr(m_axi_awaddr),
        .awlen(m_axi_awlen), .awsize(m_axi_awsize), .awburst(m_axi_awburst), .awvalid(m_axi_awvalid),
        .awready(m_axi_awready), .wdata(m_axi_wdata), .wstrb(m_axi_wstrb), .wlast(m_axi_wlast),
        .wvalid(m_axi_wvalid), .wready(m_axi_wready), .bresp(m_axi_bresp), .bvalid(m_axi_bvalid),
        .bready(m_axi_bready), .moved(moved), .failures(memory_failures));
    licgate_rules #(.WIDTH(60), .NAME("m_axi ar")) ar_rules (
        .clk(clk), .resetn(resetn), .valid(m_axi_arvalid), .ready(m_axi_arready),
        .payload({m_axi_araddr, m_axi_arlen, m_axi_arsize, m_axi_arburst, m_axi_arcache, m_axi_arprot}),
        .stalled(ar_stalled), .failures(ar_failures));
    licgate_rules #(.WIDTH(60), .NAME("m_axi aw")) aw_rules (
        .clk(clk), .resetn(resetn), .valid(m_axi_awvalid), .ready(m_axi_awready),
        .payload({m_axi_awaddr, m_axi_awlen, m_axi_awsize, m_axi_awburst, m_axi_awcache, m_axi_awprot}),
        .stalled(aw_stalled), .failures(aw_failures));
    licgate_rules #(.WIDTH(`LICGATE_BITS + `LICGATE_BITS / 8 + 1), .NAME("m_axi w")) w_rules (
        .clk(clk), .resetn(resetn), .valid(m_axi_wvalid), .ready(m_axi_wready),
        .payload({m_axi_wlast, m_axi_wstrb, m_axi_wdata}), .stalled(w_stalled), .failures(w_failures));
    wire [31:0] failures = host_failures + register_failures + memory_failures + ar_failures + aw_failures + w_failures;
    wire [31:0] waited = ar_stalled + aw_stalled + w_stalled;
    wire whole = 1;
`else
    // The streams.
    wire [`LICGATE_INPUT_BITS-1:0] i_data;
    wire [15:0] o_data;
    wire [63:0] patch_data;
    wire i_valid, i_ready, o_valid, o_ready, o_last, o_first, patch_valid, patch_ready;
    wire [31:0] sent, taken, asked, o_failures, o_broken, o_stalled, patch_failures, patch_broken, patch_stalled;
    licgate_sender #(.WIDTH(`LICGATE_INPUT_BITS), .COUNT(`LICGATE_INPUTS)) sender (
        .clk(clk), .resetn(resetn), .seed(seed), .percent(percent), .valid(i_valid), .data(i_data), .ready(i_ready),
        .sent(sent));
    licgate_receiver #(.WIDTH(18), .COUNT(`LICGATE_OUTPUTS)) receiver (
        .clk(clk), .resetn(resetn), .seed(seed), .percent(percent), .valid(o_valid), .ready(o_ready),
        .data({o_first, o_last, o_data}), .taken(taken), .failures(o_failures));
    licgate_receiver #(
        .WIDTH(64), .COUNT(`LICGATE_PATCHES), .SALT(7), .FILE("vectors/patches.hex"), .NAME("patches")
    ) patches (
        .clk(clk), .resetn(resetn), .seed(seed), .percent(percent), .valid(patch_valid), .ready(patch_ready),
        .data(patch_data), .taken(asked), .failures(patch_failures));
    licgate_rules #(.WIDTH(18), .NAME("results")) o_rules (
        .clk(clk), .resetn(resetn), .valid(o_valid), .ready(o_ready), .payload({o_first, o_last, o_data}),
        .stalled(o_stalled), .failures(o_broken));
    licgate_rules #(.WIDTH(64), .NAME("patches")) patch_rules (
        .clk(clk), .resetn(resetn), .valid(patch_valid), .ready(patch_ready), .payload(patch_data),
        .stalled(patch_stalled), .failures(patch_broken));
    wire [31:0] moved = sent + taken + asked;
    wire [31:0] failures =
        host_failures + register_failures + o_failures + o_broken + patch_failures + patch_broken;
    wire [31:0] waited = o_stalled + patch_stalled;
    wire whole = sent == `LICGATE_INPUTS && taken >= `LICGATE_OUTPUTS && asked >= `LICGATE_PATCHES;
`endif

    licgate dut (
`ifdef LICGATE_MEMORY
        .m_axi_araddr(m_axi_araddr), .m_axi_arlen(m_axi_arlen), .m_axi_arsize(m_axi_arsize),
        .m_axi_arburst(m_axi_arburst), .m_axi_arcache(m_axi_arcache), .m_axi_arprot(m_axi_arprot),
        .m_axi_arvalid(m_axi_arvalid), .m_axi_arready(m_axi_arready), .m_axi_rdata(m_axi_rdata),
        .m_axi_rresp(m_axi_rresp), .m_axi_rlast(m_axi_rlast), .m_axi_rvalid(m_axi_rvalid),
        .m_axi_rready(m_axi_rready), .m_axi_awaddr(m_axi_awaddr), .m_axi_awlen(m_axi_awlen),
        .m_axi_awsize(m_axi_awsize), .m_axi_awburst(m_axi_awburst), .m_axi_awcache(m_axi_awcache),
        .m_axi_awprot(m_axi_awprot), .m_axi_awvalid(m_axi_awvalid), .m_axi_awready(m_axi_awready),
        .m_axi_wdata(m_axi_wdata), .m_axi_wstrb(m_axi_wstrb), .m_axi_wlast(m_axi_wlast),
        .m_axi_wvalid(m_axi_wvalid), .m_axi_wready(m_axi_wready), .m_axi_bresp(m_axi_bresp),
        .m_axi_bvalid(m_axi_bvalid), .m_axi_bready(m_axi_bready),
`elsif LICGATE_PLAIN
        .i_valid(i_valid), .i_ready(i_ready), .i_data(i_data), .o_valid(o_valid), .o_ready(o_ready), .o_data(o_data),
        .o_last(o_last), .o_first(o_first), .o_patch_valid(patch_valid), .o_patch_ready(patch_ready),
        .o_patch_x(patch_data[15:0]), .o_patch_y(patch_data[31:16]), .o_patch_width(patch_data[47:32]),
        .o_patch_height(patch_data[63:48]),
`else
        .s_axis_tvalid(i_valid), .s_axis_tready(i_ready), .s_axis_tdata(i_data), .m_axis_tvalid(o_valid),
        .m_axis_tready(o_ready), .m_axis_tdata(o_data), .m_axis_tlast(o_last), .m_axis_tuser(o_first),
        .m_axis_patch_tvalid(patch_valid), .m_axis_patch_tready(patch_ready), .m_axis_patch_tdata(patch_data),
`endif
`ifdef LICGATE_PLAIN
        .csr_addr(csr_addr), .csr_w_data(csr_w_data), .csr_w_stb(csr_w_stb), .csr_r_data(csr_r_data),
`else
        .s_axi_araddr(s_axi_araddr), .s_axi_arprot(3'd0), .s_axi_arvalid(s_axi_arvalid),
        .s_axi_arready(s_axi_arready), .s_axi_rdata(s_axi_rdata), .s_axi_rresp(s_axi_rresp),
        .s_axi_rvalid(s_axi_rvalid), .s_axi_rready(s_axi_rready), .s_axi_awaddr(s_axi_awaddr), .s_axi_awprot(3'd0),
        .s_axi_awvalid(s_axi_awvalid), .s_axi_awready(s_axi_awready), .s_axi_wdata(s_axi_wdata),
        .s_axi_wstrb(4'hF), .s_axi_wvalid(s_axi_wvalid), .s_axi_wready(s_axi_wready), .s_axi_bresp(s_axi_bresp),
        .s_axi_bvalid(s_axi_bvalid), .s_axi_bready(s_axi_bready),
`endif
        .interrupt(interrupt), .aclk(clk), .aresetn(resetn));

    // The end: everything has come, or nothing moves any more.
    localparam [31:0] RESET = 8, LINGER = 64;
    reg [31:0] over = 0;
    reg closing = 0;
    always @(posedge clk) begin
        cycle <= cycle + 1;
        if (cycle == RESET) resetn <= 1;
        moved_before <= moved;
        // while the host only asks again, nothing has moved
        quiet <= moved != moved_before ? 32'd0 : quiet + 1;
        if (host_done && whole) over <= over + 1;
        closing <= over == LINGER || quiet == patience;
        if (closing) verdict;
        else if (over == LINGER || quiet == patience) begin
`ifdef LICGATE_MEMORY
            memory.compare;
`else
            if (!whole)
                $display("of %0d inputs %0d were taken, of %0d results %0d came, of %0d patches %0d", `LICGATE_INPUTS,
                    sent, `LICGATE_OUTPUTS, taken, `LICGATE_PATCHES, asked);
`endif
            if (!host_done) $display("nothing moves for %0d cycles: the host is at line %0d", quiet, step);
        end
    end

    task verdict;
        if (failures == 0 && host_done && whole) begin
            $display("PASS: %0d cycles, %0d moved, %0d cycles of offers that waited", cycle, moved, waited);
            $finish;
        end else begin
            $display("FAIL: %0d differences", failures + (host_done && whole ? 32'd0 : 32'd1));
`ifdef __ICARUS__
            $finish_and_return(1);
`else
            $stop;
`endif
        end
    endtask
endmodule
