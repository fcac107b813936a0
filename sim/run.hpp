// The run of streamed cores, whatever memory is at their pins: from the start of all to the end of the last one, or of
// the patience of a watchdog.

#pragma once

#include "chance.hpp"
#include "job.hpp"

#include <cstdint>
#include <vector>

namespace licgate {

// A word of an output. CXXRTL keeps one that comes straight from a register as that register.
template<class Port>
auto word(Port &port, size_t k) -> decltype(uint32_t(port.data[k])) {
    return port.data[k];
}

template<class Port>
auto word(Port &port, size_t k) -> decltype(uint32_t(port.curr.data[k])) {
    return port.curr.data[k];
}

struct Run {
    uint32_t hung = 0;           // a bit for each core
    std::vector<uint64_t> done;  // cycles from the start, for each core

    // Begins at a cycle. Memory has drive(top) and, with outputs settled and before the rising edge, step(top); what it
    // throws ends the run.
    template<class Design, class Memory>
    Run(Design &top, Chance &chance, Memory &memory, uint32_t cores, uint64_t begin) : done(cores, 0) {
        const uint32_t all = (1u << cores) - 1;
        Progress progress;
        for (uint64_t cycles = 0;; cycles++) {
            if (chance.taken) top.p_clear.template set<uint32_t>(cycles < RESET_CYCLES ? all : 0);
            if (cycles == begin) chance.begin();
            top.p_start.template set<uint32_t>(cycles == begin ? all : 0);
            memory.drive(top);
            top.p_clk.template set<bool>(false);
            top.step();
            if (cycles > begin) {
                const uint32_t state = top.p_done.template get<uint32_t>();
                for (uint32_t k = 0; k < cores; k++)
                    if (state >> k & 1 && !done[k]) done[k] = cycles - begin;
                if (state == all) break;
            }
            // before the edge: behind it, what a register shows at a port of CXXRTL's is a cycle old
            if ((cycles & GLANCE) == 0) {
                hung = top.p_hung.template get<uint32_t>();
                if (hung) break;
                progress.tell(cycles);
            }
            memory.step(top);
            top.p_clk.template set<bool>(true);
            top.step();
        }
    }
};

// 64 bits as two words of a result.
inline void append(std::vector<uint32_t> &result, uint64_t value) {
    result.push_back(uint32_t(value));
    result.push_back(uint32_t(value >> 32));
}

}  // namespace licgate
