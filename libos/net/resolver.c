#include "net/resolver.h"

static uint8_t servers[2][4];

void resolver_set_server(unsigned int index, const uint8_t address[4])
{
    for (int i = 0; index < 2 && i < 4; i++) {
        servers[index][i] = address[i];
    }
}

size_t resolver_text(char *text, size_t size)
{
    size_t used = 0;
    for (int i = 0; i < 2; i++) {
        if (servers[i][0] != 0) {
            used += libos_format(text + used, size - used, "nameserver %d.%d.%d.%d\n",
                                 servers[i][0], servers[i][1], servers[i][2], servers[i][3]);
        }
    }
    return used;
}
