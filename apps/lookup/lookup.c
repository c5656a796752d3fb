/*
 * The addresses of names, one line each, by the C library's resolver.
 *
 *   lookup [-4 | -6 | -a | -h] NAME...     -4, -6: of one kind; -a: of both (so at first);
 *                                          -h: by gethostbyname(). For the names that follow.
 *
 * Exit status 1 if somebody who should know did not answer.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

static void print_address(int family, const void *address)
{
    char text[INET6_ADDRSTRLEN];
    printf(" %s", inet_ntop(family, address, text, sizeof(text)));
}

#ifndef EAI_NODATA
#define EAI_NODATA EAI_NONAME /* glibc tells them apart */
#endif

/* Both return whether the question was answered, be it by "there is no such name". */
static int by_addrinfo(const char *name, int family)
{
    struct addrinfo hints = {.ai_family = family, .ai_socktype = SOCK_STREAM}, *found;
    int error = getaddrinfo(name, NULL, &hints, &found);
    if (error != 0) {
        int none = error == EAI_NONAME || error == EAI_NODATA;
        printf(" %s", none ? "no such name" : gai_strerror(error));
        return none;
    }
    for (struct addrinfo *at = found; at != NULL; at = at->ai_next) {
        const struct sockaddr_in *in = (void *)at->ai_addr;
        const struct sockaddr_in6 *in6 = (void *)at->ai_addr;
        print_address(at->ai_family,
                      at->ai_family == AF_INET ? (void *)&in->sin_addr : (void *)&in6->sin6_addr);
    }
    freeaddrinfo(found);
    return 1;
}

static int by_hostname(const char *name)
{
    struct hostent *found = gethostbyname(name);
    if (found == NULL) {
        int none = h_errno == HOST_NOT_FOUND || h_errno == NO_DATA;
        printf(" %s", none ? "no such name" : hstrerror(h_errno));
        return none;
    }
    for (char **address = found->h_addr_list; *address != NULL; address++) {
        print_address(found->h_addrtype, *address);
    }
    return 1;
}

int main(int argc, char **argv)
{
    char how = 'a';
    int failed = 0;
    if (argc < 2) {
        fprintf(stderr, "usage: %s [-4 | -6 | -a | -h] NAME...\n", argv[0]);
        return 2;
    }
    for (int i = 1; i < argc; i++) {
        if (argv[i][0] == '-' && argv[i][1] != '\0' && strchr("46ah", argv[i][1]) != NULL) {
            how = argv[i][1];
            continue;
        }
        printf("%s:", argv[i]);
        failed |= !(how == 'h' ? by_hostname(argv[i])
                               : by_addrinfo(argv[i], how == '4'   ? AF_INET
                                                      : how == '6' ? AF_INET6
                                                                   : AF_UNSPEC));
        printf("\n");
    }
    return failed;
}
