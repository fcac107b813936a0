// Drives a Verilator model of an NNgen accelerator: a memory behind its AXI port, a start by its AXI-lite port.
//
// usage: harness MEMORY RESULT DELAY RUN PAUSE
// MEMORY is the memory's content, which the run changes; RESULT gets it back. A burst begins DELAY cycles after its
// address; after RUN cycles the memory pauses for PAUSE, as that of NNgen's own test benches does (10, 16, 4).
// On standard output: cycles from the write of `start` to the first read of `busy` that gives 0.

#include "Vnngen_layer.h"
#include "verilated.h"

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

namespace {

constexpr uint32_t START = 4 * 4, BUSY = 5 * 4;
constexpr uint64_t LIMIT = 20000000;

// a port of up to 64 bits is an integer, a wider one an array of words
inline uint32_t word_of(const IData &port, size_t) { return port; }
inline void set_word(IData &port, size_t, uint32_t word) { port = word; }
template<size_t WORDS> uint32_t word_of(const VlWide<WORDS> &port, size_t at) { return port[at]; }
template<size_t WORDS> void set_word(VlWide<WORDS> &port, size_t at, uint32_t word) { port[at] = word; }

struct Burst { uint32_t address = 0, left = 0; uint64_t from = 0; };

struct Bench {
    Vnngen_layer top;
    std::vector<uint8_t> memory;
    Burst read, write;
    bool answer = false;  // a write response is due
    uint64_t cycle = 0, delay = 0, run = 0, pause = 0, moved = 0;

    uint8_t &byte(uint32_t address) {
        if (address >= memory.size()) { std::fprintf(stderr, "address %u lies outside\n", address); std::exit(1); }
        return memory[address];
    }

    void clock() {
        constexpr size_t bytes = sizeof(top.maxi_rdata);
        const bool awake = !pause || cycle % (run + pause) < run;
        const bool reads = read.left && cycle >= read.from && awake;
        if (reads)
            for (size_t i = 0; i < bytes; i += 4) {
                uint32_t word = 0;
                for (size_t j = 0; j < 4; j++) word |= uint32_t(byte(read.address + i + j)) << 8 * j;
                set_word(top.maxi_rdata, i / 4, word);
            }
        top.maxi_rvalid = reads;
        top.maxi_rlast = read.left == 1;
        top.maxi_arready = !read.left;
        const bool takes = write.left && cycle >= write.from && awake;
        top.maxi_wready = takes;
        top.maxi_awready = !write.left && !answer;
        top.maxi_bvalid = answer;
        top.CLK = false;
        top.eval();
        const bool ar = top.maxi_arvalid && !read.left, aw = top.maxi_awvalid && !write.left && !answer;
        if (reads && top.maxi_rready) { read.address += bytes; read.left--; moved++; }
        if (answer && top.maxi_bready) answer = false;
        if (takes && top.maxi_wvalid) {
            const uint32_t strobe = top.maxi_wstrb;
            for (size_t i = 0; i < bytes; i++)
                if (strobe >> i & 1) byte(write.address + i) = word_of(top.maxi_wdata, i / 4) >> 8 * (i % 4);
            write.address += bytes;
            moved++;
            answer = !--write.left;
        }
        if (ar) read = {top.maxi_araddr, top.maxi_arlen + 1u, cycle + 1 + delay};
        if (aw) write = {top.maxi_awaddr, top.maxi_awlen + 1u, cycle + 1 + delay};
        top.CLK = true;
        top.eval();
        if (++cycle > LIMIT) { std::fprintf(stderr, "no end after %llu cycles\n", (unsigned long long)LIMIT); std::exit(1); }
    }

    // One cycle in which a handshake of the register port is looked at before the edge.
    template<class Ready> void until(const Ready &ready) {
        for (;;) {
            top.CLK = false;
            top.eval();
            const bool done = ready;
            clock();
            if (done) return;
        }
    }

    void set(uint32_t address, uint32_t value) {
        top.saxi_awaddr = address;
        top.saxi_awvalid = true;
        until(top.saxi_awready);
        top.saxi_awvalid = false;
        top.saxi_wdata = value;
        top.saxi_wstrb = 15;
        top.saxi_wvalid = true;
        until(top.saxi_wready);
        top.saxi_wvalid = false;
        top.saxi_bready = true;
        until(top.saxi_bvalid);
        top.saxi_bready = false;
    }

    uint32_t ask(uint32_t address) {
        top.saxi_araddr = address;
        top.saxi_arvalid = true;
        until(top.saxi_arready);
        top.saxi_arvalid = false;
        top.saxi_rready = true;
        for (;;) {
            top.CLK = false;
            top.eval();
            const bool done = top.saxi_rvalid;
            const uint32_t value = top.saxi_rdata;
            clock();
            if (done) { top.saxi_rready = false; return value; }
        }
    }
};

}  // namespace

int main(int argc, char **argv) {
    if (argc != 6) { std::fprintf(stderr, "usage: harness MEMORY RESULT DELAY RUN PAUSE\n"); return 2; }
    Bench bench;
    FILE *file = std::fopen(argv[1], "rb");
    if (!file) { std::fprintf(stderr, "cannot read %s\n", argv[1]); return 2; }
    for (int byte; (byte = std::fgetc(file)) != EOF;) bench.memory.push_back(byte);
    std::fclose(file);
    bench.delay = std::strtoull(argv[3], nullptr, 10);
    bench.run = std::strtoull(argv[4], nullptr, 10);
    bench.pause = std::strtoull(argv[5], nullptr, 10);
    bench.top.RESETN = false;
    for (int i = 0; i < 32; i++) bench.clock();
    bench.top.RESETN = true;
    for (int i = 0; i < 32; i++) bench.clock();
    bench.moved = 0;
    const uint64_t start = bench.cycle;
    bench.set(START, 1);
    while (bench.ask(START)) {}
    while (bench.ask(BUSY)) {}
    std::printf("%llu %llu\n", (unsigned long long)(bench.cycle - start), (unsigned long long)bench.moved);
    file = std::fopen(argv[2], "wb");
    if (!file) { std::fprintf(stderr, "cannot write %s\n", argv[2]); return 2; }
    std::fwrite(bench.memory.data(), 1, bench.memory.size(), file);
    return std::fclose(file) ? 1 : 0;
}
