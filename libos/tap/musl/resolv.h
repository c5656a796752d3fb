/* In place of the host's, whose macros rename some of these. */
#include <netinet/in.h>

hidden int __dn_expand(const unsigned char *packet, const unsigned char *end,
                       const unsigned char *from, char *to, int room);
hidden int __res_mkquery(int operation, const char *name, int class, int type,
                         const unsigned char *data, int size, const unsigned char *record,
                         unsigned char *to, int room);
hidden int __res_msend(int count, const unsigned char *const *queries, const int *sizes,
                       unsigned char *const *answers, int *answer_sizes, int room);
hidden int __res_send(const unsigned char *query, int size, unsigned char *answer, int room);
