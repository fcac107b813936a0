// The ports of a model that Verilator made, with the members that those of CXXRTL's have, so that a harness drives
// either. licgate/sim/verilator.py writes the struct with a Pin for each port.

#pragma once

#include <cstdint>
#include <type_traits>

namespace licgate {

template<int WIDTH>
class Pin {
    static constexpr bool WIDE = WIDTH > 64;

public:
    using Signal = std::conditional_t<WIDTH <= 8, CData,
                   std::conditional_t<WIDTH <= 16, SData,
                   std::conditional_t<WIDTH <= 32, IData,
                   std::conditional_t<WIDTH <= 64, QData, VlWide<(WIDTH + 31) / 32>>>>>;

    explicit Pin(Signal &signal) : data(*this), signal(signal) {}

    template<class Integer>
    Integer get() const {
        static_assert(!WIDE, "word by word");
        return Integer(signal);
    }

    // Bits beyond the width are dropped: a model takes it for granted that there are none.
    template<class Integer>
    void set(Integer value) {
        static_assert(!WIDE, "word by word");
        signal = Signal(uint64_t(value) & ~uint64_t(0) >> (64 - WIDTH));
    }

    // The words of a port, lowest first; of the last one, all bits belong to the port.
    class Words {
        Pin &pin;

    public:
        explicit Words(Pin &pin) : pin(pin) {}

        uint32_t &operator[](size_t word) {
            static_assert(WIDTH % 32 == 0, "whole words");
            return reinterpret_cast<uint32_t *>(&pin.signal)[word];
        }
    } data;

private:
    Signal &signal;
};

}  // namespace licgate
