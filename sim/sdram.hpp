// The SDR SDRAM chip of 4 banks, 8192 rows, 512 columns and 16 bits: stores what it is told, and holds its controller to
// the data sheet. The same chip as tests/gateware/memory/chip.py, to the message, for harnesses.
//
//     licgate::SdramChip chip(licgate::SdramChip::Timing::from(words));   // SdramTiming.words(clock_mhz) in Python
//     chip.contents[address] = value;                                     // before, or read it afterwards
//     every cycle, with the outputs settled and before the rising edge:
//         uint16_t dq = chip.step({cke, cs, ras, cas, we, ba, a, dqm, dq_o, dq_oe});
//     and right after the edge: set dq_i to dq.
//
// A breach throws licgate::SdramError, "cycle N: RULE: ...", cycles counted from 0 at the first step.

#pragma once

#include <cstdint>
#include <cstdio>
#include <stdexcept>
#include <string>
#include <vector>

namespace licgate {

struct SdramError : std::runtime_error {
    using std::runtime_error::runtime_error;
};

class SdramChip {
public:
    // Picoseconds and kHz, in the order of SdramTiming.words.
    struct Timing {
        uint32_t clock_khz, rcd, rp, ras, rc, rfc, rrd, wr, cl2_khz, cl3_khz, wr_cycles, mrd_cycles, refresh, ras_max, power_up;
        static constexpr int WORDS = 15;

        static Timing from(const uint32_t *w) {
            return {w[0], w[1], w[2], w[3], w[4], w[5], w[6], w[7], w[8], w[9], w[10], w[11], w[12], w[13], w[14]};
        }
    };

    // All active high; dq_oe while the controller drives dq.
    struct Pins {
        bool cke, cs, ras, cas, we;
        uint8_t ba;
        uint16_t a;
        uint8_t dqm;
        uint16_t dq_o;
        bool dq_oe;
    };

    // misses: activations of another row than the bank had open last.
    struct Counts {
        uint64_t activations = 0, misses = 0, refreshes = 0, read_beats = 0, write_beats = 0;
    };

    std::vector<uint16_t> contents = std::vector<uint16_t>(1 << 24);
    Counts counts;

    explicit SdramChip(const Timing &timing) : timing(timing), period(1e9 / timing.clock_khz) {}

    uint16_t step(const Pins &pins) {
        now++;
        masks[now & 3] = pins.dqm;
        const int command = pins.cs ? pins.ras << 2 | pins.cas << 1 | pins.we : 0;
        if (command) {
            if (!pins.cke) fail("CKE", "a command while the clock is disabled");
            if (now * period < timing.power_up - 1.0) fail("power-up", "a command too early");
            apart("tRFC", refreshed, timing.rfc);
            apart("tMRD", mode_set, 0, timing.mrd_cycles);
        }
        switch (command) {
            case 0b000: break;
            case 0b100: activate(pins.ba, pins.a); break;
            case 0b010: case 0b011: column(pins.we, pins.ba, pins.a); break;
            case 0b101: precharge(pins.a >> 10 & 1 ? 0 : pins.ba, pins.a >> 10 & 1 ? 4 : pins.ba + 1); break;
            case 0b110: refresh(); break;
            case 0b111: set_mode(pins.ba, pins.a); break;
            default: fail("command", "is not used here");
        }
        if (cas && (now - mode_set) * period / timing.refresh - counts.refreshes > 9.01)
            fail("refresh", std::to_string(counts.refreshes) + " refreshes are too few");
        if (pins.dq_oe && (coming[now & 7].edge == now || coming[(now - 1) & 7].edge == now - 1))
            fail("contention", "the controller drives the data pins less than a cycle after the chip");
        if (bursting) access(pins);
        Word &next = coming[(now + 1) & 7];
        if (next.edge != now + 1) return 0xDEAD;
        if (masks[(now - 1) & 3]) {
            next.edge = NEVER;
            return 0xDEAD;
        }
        return next.value;
    }

private:
    static constexpr int64_t NEVER = -(1LL << 40);

    struct Bank {
        int row = -1, last_row = -1;
        int64_t activated = NEVER, precharged = NEVER, written = NEVER;
    };

    struct Word {
        int64_t edge = NEVER;
        uint16_t value = 0;
    };

