#include "framing/frame.h"

uint16_t attune_crc16(uint16_t crc, const uint8_t *bytes, size_t size) {
    for (size_t i = 0; i < size; i++) {
        crc = (uint16_t)(crc ^ (bytes[i] << 8));
        for (int bit = 0; bit < 8; bit++) {
            bool carry = (crc & 0x8000u) != 0;
            crc = (uint16_t)(crc << 1);
            if (carry) {
                crc ^= 0x1021u;
            }
        }
    }
    return crc;
}
