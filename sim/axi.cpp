// Drives a CXXRTL model of licgate's SimulatedAxi, with the memory of axi.hpp at its bus.
//
// usage: axi JOB RESULT [SEED] (both little-endian uint32, see licgate/sim/axi.py)
// Progress goes to standard output, one number of cycles a line. A broken rule of AXI4 ends it with code 3.

#include "model.cc"
#include "chance.hpp"
#include "axi.hpp"

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

// Beyond the last command there is more that is read ahead and dropped.
constexpr uint64_t AHEAD = 4096;

}  // namespace

int main(int argc, char **argv) {
    if (argc != 3 && argc != 4) { std::fprintf(stderr, "usage: axi JOB RESULT [SEED]\n"); return 2; }
    const std::vector<uint32_t> job = load(argv[1]);
    if (job.size() < licgate::AxiMemory::Timing::WORDS + 7) { std::fprintf(stderr, "the job is too short\n"); return 2; }
    const uint32_t *at = job.data();
    const auto timing = licgate::AxiMemory::Timing::from(at);
    at += licgate::AxiMemory::Timing::WORDS;
    const uint32_t counters = *at++, streams = *at++, first_cycle = *at++, patience = *at++, address = *at++, first = *at++,
                   beats = *at++;
    licgate::AxiMemory memory(timing, first, beats + AHEAD);
    for (uint32_t k = 0; k < beats; k++) memory.contents[k] = at[2 * k] | uint64_t(at[2 * k + 1]) << 32;

    cxxrtl_design::p_top top;
    licgate::Chance chance(top, argc > 3 ? argv[3] : nullptr);
    uint64_t cycles = 0;
    // A reset reaches the units late, and a start that comes with its end is none to them.
    const uint64_t begin = first_cycle + (chance.taken ? 2 * licgate::RESET_CYCLES : 0);
    top.p_address.set<uint32_t>(address);
    top.p_threshold.set<uint32_t>(patience);
    top.p_ar__ready.set<bool>(true);
    top.p_aw__ready.set<bool>(true);
    uint32_t hung = 0;
    auto shown = std::chrono::steady_clock::now();
    try {
        for (;; cycles++) {
            if (chance.taken) top.p_clear.set<bool>(cycles < licgate::RESET_CYCLES);
            top.p_start.set<bool>(cycles == begin);
            top.p_r__valid.set<bool>(memory.out.r_valid);
            top.p_r__data.set<uint64_t>(memory.out.r_data);
            top.p_r__last.set<bool>(memory.out.r_last);
            top.p_w__ready.set<bool>(memory.out.w_ready);
            top.p_b__valid.set<bool>(memory.out.b_valid);
            top.p_clk.set<bool>(false);
            top.step();
            if (cycles > begin && top.p_done.get<bool>()) break;
            memory.step({top.p_ar__valid.get<bool>(), top.p_ar__addr.get<uint64_t>(), top.p_ar__len.get<uint8_t>(),
                         top.p_ar__size.get<uint8_t>(), top.p_ar__burst.get<uint8_t>(), top.p_r__ready.get<bool>(),
                         top.p_aw__valid.get<bool>(), top.p_aw__addr.get<uint64_t>(), top.p_aw__len.get<uint8_t>(),
                         top.p_aw__size.get<uint8_t>(), top.p_aw__burst.get<uint8_t>(), top.p_w__valid.get<bool>(),
                         top.p_w__data.get<uint64_t>(), top.p_w__strb.get<uint8_t>(), top.p_w__last.get<bool>(),
                         top.p_b__ready.get<bool>()});
            top.p_clk.set<bool>(true);
            top.step();
            if ((cycles & 0x3fff) == 0) {
                hung = top.p_hung.get<bool>();
                if (hung) break;
                const auto time = std::chrono::steady_clock::now();
                if (time - shown > std::chrono::seconds(1)) {
                    std::printf("%llu\n", (unsigned long long)cycles);
                    std::fflush(stdout);
                    shown = time;
                }
            }
        }
    } catch (const licgate::AxiError &error) {
        std::fprintf(stderr, "%s\n", error.what());
        return 3;
    }
    std::vector<uint32_t> result{hung, chance.clashes(), uint32_t(cycles - begin)};
    for (uint32_t k = 0; k < counters; k++) result.push_back(top.p_counters.data[k]);
    for (uint32_t k = 0; k < streams; k++) result.push_back(top.p_streams.data[k]);
    const auto &counts = memory.counts;
    std::vector<uint64_t> wide{counts.reads, counts.writes, counts.read_beats, counts.write_beats};
    wide.insert(wide.end(), memory.contents.begin(), memory.contents.begin() + beats);
    for (uint64_t word : wide) {
        result.push_back(uint32_t(word));
        result.push_back(uint32_t(word >> 32));
    }
    FILE *file = std::fopen(argv[2], "wb");
    if (!file || std::fwrite(result.data(), sizeof(uint32_t), result.size(), file) != result.size()) return 2;
    return std::fclose(file) ? 2 : 0;
}
