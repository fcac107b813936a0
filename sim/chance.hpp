// What hardware leaves open, at random: the first values of registers and memories that the design calls RANDOM with
// their attribute `start`, and by the noise among these what is read while it is written. See licgate/sim/chance.py.
// Without LICGATE_CHANCE a model knows nothing of it, and all is as it was designed.

#ifndef LICGATE_CHANCE_HPP
#define LICGATE_CHANCE_HPP

#include <cstdint>
#include <cstdlib>

namespace licgate {

// Cycles that a reset takes, as of the gateware's run control: what registers without one hold then comes from others.
constexpr uint32_t RESET_CYCLES = 256;

#ifdef LICGATE_CHANCE

class Chance {
    cxxrtl::debug_items items;
    uint32_t before = 0;

    uint32_t counted() {
        uint32_t sum = 0;
        for (auto &[name, parts] : items.table)
            if (items.attrs(name).count("clashes"))
                for (auto &part : parts)
                    if (part.curr && part.flags & cxxrtl::debug_item::DRIVEN_SYNC) sum += part.curr[0];
        return sum;
    }

public:
    // There is a seed. A host resets an accelerator before it starts it, and harnesses do so then.
    const bool taken;

    // Seeds by their text; none leaves what starts at random as it is.
    template<class Design>
    Chance(Design &top, const char *seed) : taken(seed) {
        top.debug_info(&items, nullptr, "");
        if (!seed) return;
        uint64_t state = std::strtoull(seed, nullptr, 10);
        for (auto &[name, parts] : items.table) {
            const auto &attributes = items.attrs(name);
            const auto start = attributes.find("start");
            if (start == attributes.end() || start->second.string_value != "RANDOM") continue;
            for (auto &part : parts) {
                if (!part.curr || !(part.type == cxxrtl::debug_item::MEMORY || part.flags & cxxrtl::debug_item::DRIVEN_SYNC)) continue;
                const size_t chunks = (part.width + 31) / 32;
                for (size_t at = 0; at < chunks * part.depth; at++) {
                    // SplitMix64
                    uint64_t drawn = state += 0x9e3779b97f4a7c15;
                    drawn = (drawn ^ drawn >> 30) * 0xbf58476d1ce4e5b9;
                    drawn = (drawn ^ drawn >> 27) * 0x94d049bb133111eb;
                    const size_t left = part.width - 32 * (at % chunks);
                    part.curr[at] = uint32_t((drawn ^ drawn >> 31) >> 32) & (left < 32 ? (1u << left) - 1 : ~0u);
                    if (part.next) part.next[at] = part.curr[at];
                }
            }
        }
    }

    // The reset is over, and with it what hangs on the seed.
    void begin() { before = counted(); }

    // Reads of words that were written at the same time, since then.
    uint32_t clashes() { return counted() - before; }
};

#else

class Chance {
public:
    static constexpr bool taken = false;

    template<class Design>
    Chance(Design &, const char *) {}

    void begin() {}
    uint32_t clashes() { return 0; }
};

#endif

}  // namespace licgate

#endif
