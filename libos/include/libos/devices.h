/* What the generated configuration may start; each pulls its whole subsystem into the image. */
#ifndef LIBOS_DEVICES_H
#define LIBOS_DEVICES_H

/** Mount the archive sealed into the image, at /. */
void files_start(void);

/** Attach the first block device and mount its file system at `path`. */
void disk_start(const char *path);

/** Mount a writable file system in memory at `path`: what it holds is gone with the domain. */
void scratch_start(const char *path);

/** Attach the first network device, start TCP/IP and configure addresses. */
void net_start(void);

/** Show the C library's resolver its name servers, as /etc/resolv.conf. Before net_start(). */
void resolver_start(void);

#endif
