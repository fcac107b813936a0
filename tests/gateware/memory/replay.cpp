// Replays recorded pins into sim/sdram.hpp: REPLAY TRACE, little-endian uint32: timing words, steps, then 10 pins a step,
// then pairs of address and value to read back. Prints what the chip drives, its counts, or the rule that was broken.
#include "sdram.hpp"

#include <cstdio>

int main(int argc, char **argv) {
    std::vector<uint32_t> words;
    std::FILE *file = argc == 2 ? std::fopen(argv[1], "rb") : nullptr;
    if (!file) return 2;
    for (uint32_t word; std::fread(&word, 4, 1, file) == 1;) words.push_back(word);
    std::fclose(file);
    const uint32_t *at = words.data();
    licgate::SdramChip chip(licgate::SdramChip::Timing::from(at));
    at += licgate::SdramChip::Timing::WORDS;
    const uint32_t steps = *at++, written = *at++;
    for (uint32_t n = 0; n < written; n++, at += 2) chip.contents[at[0]] = at[1];
    try {
        for (uint32_t n = 0; n < steps; n++, at += 10)
            std::printf("%u\n", unsigned(chip.step({at[0] != 0, at[1] != 0, at[2] != 0, at[3] != 0, at[4] != 0, uint8_t(at[5]),
                                                    uint16_t(at[6]), uint8_t(at[7]), uint16_t(at[8]), at[9] != 0})));
    } catch (const licgate::SdramError &error) {
        std::printf("%s\n", error.what());
        return 1;
    }
    const auto &counts = chip.counts;
    std::printf("%llu %llu %llu %llu %llu\n", (unsigned long long)counts.activations, (unsigned long long)counts.misses,
                (unsigned long long)counts.refreshes, (unsigned long long)counts.read_beats,
                (unsigned long long)counts.write_beats);
    for (uint32_t address = 0; address < 4096; address++) std::printf("%u\n", unsigned(chip.contents[address]));
}
