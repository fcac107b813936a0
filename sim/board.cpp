// Runs a model of licgate's EmulatedBoard: what a host sends comes on standard input, what the board sends goes to
// standard output, byte by byte, or bit by bit where the model has a UART's pins. It ends with its input.
//
// usage: board DIVISOR [TIMING ...]
//   DIVISOR: cycles of a bit, where there are pins; else 0
//   TIMING: words of licgate::SdramChip::Timing, where there is an SDRAM
// How many cycles it has run goes to standard error, a number a line, once a second while there is traffic. While nothing
// comes and nothing goes it runs slowly, so that a waiting board leaves its processor to others.

#include "model.cc"
#include "sdram.hpp"

#include <chrono>
#include <cstdlib>
#include <deque>
#include <memory>
#include <poll.h>
#include <type_traits>
#include <unistd.h>

namespace {

using Design = cxxrtl_design::p_top;
using Clock = std::chrono::steady_clock;

template<class Top, class = void> struct HasPins : std::false_type {};
template<class Top> struct HasPins<Top, std::void_t<decltype(std::declval<Top &>().p_rx)>> : std::true_type {};
template<class Top, class = void> struct HasChip : std::false_type {};
template<class Top> struct HasChip<Top, std::void_t<decltype(std::declval<Top &>().p_pins____a)>> : std::true_type {};

// Bytes between the host and the board.
struct Traffic {
    std::deque<uint8_t> in;
    std::vector<uint8_t> out;
};

// The streams of a LinkedAccelerator.
template<class Top, bool PINS>
struct Line {
    Traffic &traffic;
    bool offered = false;

    Line(Traffic &traffic, unsigned) : traffic(traffic) {}

    void drive(Top &top) {
        offered = !traffic.in.empty();
        top.p_i____valid.template set<bool>(offered);
        if (offered) top.p_i____payload.template set<uint8_t>(traffic.in.front());
        top.p_o____ready.template set<bool>(true);
    }

    void sample(Top &top) {
        if (offered && top.p_i____ready.template get<bool>()) traffic.in.pop_front();
        if (top.p_o____valid.template get<bool>()) traffic.out.push_back(top.p_o____payload.template get<uint8_t>());
    }
};

// The pins of a SerialAccelerator, 8N1.
template<class Top>
struct Line<Top, true> {
    Traffic &traffic;
    const unsigned divisor;
    unsigned sent = 0, seen = 0;  // cycles of the byte that goes, and of the one that comes; 0 between bytes
    unsigned going = 0, coming = 0;

    Line(Traffic &traffic, unsigned divisor) : traffic(traffic), divisor(divisor) {}

    void drive(Top &top) {
        if (!sent && !traffic.in.empty()) {
            going = traffic.in.front() << 1 | 1u << 9;
            traffic.in.pop_front();
            sent = 10 * divisor;
        }
        top.p_rx.template set<bool>(sent ? going >> (10 - (sent + divisor - 1) / divisor) & 1 : true);
        if (sent) sent--;
    }

    void sample(Top &top) {
        const bool tx = top.p_tx.template get<bool>();
        if (!seen && tx) return;
        if (seen % divisor == divisor / 2) coming |= unsigned(tx) << seen / divisor;
        // the middle of the stop bit: what follows may begin at once
        if (++seen <= 9 * divisor + divisor / 2) return;
        if (coming >> 9 & 1) traffic.out.push_back(uint8_t(coming >> 1));
        seen = coming = 0;
    }
};

template<class Top, bool CHIP>
struct Memory {
    explicit Memory(int, char **) {}
    void drive(Top &) {}
    void sample(Top &) {}
};

template<class Top>
struct Memory<Top, true> {
    std::unique_ptr<licgate::SdramChip> chip;
    uint16_t dq = 0xDEAD;

    Memory(int count, char **words) {
        uint32_t timing[licgate::SdramChip::Timing::WORDS] = {};
        for (int k = 0; k < count && k < licgate::SdramChip::Timing::WORDS; k++) timing[k] = std::strtoul(words[k], nullptr, 10);
        chip = std::make_unique<licgate::SdramChip>(licgate::SdramChip::Timing::from(timing));
    }

    void drive(Top &top) { top.p_pins____dq__i.template set<uint16_t>(dq); }

    void sample(Top &top) {
        dq = chip->step({top.p_pins____cke.template get<bool>(), top.p_pins____cs.template get<bool>(),
                         top.p_pins____ras.template get<bool>(), top.p_pins____cas.template get<bool>(),
                         top.p_pins____we.template get<bool>(), top.p_pins____ba.template get<uint8_t>(),
                         top.p_pins____a.template get<uint16_t>(), top.p_pins____dqm.template get<uint8_t>(),
                         top.p_pins____dq__o.template get<uint16_t>(), top.p_pins____dq__oe.template get<bool>()});
    }
};

bool put(const std::vector<uint8_t> &bytes) {
    for (size_t at = 0; at < bytes.size();) {
        const ssize_t written = write(STDOUT_FILENO, bytes.data() + at, bytes.size() - at);
        if (written <= 0) return false;
        at += size_t(written);
    }
    return true;
}

// Cycles between two looks at the input.
constexpr unsigned GLANCE = 32;
constexpr uint64_t QUIET_CYCLES = 100'000;
constexpr auto QUIET = std::chrono::milliseconds(500);

template<class Top>
int run(unsigned divisor, int words, char **timing) {
    auto top = std::make_unique<Top>();
    Traffic traffic;
    Line<Top, HasPins<Top>::value> line(traffic, divisor);
    Memory<Top, HasChip<Top>::value> memory(words, timing);
    uint64_t cycles = 0, moved_at = 0;
    auto moved = Clock::now(), told = moved;
    for (;;) {
        const bool quiet = cycles - moved_at > QUIET_CYCLES && Clock::now() - moved > QUIET;
        pollfd input = {STDIN_FILENO, POLLIN, 0};
        if (traffic.in.empty() && poll(&input, 1, quiet ? 50 : 0) > 0) {
            uint8_t bytes[4096];
            const ssize_t count = read(STDIN_FILENO, bytes, sizeof bytes);
            if (count <= 0) return 0;
            traffic.in.insert(traffic.in.end(), bytes, bytes + count);
        }
        const bool came = !traffic.in.empty();
        for (unsigned k = 0; k < GLANCE; k++) {
            line.drive(*top);
            memory.drive(*top);
            top->p_clk.template set<bool>(false);
            top->step();
            line.sample(*top);
            memory.sample(*top);
            top->p_clk.template set<bool>(true);
            top->step();
            cycles++;
        }
        if (came || !traffic.out.empty()) {
            moved = Clock::now();
            moved_at = cycles;
            if (moved - told > std::chrono::seconds(1)) {
                std::fprintf(stderr, "%llu\n", (unsigned long long)cycles);
                told = moved;
            }
        }
        if (!put(traffic.out)) return 0;
        traffic.out.clear();
    }
}

}  // namespace

int main(int argc, char **argv) {
    if (argc < 2) { std::fprintf(stderr, "usage: board DIVISOR [TIMING ...]\n"); return 2; }
    try {
        return run<Design>(unsigned(std::strtoul(argv[1], nullptr, 10)), argc - 2, argv + 2);
    } catch (const licgate::SdramError &error) {
        std::fprintf(stderr, "%s\n", error.what());
        return 3;
    }
}
