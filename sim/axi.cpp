// Drives a model of licgate's SimulatedAxi, with the memory of axi.hpp at its bus.
//
// usage: axi JOB RESULT [SEED] (both little-endian uint32, see licgate/sim/streamedaxi.py)
// Progress goes to standard output, one number of cycles a line. A broken rule of AXI4 ends it with code 3.

#include "model.cc"
#include "run.hpp"
#include "axi.hpp"

namespace {

using Design = cxxrtl_design::p_top;

// Beyond the last command there is more that is read ahead and dropped.
constexpr uint64_t AHEAD = 4096;

struct Bus {
    licgate::AxiMemory memory;

    void drive(Design &top) {
        top.p_r__valid.set<bool>(memory.out.r_valid);
        top.p_r__data.set<uint64_t>(memory.out.r_data);
        top.p_r__last.set<bool>(memory.out.r_last);
        top.p_w__ready.set<bool>(memory.out.w_ready);
        top.p_b__valid.set<bool>(memory.out.b_valid);
    }

    void step(Design &top) {
        memory.step({top.p_ar__valid.get<bool>(), top.p_ar__addr.get<uint64_t>(), top.p_ar__len.get<uint8_t>(),
                     top.p_ar__size.get<uint8_t>(), top.p_ar__burst.get<uint8_t>(), top.p_r__ready.get<bool>(),
                     top.p_aw__valid.get<bool>(), top.p_aw__addr.get<uint64_t>(), top.p_aw__len.get<uint8_t>(),
                     top.p_aw__size.get<uint8_t>(), top.p_aw__burst.get<uint8_t>(), top.p_w__valid.get<bool>(),
                     top.p_w__data.get<uint64_t>(), top.p_w__strb.get<uint8_t>(), top.p_w__last.get<bool>(),
                     top.p_b__ready.get<bool>()});
    }
};

}  // namespace

int main(int argc, char **argv) {
    if (argc != 3 && argc != 4) { std::fprintf(stderr, "usage: axi JOB RESULT [SEED]\n"); return 2; }
    const std::vector<uint32_t> job = licgate::load(argv[1]);
    if (job.size() < licgate::AxiMemory::Timing::WORDS + 7) { std::fprintf(stderr, "the job is too short\n"); return 2; }
    const uint32_t *at = job.data();
    const auto timing = licgate::AxiMemory::Timing::from(at);
    at += licgate::AxiMemory::Timing::WORDS;
    const uint32_t counters = *at++, streams = *at++, first_cycle = *at++, patience = *at++, address = *at++, first = *at++,
                   beats = *at++;
    Bus bus{licgate::AxiMemory(timing, first, beats + AHEAD)};
    licgate::AxiMemory &memory = bus.memory;
    for (uint32_t k = 0; k < beats; k++) memory.contents[k] = at[2 * k] | uint64_t(at[2 * k + 1]) << 32;

    Design top;
    licgate::Chance chance(top, argc > 3 ? argv[3] : nullptr);
    top.p_address.set<uint32_t>(address);
    top.p_threshold.set<uint32_t>(patience);
    top.p_ar__ready.set<bool>(true);
    top.p_aw__ready.set<bool>(true);
    try {
        // A reset reaches the units late, and a start that comes with its end is none to them.
        const uint64_t begin = first_cycle + (chance.taken ? 2 * licgate::RESET_CYCLES : 0);
        const licgate::Run run(top, chance, bus, 1, begin);
        std::vector<uint32_t> result{run.hung, chance.clashes(), uint32_t(run.done[0])};
        for (uint32_t k = 0; k < counters; k++) result.push_back(licgate::word(top.p_counters, k));
        for (uint32_t k = 0; k < streams; k++) result.push_back(licgate::word(top.p_streams, k));
        const auto &counts = memory.counts;
        for (uint64_t count : {counts.reads, counts.writes, counts.read_beats, counts.write_beats})
            licgate::append(result, count);
        for (uint32_t k = 0; k < beats; k++) licgate::append(result, memory.contents[k]);
        return licgate::save(argv[2], result) ? 0 : 2;
    } catch (const licgate::AxiError &error) {
        std::fprintf(stderr, "%s\n", error.what());
        return 3;
    }
}
