// Runs a model of licgate's UsbAccelerator with its lines D+ and D-, on which a host says what it drives, bit by bit.
//
// usage: wire IO SYNC BIT SKEW
//   IO, SYNC: half periods of the clocks usb_io and sync, in the same unit
//   BIT: how long a bit of the host takes, in 1/65536 of a cycle of usb_io; 262144 at the nominal rate
//   SKEW: 1 if D- changes a cycle of usb_io behind D+
//
// Standard input holds requests: how many bits to drive, and for how many bits to listen then (uint32 each, little
// endian), and a byte for each bit to drive: bit 0 D+, bit 1 D-. To each one standard output holds: for how many cycles
// of usb_io nothing came (uint32; all ones if nothing did), how many cycles it then took (uint32), and a byte for each of
// them, the same way, with bit 7 where the pull-up is off. It ends with its input.

#include "model.cc"

#include <cstdio>
#include <cstdlib>
#include <memory>
#include <vector>

namespace {

struct Wire {
    cxxrtl_design::p_top top;
    const uint64_t io_half, sync_half, bit;
    const bool skew;
    uint64_t io_next = 0, sync_next = 0, edges = 0;
    bool io = false, sync = false;
    uint8_t before = 1;

    Wire(uint64_t io, uint64_t sync, uint64_t bit, bool skew) : io_half(io), sync_half(sync), bit(bit), skew(skew) {}

    bool driven() { return top.p_oe.get<bool>(); }

    uint8_t seen() {
        if (driven()) return uint8_t(top.p_d__p__o.get<bool>() | top.p_d__n__o.get<bool>() << 1);
        return top.p_pullup.get<bool>() ? 1 : 0x80;
    }

    // A cycle of usb_io in which the host drives this.
    void cycle(uint8_t lines) {
        const uint8_t n = skew ? before : lines;
        before = lines;
        top.p_d__p__i.set<bool>(lines & 1);
        top.p_d__n__i.set<bool>(n >> 1 & 1);
        for (bool rose = false; !rose;) {
            const uint64_t now = io_next < sync_next ? io_next : sync_next;
            if (io_next == now) {
                io = !io;
                io_next += io_half;
                top.p_usb__io__clk.set<bool>(io);
                if (io && edges % 2 == 0) top.p_usb__clk.set<bool>(edges % 4 == 0);
                rose = io;
                edges += io;
            }
            if (sync_next == now) {
                sync = !sync;
                sync_next += sync_half;
                top.p_clk.set<bool>(sync);
            }
            top.step();
        }
    }
};

bool get(void *to, size_t size) { return std::fread(to, 1, size, stdin) == size; }

void put(const void *from, size_t size) { std::fwrite(from, 1, size, stdout); }

}  // namespace

int main(int argc, char **argv) {
    if (argc != 5) { std::fprintf(stderr, "usage: wire IO SYNC BIT SKEW\n"); return 2; }
    uint64_t numbers[4];
    for (int k = 0; k < 4; k++) numbers[k] = std::strtoull(argv[k + 1], nullptr, 10);
    auto wire = std::make_unique<Wire>(numbers[0], numbers[1], numbers[2], numbers[3] != 0);
    uint32_t request[2];
    while (get(request, sizeof request)) {
        std::vector<uint8_t> bits(request[0]), answer;
        if (!get(bits.data(), bits.size())) return 2;
        uint64_t at = 0, end = 0;
        for (uint8_t lines : bits)
            for (end += wire->bit; at < end; at += 65536) wire->cycle(lines);
        uint32_t silent = 0;
        const uint32_t longest = 4 * request[1];
        while (silent < longest && !wire->driven()) {
            silent++;
            wire->cycle(wire->seen());
        }
        if (silent == longest && !wire->driven()) silent = ~uint32_t(0);
        while (wire->driven() && answer.size() < 1 << 16) {
            answer.push_back(wire->seen());
            wire->cycle(wire->seen());
        }
        if (silent == ~uint32_t(0) && !wire->driven() && wire->seen() & 0x80) answer.push_back(0x80);
        const uint32_t size = uint32_t(answer.size());
        put(&silent, 4);
        put(&size, 4);
        put(answer.data(), size);
        std::fflush(stdout);
    }
}
