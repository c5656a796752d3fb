#include "libos/config.h"

#include <string.h>

struct config_pair {
    const char *name;
    const char *value;
};
extern struct config_pair config_pairs[]; /* generated; ends with a NULL name */

void config_override(const char *word)
{
    const char *equals = strchr(word, '=');
    for (struct config_pair *pair = config_pairs; equals != NULL && pair->name != NULL; pair++) {
        size_t length = strlen(pair->name);
        if ((size_t)(equals - word) == length && memcmp(word, pair->name, length) == 0) {
            pair->value = equals + 1;
            return;
        }
    }
    libos_log("boot argument %s means nothing to this program; ignored", word);
}

const char *config_value(const char *name)
{
    for (struct config_pair *pair = config_pairs; pair->name != NULL; pair++) {
        if (strcmp(pair->name, name) == 0) {
            return pair->value;
        }
    }
    return NULL;
}
