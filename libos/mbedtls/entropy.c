/* mbedTLS's source of entropy: the library OS's generator, seeded by the hypervisor. */
#include <stddef.h>
#include <sys/random.h>

int mbedtls_hardware_poll(void *data, unsigned char *output, size_t size, size_t *got);
int mbedtls_hardware_poll(void *data, unsigned char *output, size_t size, size_t *got)
{
    ssize_t count = getrandom(output, size, 0);
    *got = count < 0 ? 0 : (size_t)count;
    return count < 0 ? -1 : 0;
}