    const Timing timing;
    const double period;  // ps
    int64_t now = -1, refreshed = NEVER, mode_set = NEVER, burst_begin = 0;
    Bank banks[4];
    Word coming[8];
    uint8_t masks[4] = {3, 3, 3, 3};
    int cas = 0, power_up_refreshes = 0, burst_bank = 0, burst_column = 0;
    bool all_precharged = false, bursting = false, burst_write = false;

    [[noreturn]] void fail(const std::string &rule, const std::string &text) const {
        throw SdramError("cycle " + std::to_string(now) + ": " + rule + ": " + text);
    }

    void apart(const char *rule, int64_t since, uint32_t ps, uint32_t cycles = 1) const {
        const int64_t passed = now - since;
        if (passed * period >= ps - 1.0 && passed >= cycles) return;
        char text[96];
        std::snprintf(text, sizeof text, "%lld cycles are %.1f ns, not %g ns and %u cycles", static_cast<long long>(passed),
                      passed * period / 1e3, ps / 1e3, cycles);
        fail(rule, text);
    }

    void activate(int ba, int row) {
        Bank &bank = banks[ba];
        if (!cas) fail("power-up", "an activation before the mode register is set");
        if (bank.row >= 0) fail("state", "activation of bank " + std::to_string(ba) + ", which is open");
        apart("tRP", bank.precharged, timing.rp);
        apart("tRC", bank.activated, timing.rc);
        for (const Bank &other : banks)
            if (&other != &bank) apart("tRRD", other.activated, timing.rrd);
        counts.activations++;
        counts.misses += row != bank.last_row;
        bank.row = bank.last_row = row;
        bank.activated = now;
    }

    void column(bool write, int ba, int a) {
        if (banks[ba].row < 0) fail("state", "column command to bank " + std::to_string(ba) + ", which is closed");
        if (a >> 10 & 1) fail("A10", "full-page bursts have no automatic precharge");
        apart("tRCD", banks[ba].activated, timing.rcd);
        bursting = true;
        burst_write = write;
        burst_bank = ba;
        burst_column = a & 511;
        burst_begin = now;
    }

    void precharge(int from, int to) {
        for (int ba = from; ba < to; ba++) {
            Bank &bank = banks[ba];
            if (bank.row >= 0) {
                apart("tRAS", bank.activated, timing.ras);
                apart("tWR", bank.written, timing.wr, timing.wr_cycles);
                if ((now - bank.activated) * period > timing.ras_max)
                    fail("tRAS", "bank " + std::to_string(ba) + " was open for too long");
                bank.row = -1;
                bank.precharged = now;
            }
            if (bursting && burst_bank == ba) bursting = false;
        }
        all_precharged |= to - from == 4;
    }

    void idle(const char *what) const {
        for (const Bank &bank : banks) {
            if (bank.row >= 0) fail("state", std::string(what) + " while a bank is open");
            apart("tRP", bank.precharged, timing.rp);
        }
    }

    void refresh() {
        idle("refresh");
        if (!all_precharged) fail("power-up", "a refresh before all banks were precharged");
        refreshed = now;
        if (cas) counts.refreshes++;
        else power_up_refreshes++;
    }

    void set_mode(int ba, int a) {
        idle("the mode register is set");
        if (power_up_refreshes < 8) fail("power-up", "the mode register is set before eight refreshes");
        const int latency = a >> 4 & 7;
        if ((a & ~0x70) != 7 || ba || (latency != 2 && latency != 3))
            fail("mode", "not a sequential full page with a CAS latency of 2 or 3");
        if (timing.clock_khz > (latency == 2 ? timing.cl2_khz : timing.cl3_khz)) fail("CAS latency", "the clock is too fast");
        cas = latency;
        mode_set = now;
    }

    void access(const Pins &pins) {
        Bank &bank = banks[burst_bank];
        const int column = (burst_column + (now - burst_begin)) & 511;
        const uint32_t address = uint32_t(bank.row) << 11 | burst_bank << 9 | column;
        if (!burst_write) {
            coming[(now + cas) & 7] = {now + cas, contents[address]};
            counts.read_beats++;
        } else if (!pins.dqm) {
            if (!pins.dq_oe) fail("write", "nobody drives the data of column " + std::to_string(column));
            contents[address] = pins.dq_o;
            counts.write_beats++;
            bank.written = now;
        } else if (pins.dqm != 3) {
            fail("DQM", "half a word is masked");
        }
    }
};

}  // namespace licgate
