// Drives a CXXRTL model of licgate's SimulatedAccelerator, with the SDRAM chip of sdram.hpp at its pins.
//
// usage: streamed JOB RESULT [SEED] (both little-endian uint32, see licgate/sim/streamedrun.py)
// Progress goes to standard output, one number of cycles a line. A broken rule of the data sheet ends it with code 3.

#include "model.cc"
#include "chance.hpp"
#include "sdram.hpp"

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <vector>

namespace {

std::vector<uint32_t> load(const char *path) {
    std::vector<uint32_t> words;
    FILE *file = std::fopen(path, "rb");
    if (!file) return words;
    for (uint32_t word; std::fread(&word, sizeof word, 1, file) == 1;) words.push_back(word);
    std::fclose(file);
    return words;
}

}  // namespace

int main(int argc, char **argv) {
    if (argc != 3 && argc != 4) { std::fprintf(stderr, "usage: streamed JOB RESULT [SEED]\n"); return 2; }
    const std::vector<uint32_t> job = load(argv[1]);
    if (job.size() < licgate::SdramChip::Timing::WORDS + 7) { std::fprintf(stderr, "the job is too short\n"); return 2; }
    licgate::SdramChip chip(licgate::SdramChip::Timing::from(job.data()));
    const uint32_t *at = job.data() + licgate::SdramChip::Timing::WORDS;
    const uint32_t cores = *at++, counters = *at++, streams = *at++, begin = *at++, patience = *at++, first = *at++,
                   beats = *at++;
    const uint32_t *addresses = at;
    at += cores;
    for (uint32_t k = 0; k < beats; k++) chip.contents[first + k] = at[k];

    cxxrtl_design::p_top top;
    licgate::Chance chance(top, argc > 3 ? argv[3] : nullptr);
    uint64_t cycles = 0;
    uint16_t dq = 0xDEAD;
    for (uint32_t k = 0; k < cores; k++) top.p_addresses.data[k] = addresses[k];
    top.p_threshold.set<uint32_t>(patience);
    uint32_t hung = 0;  // a bit for each core
    auto shown = std::chrono::steady_clock::now();
    std::vector<uint64_t> done(cores, 0);
    try {
        for (;; cycles++) {
            if (chance.taken) top.p_clear.set<uint32_t>(cycles < licgate::RESET_CYCLES ? (1u << cores) - 1 : 0);
            top.p_start.set<uint32_t>(cycles == begin ? (1u << cores) - 1 : 0);
            top.p_pins____dq__i.set<uint16_t>(dq);
            top.p_clk.set<bool>(false);
            top.step();
            if (cycles > begin) {
                const uint32_t state = top.p_done.get<uint32_t>();
                for (uint32_t k = 0; k < cores; k++)
                    if (state >> k & 1 && !done[k]) done[k] = cycles;
                if (state == (1u << cores) - 1) break;
            }
            dq = chip.step({top.p_pins____cke.get<bool>(), top.p_pins____cs.get<bool>(), top.p_pins____ras.get<bool>(),
                            top.p_pins____cas.get<bool>(), top.p_pins____we.get<bool>(), top.p_pins____ba.get<uint8_t>(),
                            top.p_pins____a.get<uint16_t>(), top.p_pins____dqm.get<uint8_t>(),
                            top.p_pins____dq__o.get<uint16_t>(), top.p_pins____dq__oe.get<bool>()});
            top.p_clk.set<bool>(true);
            top.step();
            if ((cycles & 0x3fff) == 0) {
                hung = top.p_hung.get<uint32_t>();
                if (hung) break;
                const auto time = std::chrono::steady_clock::now();
                if (time - shown > std::chrono::seconds(1)) {
                    std::printf("%llu\n", (unsigned long long)cycles);
                    std::fflush(stdout);
                    shown = time;
                }
            }
        }
    } catch (const licgate::SdramError &error) {
        std::fprintf(stderr, "%s\n", error.what());
        return 3;
    }
    std::vector<uint32_t> result{hung, chance.clashes()};
    for (uint64_t cycle : done) result.push_back(uint32_t(cycle - begin));
    for (uint32_t k = 0; k < cores * counters; k++) result.push_back(top.p_counters.data[k]);
    for (uint32_t k = 0; k < streams; k++) result.push_back(top.p_streams.data[k]);
    for (uint64_t count : {chip.counts.activations, chip.counts.misses, chip.counts.refreshes, chip.counts.read_beats, chip.counts.write_beats}) {
        result.push_back(uint32_t(count));
        result.push_back(uint32_t(count >> 32));
    }
    for (uint32_t k = 0; k < beats; k++) result.push_back(chip.contents[first + k]);
    FILE *file = std::fopen(argv[2], "wb");
    if (!file || std::fwrite(result.data(), sizeof(uint32_t), result.size(), file) != result.size()) return 2;
    return std::fclose(file) ? 2 : 0;
}
