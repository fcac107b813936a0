// A memory behind AXI4 of a latency and a rate: what licgate.gateware.memory.axitiming.AxiTiming says, cycle by cycle,
// and the rules of AXI4 that a master of whole incrementing bursts has to keep. The same memory as
// tests/gateware/memory/axipaced.py, for harnesses.
//
//     licgate::AxiMemory memory(licgate::AxiMemory::Timing::from(words), first, beats);   // AxiTiming.words() in Python
//     memory.contents[k] = value;                                  // beat first + k; before, or read it afterwards
//     every cycle: drive the master with memory.out, settle, and before the rising edge:
//         memory.step({ar_valid, ar_addr, ...});
//
// A breach throws licgate::AxiError, "cycle N: RULE", cycles counted from 0 at the first step.

#pragma once

#include <cstdint>
#include <cstdio>
#include <deque>
#include <stdexcept>
#include <string>
#include <vector>

namespace licgate {

struct AxiError : std::runtime_error {
    using std::runtime_error::runtime_error;
};

class AxiMemory {
public:
    struct Timing {
        uint32_t data_bits, read_latency, write_latency, beats, per;
        static constexpr int WORDS = 5;

        static Timing from(const uint32_t *w) { return {w[0], w[1], w[2], w[3], w[4]}; }

        uint64_t pace(uint64_t beat) const { return (beat * per + beats - 1) / beats; }
    };

    // What the master drives. Addresses are bytes, lengths beats less one.
    struct In {
        bool ar_valid;
        uint64_t ar_addr;
        uint8_t ar_len, ar_size, ar_burst;
        bool r_ready, aw_valid;
        uint64_t aw_addr;
        uint8_t aw_len, aw_size, aw_burst;
        bool w_valid;
        uint64_t w_data;
        uint8_t w_strb;
        bool w_last, b_ready;
    };

    // What it sees; addresses are always taken.
    struct Out {
        bool r_valid = false, r_last = false, w_ready = true, b_valid = false;
        uint64_t r_data = 0;
    };

    struct Counts {
        uint64_t reads = 0, writes = 0, read_beats = 0, write_beats = 0;
    };

    std::vector<uint64_t> contents;
    Counts counts;
    Out out;

    AxiMemory(const Timing &timing, uint64_t first, uint64_t beats) : contents(beats), timing(timing), first(first) {}

    void step(const In &in) {
        if (out.r_valid && in.r_ready) {
            if (read_beat == 0) read_begun = now;
            read_beat++;
            read_next = read_begun + timing.pace(read_beat);
            out.r_valid = false;
            counts.read_beats++;
            if (read_beat == reads.front().beats) {
                reads.pop_front();
                read_beat = 0;
            }
        }
        if (out.b_valid && in.b_ready) answers.pop_front();
        if (in.ar_valid) {
            reads.push_back(burst("ar", in.ar_addr, in.ar_len, in.ar_size, in.ar_burst, now + timing.read_latency));
            counts.reads++;
        }
        if (in.aw_valid) {
            writes.push_back(burst("aw", in.aw_addr, in.aw_len, in.aw_size, in.aw_burst, 0));
            counts.writes++;
        }
        if (in.w_valid && out.w_ready) take(in);

        now++;
        if (!out.r_valid && !reads.empty() && reads.front().due <= now && read_next <= now) {
            out.r_valid = true;
            out.r_data = contents[reads.front().place + read_beat];
            out.r_last = read_beat + 1 == reads.front().beats;
        }
        out.b_valid = !answers.empty() && answers.front() <= now;
        out.w_ready = write_next <= now;
    }

private:
    struct Burst {
        uint64_t place, beats, due;
    };

    Timing timing;
    uint64_t first, now = 0;
    std::deque<Burst> reads, writes;
    std::deque<uint64_t> answers;
    uint64_t read_beat = 0, read_begun = 0, read_next = 0, write_beat = 0, write_begun = 0, write_next = 0;

    [[noreturn]] void fail(const std::string &rule) const {
        throw AxiError("cycle " + std::to_string(now) + ": " + rule);
    }

    Burst burst(const char *kind, uint64_t address, uint8_t len, uint8_t size, uint8_t type, uint64_t due) const {
        const uint64_t bytes = timing.data_bits / 8, beats = uint64_t(len) + 1, end = address + beats * bytes;
        char place[64];
        std::snprintf(place, sizeof place, "%llu beats from %#llx", (unsigned long long)beats, (unsigned long long)address);
        if (type != 1 || uint64_t(1) << size != bytes) fail(std::string(kind) + ": not an incrementing burst of whole beats");
        if (address % bytes) fail(std::string(kind) + ": " + place + " are not aligned");
        if (address / 4096 != (end - 1) / 4096) fail(std::string(kind) + ": " + place + " cross 4 KB");
        // what is read beyond the last command is given away
        if (address / bytes < first || (end / bytes > first + contents.size()))
            fail(std::string(kind) + ": " + place + " lie outside of the memory");
        return {address / bytes - first, beats, due};
    }

    void take(const In &in) {
        if (writes.empty()) fail("w: a beat comes before its address");
        if (in.w_strb != (1u << timing.data_bits / 8) - 1) fail("w: a byte is masked");
        if (write_beat == 0) write_begun = now;
        contents[writes.front().place + write_beat] = in.w_data;
        write_beat++;
        counts.write_beats++;
        write_next = write_begun + timing.pace(write_beat);
        if (in.w_last != (write_beat == writes.front().beats)) fail("w: the last beat is not where it belongs");
        if (in.w_last) {
            writes.pop_front();
            answers.push_back(now + timing.write_latency);
            write_beat = 0;
        }
    }
};

}  // namespace licgate
