/* A TAP device as our network card. */
#include "libos/netdev.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "libos/random.h"
#include "tap/tap.h"

#define FRAMES_PER_POLL 64

static int descriptor = -1;

int tap_descriptor(void)
{
    return descriptor;
}

static int transmit(struct netdev *device, const struct net_piece *pieces, unsigned int count,
                    size_t size, bool partial, uint16_t segment)
{
    struct iovec iov[NET_PIECES_MAX];
    for (unsigned int i = 0; i < count; i++) {
        iov[i] = (struct iovec){(void *)(uintptr_t)pieces[i].data, pieces[i].size};
    }
    if (syscall(SYS_writev, descriptor, iov, (unsigned long)count) < 0) {
        return errno == EAGAIN || errno == ENOBUFS ? -EAGAIN : -EIO;
    }
    return 0;
}

static bool poll_device(struct netdev *device)
{
    unsigned char frame[2048];
    bool any = false;
    for (int i = 0; i < FRAMES_PER_POLL; i++) {
        long size = syscall(SYS_read, descriptor, frame, sizeof(frame));
        if (size <= 0) {
            break;
        }
        any = true;
        if (size <= NET_FRAME_MAX) {
            net_receive(frame, (size_t)size, false);
        }
    }
    return any;
}

static void flush(struct netdev *device)
{
}

static struct netdev tap = {.mtu = 1500, .transmit = transmit, .poll = poll_device, .flush = flush};

struct netdev *netdev_open(void)
{
    const char *name = getenv("LIBOS_TAP");
    struct ifreq request = {.ifr_flags = IFF_TAP | IFF_NO_PI};
    strncpy(request.ifr_name, name != NULL ? name : "tap0", IFNAMSIZ - 1);
    descriptor = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
    if (descriptor < 0 || ioctl(descriptor, TUNSETIFF, &request) != 0) {
        libos_log("cannot use the TAP device %s: %s; make it with: ip tuntap add %s mode tap "
                  "user $USER && ip link set %s up",
                  request.ifr_name, strerror(errno), request.ifr_name, request.ifr_name);
        return NULL;
    }
    random_bytes(tap.mac, sizeof(tap.mac));
    tap.mac[0] = (uint8_t)((tap.mac[0] & 0xfe) | 2); /* locally administered, not multicast */
    return &tap;
}
