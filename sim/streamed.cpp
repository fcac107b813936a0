// Drives a model of licgate's SimulatedAccelerator, with the SDRAM chip of sdram.hpp at its pins.
//
// usage: streamed JOB RESULT [SEED] (both little-endian uint32, see licgate/sim/streamedrun.py)
// Progress goes to standard output, one number of cycles a line. A broken rule of the data sheet ends it with code 3.

#include "model.cc"
#include "run.hpp"
#include "sdram.hpp"

namespace {

using Design = cxxrtl_design::p_top;

struct Pins {
    licgate::SdramChip chip;
    uint16_t dq = 0xDEAD;

    void drive(Design &top) { top.p_pins____dq__i.set<uint16_t>(dq); }

    void step(Design &top) {
        dq = chip.step({top.p_pins____cke.get<bool>(), top.p_pins____cs.get<bool>(), top.p_pins____ras.get<bool>(),
                        top.p_pins____cas.get<bool>(), top.p_pins____we.get<bool>(), top.p_pins____ba.get<uint8_t>(),
                        top.p_pins____a.get<uint16_t>(), top.p_pins____dqm.get<uint8_t>(),
                        top.p_pins____dq__o.get<uint16_t>(), top.p_pins____dq__oe.get<bool>()});
    }
};

}  // namespace

int main(int argc, char **argv) {
    if (argc != 3 && argc != 4) { std::fprintf(stderr, "usage: streamed JOB RESULT [SEED]\n"); return 2; }
    const std::vector<uint32_t> job = licgate::load(argv[1]);
    if (job.size() < licgate::SdramChip::Timing::WORDS + 7) { std::fprintf(stderr, "the job is too short\n"); return 2; }
    Pins pins{licgate::SdramChip(licgate::SdramChip::Timing::from(job.data()))};
    licgate::SdramChip &chip = pins.chip;
    const uint32_t *at = job.data() + licgate::SdramChip::Timing::WORDS;
    const uint32_t cores = *at++, counters = *at++, streams = *at++, begin = *at++, patience = *at++, first = *at++,
                   beats = *at++;
    const uint32_t *addresses = at;
    at += cores;
    for (uint32_t k = 0; k < beats; k++) chip.contents[first + k] = at[k];

    Design top;
    licgate::Chance chance(top, argc > 3 ? argv[3] : nullptr);
    for (uint32_t k = 0; k < cores; k++) top.p_addresses.data[k] = addresses[k];
    top.p_threshold.set<uint32_t>(patience);
    try {
        const licgate::Run run(top, chance, pins, cores, begin);
        std::vector<uint32_t> result{run.hung, chance.clashes()};
        for (uint64_t cycles : run.done) result.push_back(uint32_t(cycles));
        for (uint32_t k = 0; k < cores * counters; k++) result.push_back(licgate::word(top.p_counters, k));
        for (uint32_t k = 0; k < streams; k++) result.push_back(licgate::word(top.p_streams, k));
        const auto &counts = chip.counts;
        for (uint64_t count : {counts.activations, counts.misses, counts.refreshes, counts.read_beats, counts.write_beats})
            licgate::append(result, count);
        for (uint32_t k = 0; k < beats; k++) result.push_back(chip.contents[first + k]);
        return licgate::save(argv[2], result) ? 0 : 2;
    } catch (const licgate::SdramError &error) {
        std::fprintf(stderr, "%s\n", error.what());
        return 3;
    }
}
