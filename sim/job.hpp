// What harnesses have in common: their two files, little-endian uint32, and the lines of how far they are.

#pragma once

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <vector>

namespace licgate {

inline std::vector<uint32_t> load(const char *path) {
    std::vector<uint32_t> words;
    FILE *file = std::fopen(path, "rb");
    if (!file) return words;
    for (uint32_t word; std::fread(&word, sizeof word, 1, file) == 1;) words.push_back(word);
    std::fclose(file);
    return words;
}

inline bool save(const char *path, const std::vector<uint32_t> &words) {
    FILE *file = std::fopen(path, "wb");
    if (!file) return false;
    const bool whole = std::fwrite(words.data(), sizeof(uint32_t), words.size(), file) == words.size();
    return !std::fclose(file) && whole;
}

// A number on a line of standard output, once a second.
class Progress {
    std::chrono::steady_clock::time_point shown = std::chrono::steady_clock::now();

public:
    void tell(uint64_t done) {
        const auto now = std::chrono::steady_clock::now();
        if (now - shown <= std::chrono::seconds(1)) return;
        std::printf("%llu\n", (unsigned long long)done);
        std::fflush(stdout);
        shown = now;
    }
};

// Cycles between two looks at the clock on the wall, less one.
constexpr uint64_t GLANCE = 0x3fff;

}  // namespace licgate
