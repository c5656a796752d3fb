/*
 * Device models: who answers a guest's accesses to devices that are not there.
 *
 * Source: Xen 4.17 public/hvm/dm_op.h, public/hvm/ioreq.h.
 */
#ifndef ABI_XEN_DM_OP_H
#define ABI_XEN_DM_OP_H

#include <xen/xen.h>

#define XEN_DMOP_create_ioreq_server 1
#define XEN_DMOP_get_ioreq_server_info 2
#define XEN_DMOP_map_io_range_to_ioreq_server 3
#define XEN_DMOP_unmap_io_range_from_ioreq_server 4
#define XEN_DMOP_set_ioreq_server_state 5
#define XEN_DMOP_destroy_ioreq_server 6
#define XEN_DMOP_set_irq_level 19
#define XEN_DMOP_nr_vcpus 20

#define XEN_DMOP_no_gfns 1
#define XEN_DMOP_IO_RANGE_MEMORY 1

#define HVM_IOREQSRV_BUFIOREQ_OFF 0
#define HVM_IOREQSRV_BUFIOREQ_ATOMIC 2

struct xen_dm_op_create_ioreq_server {
    uint8_t handle_bufioreq;
    uint8_t pad[3];
    uint16_t id;
};
struct xen_dm_op_get_ioreq_server_info {
    uint16_t id;
    uint16_t flags;
    uint32_t bufioreq_port;
    uint64_t ioreq_gfn, bufioreq_gfn;
};
struct xen_dm_op_ioreq_server_range {
    uint16_t id;
    uint16_t pad;
    uint32_t type;
    uint64_t start, end; /* both within */
};
struct xen_dm_op_set_ioreq_server_state {
    uint16_t id;
    uint8_t enabled;
    uint8_t pad;
};
struct xen_dm_op_set_irq_level {
    uint32_t irq;
    uint8_t level;
    uint8_t pad[3];
};
struct xen_dm_op {
    uint32_t op;
    uint32_t pad;
    union {
        struct xen_dm_op_create_ioreq_server create_ioreq_server;
        struct xen_dm_op_get_ioreq_server_info get_ioreq_server_info;
        struct xen_dm_op_ioreq_server_range map_io_range_to_ioreq_server;
        struct xen_dm_op_ioreq_server_range unmap_io_range_from_ioreq_server;
        struct xen_dm_op_set_ioreq_server_state set_ioreq_server_state;
        struct {
            uint16_t id;
            uint16_t pad;
        } destroy_ioreq_server;
        struct xen_dm_op_set_irq_level set_irq_level;
        struct {
            uint32_t vcpus;
        } nr_vcpus;
    } u;
};
struct xen_dm_op_buf {
    xen_handle_t h;
    xen_ulong_t size;
};

/* Of a vCPU's access, in the server's page (struct ioreq: hyp/core/control/ioreq.c). */
#define STATE_IOREQ_NONE 0
#define STATE_IOREQ_READY 1
#define STATE_IORESP_READY 3
#define IOREQ_TYPE_COPY 1
#define IOREQ_WRITE 0
#define IOREQ_READ 1

#endif
