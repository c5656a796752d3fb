/*
 * xen_version: who we say we are. Guests, sysfs and Debian's tool wrappers look
 * for 4.17; everything else tells the truth about Bulkhead.
 *
 * Source: public/version.h, public/features.h.
 */
#include "xen-internal.h"

#include <hyp/config.h>
#include <hyp/log.h>
#include <hyp/rights.h>
#include <lib/string.h>
#include <xen/version.h>

#define XEN_MAJOR 4u
#define XEN_MINOR 17u

int64_t xen_version(struct vcpu *v, uint64_t *arg);

/* Text for a buffer of `size` bytes, padded with zeros for at least 64 of them. */
static int64_t put_text(struct vcpu *v, uint64_t at, const char *text, size_t size)
{
    char buffer[XEN_CHANGESET_INFO_LEN] = {0};
    size_t length = strlen(text);
    memcpy(buffer, text, length);
    size_t head = size < sizeof(buffer) ? size : sizeof(buffer);
    return guest_va_write(v, at, buffer, head) != 0 ? -XEN_EFAULT : 0;
}

/*
 * An ordinary guest is told what Xen tells it. Who makes domains learns that its own memory is fixed, in Xen's words:
 * without them xl takes it for a dom0 with all memory, and would balloon it down before each `xl create`.
 */
static int64_t command_line(struct vcpu *v, uint64_t at)
{
    char text[XEN_CHANGESET_INFO_LEN] = "<denied>";
    if (rights_allow(v->domain, RIGHT_BUILD, NULL)) {
        fmt(text, sizeof(text), "dom0_mem=%luM",
            (unsigned long)(v->domain->config->memory_bytes >> 20));
    }
    return put_text(v, at, text, sizeof(text));
}

static int64_t compile_info(struct vcpu *v, uint64_t at)
{
    struct xen_compile_info info = {.compiler = __VERSION__,
                                    .compile_by = "bulkhead",
                                    .compile_domain = "",
                                    .compile_date = ""}; /* builds are reproducible */
    return guest_va_write(v, at, &info, sizeof(info)) != 0 ? -XEN_EFAULT : 0;
}

static int64_t get_features(struct vcpu *v, uint64_t at)
{
    struct xen_feature_info info;
    if (guest_va_read(v, &info, at, sizeof(info)) != 0) {
        return -XEN_EFAULT;
    }
    if (info.submap_idx != 0) {
        return -XEN_EINVAL;
    }
    const struct domain_config *c = v->domain->config;
    bool direct = c != NULL && c->direct_map;
    info.submap = 1u << XENFEAT_memory_op_vnode_supported | 1u << XENFEAT_writable_page_tables |
                  1u << XENFEAT_auto_translated_physmap | 1u << XENFEAT_ARM_SMCCC_supported |
                  1u << (direct ? XENFEAT_direct_mapped : XENFEAT_not_direct_mapped) |
                  (rights_allow(v->domain, RIGHT_STORE, NULL) ? 1u << XENFEAT_dom0
                                                              : 0); /* "you run the store" */
    return guest_va_write(v, at, &info, sizeof(info)) != 0 ? -XEN_EFAULT : 0;
}

int64_t xen_version(struct vcpu *v, uint64_t *arg)
{
    uint64_t at = arg[1];
    switch ((uint32_t)arg[0]) {
    case XENVER_version:
        return XEN_MAJOR << 16 | XEN_MINOR;
    case XENVER_extraversion:
        return put_text(v, at, ".0-bulkhead", XEN_EXTRAVERSION_LEN);
    case XENVER_compile_info:
        return compile_info(v, at);
    case XENVER_capabilities:
        return put_text(v, at, "xen-3.0-aarch64 xen-3.0-armv7l ", XEN_CAPABILITIES_INFO_LEN);
    case XENVER_changeset:
        return put_text(v, at, "bulkhead", XEN_CHANGESET_INFO_LEN);
    case XENVER_platform_parameters: {
        uint64_t virt_start = 0; /* no part of a guest's address space is ours */
        return guest_va_write(v, at, &virt_start, sizeof(virt_start)) != 0 ? -XEN_EFAULT : 0;
    }
    case XENVER_get_features:
        return get_features(v, at);
    case XENVER_pagesize:
        return at != 0 ? -XEN_EINVAL : (int64_t)FRAME_SIZE;
    case XENVER_guest_handle: {
        uint8_t handle[16] = {(uint8_t)v->domain->id, (uint8_t)(v->domain->id >> 8)};
        return guest_va_write(v, at, handle, sizeof(handle)) != 0 ? -XEN_EFAULT : 0;
    }
    case XENVER_commandline:
        return command_line(v, at);
    case XENVER_build_id:
        return -XEN_EPERM;
    default:
        return -XEN_ENOSYS;
    }
}
