// Drives a model of licgate's Accelerator: writes registers, answers patches with pixels, collects latents.
// The host it plays is always ready and always has the next pixel, unless the job gives it coins: then it sends late and
// takes when it likes, see licgate/sim/faults.py. licgate/sim/pysim.py plays the same one.
// An image of width 0 stands for values that are sent in their order, all of them, for the one patch there is.
//
// usage: harness JOB RESULT [SEED]   (both little-endian uint32, see licgate/sim/cxxrtl.py)
// Progress goes to standard output, one number of latents a line.

#include "model.cc"
#include "chance.hpp"
#include "job.hpp"
#include "registers.h"  // licgate registers --header

namespace {

using Design = cxxrtl_design::p_top;

struct Coin {
    uint32_t state;

    uint32_t pause() {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        return state & 31 ? state >> 5 & 3 : state >> 5 & 511;
    }
};

struct Gate {
    Coin coin;
    uint32_t closed = 0;

    bool tick() {
        if (!coin.state) return true;
        if (closed) { closed--; return false; }
        closed = coin.pause();
        return true;
    }
};

struct Host {
    Design top;
    uint64_t cycles = 0;

    void settle() { top.p_clk.set<bool>(false); top.step(); }
    void edge() { top.p_clk.set<bool>(true); top.step(); cycles++; }

    void write(uint32_t address, uint32_t value) {
        top.p_csr____addr.set<uint32_t>(address);
        top.p_csr____w__data.set<uint32_t>(value);
        top.p_csr____w__stb.set<bool>(true);
        settle(); edge();
        top.p_csr____w__stb.set<bool>(false);
    }

    uint32_t read(uint32_t address) {
        top.p_csr____addr.set<uint32_t>(address);
        for (int cycle = 0; cycle < 2; cycle++) { settle(); edge(); }
        settle();
        return top.p_csr____r__data.get<uint32_t>();
    }
};

}  // namespace

int main(int argc, char **argv) {
    if (argc != 3 && argc != 4) { std::fprintf(stderr, "usage: harness JOB RESULT [SEED]\n"); return 2; }
    const std::vector<uint32_t> job = licgate::load(argv[1]);
    if (job.size() < 7) { std::fprintf(stderr, "the job is too short\n"); return 2; }
    size_t at = 0;
    const uint32_t writes = job[at++], image_width = job[at++], patience = job[at++], counters = job[at++];
    Coin coin{job[at++]};
    Gate patch_gate{{job[at++]}}, latent_gate{{job[at++]}};
    const uint32_t *registers = &job[at];
    at += 2 * size_t(writes) + counters;
    const uint32_t *reads = job.data() + at - counters, *image = job.data() + at;
    const size_t values = job.size() - at;

    Host host;
    Design &top = host.top;
    licgate::Chance chance(top, argc > 3 ? argv[3] : nullptr);
    top.p_o____ready.set<bool>(true);
    top.p_o__patch____ready.set<bool>(true);
    if (chance.taken) {
        host.write(LICGATE_REG_CONTROL, LICGATE_CONTROL_RESET);
        // that it does not end, the watchdog will tell
        for (uint32_t k = 0; k < 2 * licgate::RESET_CYCLES && host.read(LICGATE_REG_STATUS) & LICGATE_STATUS_BUSY; k++) {}
        chance.begin();
    }
    for (uint32_t k = 0; k < writes; k++) host.write(registers[2 * k], registers[2 * k + 1]);
    top.p_csr____addr.set<uint32_t>(LICGATE_REG_STATUS);

    std::vector<uint32_t> patches, latents;
    uint32_t x = 0, y = 0, w = 0, h = 0, column = 0, row = 0;
    size_t sent = 0;
    uint32_t late = 0;  // cycles until the next pixel is offered
    bool pixels = false, started = false;
    uint64_t event = host.cycles;
    licgate::Progress progress;
    bool hang = false;
    for (;;) {
        const bool offered = pixels && !late, patch_open = patch_gate.tick(), latent_open = latent_gate.tick();
        top.p_i____valid.set<bool>(offered);
        top.p_o____ready.set<bool>(latent_open);
        top.p_o__patch____ready.set<bool>(patch_open);
        const size_t place = image_width ? size_t(y + row) * image_width + x + column : sent;
        top.p_i____payload.set<uint32_t>(offered ? image[place] : 0);
        host.settle();
        const uint32_t status = top.p_csr____r__data.get<uint32_t>();
        if (started && !(status & LICGATE_STATUS_BUSY)) break;
        started |= status & LICGATE_STATUS_BUSY;
        const bool taken = offered && top.p_i____ready.get<bool>();
        const bool asked = patch_open && top.p_o__patch____valid.get<bool>();
        const bool latent = latent_open && top.p_o____valid.get<bool>();
        if (latent) latents.push_back(top.p_o____payload.get<uint32_t>());
        if (asked) {
            const uint64_t payload = top.p_o__patch____payload.get<uint64_t>();
            x = payload & 0xffff, y = payload >> 16 & 0xffff, w = payload >> 32 & 0xffff, h = payload >> 48;
        }
        host.edge();
        if (taken && !image_width) {
            if (++sent == values) pixels = false;
        } else if (taken && ++column == w) {
            column = 0;
            if (++row == h) pixels = false;
        }
        if (asked) {
            for (uint32_t value : {x, y, w, h}) patches.push_back(value);
            column = row = 0;
            sent = 0;
            pixels = true;
        }
        if (taken || asked) late = coin.state ? coin.pause() : 0;
        else if (late) late--;
        if (taken || asked || latent) event = host.cycles;
        if (status & LICGATE_STATUS_HUNG || host.cycles - event > 4 * uint64_t(patience) + 10'000 || (!started && host.cycles - event > 1000)) { hang = true; break; }
        if ((host.cycles & licgate::GLANCE) == 0) progress.tell(latents.size());
    }

    std::vector<uint32_t> result = {uint32_t(hang), chance.clashes(), host.read(LICGATE_REG_STATUS), uint32_t(patches.size() / 4), uint32_t(latents.size())};
    for (uint32_t k = 0; k < counters; k++) result.push_back(host.read(reads[k]));
    result.insert(result.end(), patches.begin(), patches.end());
    result.insert(result.end(), latents.begin(), latents.end());
    return licgate::save(argv[2], result) ? 0 : 2;
}
