// Runs a model of licgate's EthernetAccelerator, or of its EthernetLink, with frames at the pins of its GMII: a record on
// standard input is two bytes of length, low byte first, and a frame with its FCS; it goes with preamble and 12 bytes of
// silence. Frames that the model sends come on standard output, FCS and all, as records of eight bytes of the cycle of
// their first byte, two bytes of length, and the frame. The model ends with its input.
//
// usage: gmii SYNC_KHZ PACED
//   SYNC_KHZ: the clock of the accelerator; that of the GMII runs at 125 MHz
//   PACED: 1 where the model waits for its input: a record of length 0, with four bytes behind, is for how many cycles
//   of the GMII to run then, and is answered by a record of length 0 with the number of cycles so far
// Not paced, it runs slowly while nothing comes and nothing goes, and tells of cycles of the accelerator on standard
// error, a number a line, once a second while there is traffic.

#include "model.cc"

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <memory>
#include <poll.h>
#include <unistd.h>
#include <vector>

namespace {

using Design = cxxrtl_design::p_top;
using Clock = std::chrono::steady_clock;

constexpr uint32_t GMII_KHZ = 125'000;
constexpr unsigned SILENCE = 12;
// Cycles of the GMII between two looks at the input.
constexpr unsigned GLANCE = 32;
constexpr size_t MOST_WAITING = 1 << 22;
constexpr uint64_t QUIET_CYCLES = 100'000;
constexpr auto QUIET = std::chrono::milliseconds(500);

bool put(const std::vector<uint8_t> &bytes) {
    for (size_t at = 0; at < bytes.size();) {
        const ssize_t written = write(STDOUT_FILENO, bytes.data() + at, bytes.size() - at);
        if (written <= 0) return false;
        at += size_t(written);
    }
    return true;
}

class Model {
    Design top;
    uint32_t sync_khz;
    uint64_t sync_phase = 0;
    std::deque<uint8_t> line;
    std::deque<unsigned> lengths;
    unsigned silent = SILENCE;
    std::vector<uint8_t> frame;
    uint64_t begun = 0;

    void drive() {
        const bool sends = !lengths.empty() && silent >= SILENCE;
        top.p_receive____valid.set<bool>(sends);
        top.p_receive____data.set<uint8_t>(sends ? line.front() : 0);
        if (!sends) { silent += silent < SILENCE; return; }
        line.pop_front();
        if (--lengths.front() == 0) { lengths.pop_front(); silent = 0; }
    }

    void sample() {
        if (top.p_transmit____valid.get<bool>()) {
            if (frame.empty()) begun = cycles;
            frame.push_back(top.p_transmit____data.get<uint8_t>());
            return;
        }
        if (frame.size() > 8) record(begun, frame.data() + 8, frame.size() - 8);
        frame.clear();
    }

public:
    uint64_t cycles = 0, sync_cycles = 0;
    std::vector<uint8_t> out;

    explicit Model(uint32_t sync_khz) : sync_khz(sync_khz) {}

    bool busy() const { return !lengths.empty() || !frame.empty(); }

    void record(uint64_t cycle, const uint8_t *bytes, size_t length) {
        for (int k = 0; k < 8; k++) out.push_back(uint8_t(cycle >> 8 * k));
        out.push_back(uint8_t(length));
        out.push_back(uint8_t(length >> 8));
        out.insert(out.end(), bytes, bytes + length);
    }

    // What nobody has time for is lost, as on a network.
    void send(const uint8_t *bytes, size_t length) {
        if (line.size() > MOST_WAITING) return;
        for (int k = 0; k < 7; k++) line.push_back(0x55);
        line.push_back(0xd5);
        line.insert(line.end(), bytes, bytes + length);
        lengths.push_back(unsigned(length) + 8);
    }

    // A cycle of the GMII, and those of the accelerator that begin in it.
    void run() {
        drive();
        top.p_eth__clk.set<bool>(false);
        top.step();
        sample();
        top.p_eth__clk.set<bool>(true);
        top.step();
        cycles++;
        for (sync_phase += sync_khz; sync_phase >= GMII_KHZ; sync_phase -= GMII_KHZ) {
            top.p_clk.set<bool>(false);
            top.step();
            top.p_clk.set<bool>(true);
            top.step();
            sync_cycles++;
        }
    }
};

// Standard input, record by record.
class Input {
    std::vector<uint8_t> bytes;
    size_t at = 0;

public:
    bool ended = false;

    void fill(int timeout) {
        pollfd input = {STDIN_FILENO, POLLIN, 0};
        if (poll(&input, 1, timeout) <= 0) return;
        bytes.erase(bytes.begin(), bytes.begin() + ptrdiff_t(at));
        at = 0;
        uint8_t more[1 << 16];
        const ssize_t count = read(STDIN_FILENO, more, sizeof more);
        if (count <= 0) ended = true;
        else bytes.insert(bytes.end(), more, more + count);
    }

    // Hand frames to the model; the cycles that a record asks for, or 0 once there is no whole record.
    uint32_t take(Model &model) {
        while (bytes.size() - at >= 2) {
            const size_t length = bytes[at] | bytes[at + 1] << 8;
            if (bytes.size() - at < 2 + (length ? length : 4)) break;
            const uint8_t *record = bytes.data() + at + 2;
            at += 2 + (length ? length : 4);
            if (!length) return uint32_t(record[0] | record[1] << 8 | record[2] << 16) | uint32_t(record[3]) << 24;
            model.send(record, length);
        }
        return 0;
    }
};

int paced(Model &model) {
    Input input;
    for (;;) {
        uint32_t cycles = input.take(model);
        if (!cycles) {
            if (input.ended) return 0;
            input.fill(-1);
            continue;
        }
        while (cycles--) model.run();
        model.record(model.cycles, nullptr, 0);
        if (!put(model.out)) return 0;
        model.out.clear();
    }
}

int free_running(Model &model) {
    Input input;
    uint64_t moved_at = 0;
    auto moved = Clock::now(), told = moved;
    for (;;) {
        const bool quiet = model.cycles - moved_at > QUIET_CYCLES && Clock::now() - moved > QUIET;
        input.fill(quiet ? 50 : 0);
        if (input.ended) return 0;
        input.take(model);
        for (unsigned k = 0; k < GLANCE; k++) model.run();
        if (model.busy() || !model.out.empty()) {
            moved = Clock::now();
            moved_at = model.cycles;
            if (moved - told > std::chrono::seconds(1)) {
                std::fprintf(stderr, "%llu\n", (unsigned long long)model.sync_cycles);
                told = moved;
            }
        }
        if (!put(model.out)) return 0;
        model.out.clear();
    }
}

}  // namespace

int main(int argc, char **argv) {
    if (argc != 3) { std::fprintf(stderr, "usage: gmii SYNC_KHZ PACED\n"); return 2; }
    auto model = std::make_unique<Model>(uint32_t(std::strtoul(argv[1], nullptr, 10)));
    return argv[2][0] == '1' ? paced(*model) : free_running(*model);
}
