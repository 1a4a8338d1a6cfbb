#include <stdint.h>
#include <stdio.h>

static uint32_t adler32(const uint8_t *data, size_t length) {
    uint32_t a = 1, b = 0;
    for (size_t i = 0; i < length; i++) {
        a = (a + data[i]) % 65521;
        b = (b + a) % 65521;
    }
    return (b << 16) | a;
}

int main(void) {
    uint8_t buffer[4096];
    size_t length = fread(buffer, 1, sizeof(buffer), stdin);
    printf("%08x\n", adler32(buffer, length));
    return 0;
}
