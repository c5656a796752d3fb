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

/*
 * Padded with zeros: as many for each as the longest of those that are not capabilities may have. An ordinary guest is
 * told of the command line what Xen tells it. Who makes domains learns that its own memory is fixed, in Xen's words:
 * without them xl takes it for a dom0 with all memory, and would balloon it down before each `xl create`.
 */
static int64_t text(struct vcpu *v, struct domain *d, const uint64_t *reg, void *arg)
{
    static const char *const texts[] = {[XENVER_extraversion] = ".0-bulkhead",
                                        [XENVER_capabilities] = "xen-3.0-aarch64 xen-3.0-armv7l ",
                                        [XENVER_changeset] = "bulkhead",
                                        [XENVER_commandline] = "<denied>"};
    uint32_t cmd = (uint32_t)reg[0];
    memset(arg, 0, XEN_CHANGESET_INFO_LEN);
    if (cmd == XENVER_commandline && rights_allow(d, RIGHT_BUILD, NULL)) {
        fmt(arg, XEN_CHANGESET_INFO_LEN, "dom0_mem=%luM",
            (unsigned long)(d->config->memory_bytes >> 20));
    } else {
        memcpy(arg, texts[cmd], strlen(texts[cmd]));
    }
    return 0;
}

static int64_t compile_info(struct vcpu *v, struct domain *d, const uint64_t *reg, void *arg)
{
    *(struct xen_compile_info *)arg = (struct xen_compile_info){
        .compiler = __VERSION__, .compile_by = "bulkhead"}; /* no date: builds are reproducible */
    return 0;
}

/* No part of a guest's address space is ours. */
static int64_t platform_parameters(struct vcpu *v, struct domain *d, const uint64_t *reg, void *arg)
{
    *(uint64_t *)arg = 0;
    return 0;
}

static int64_t get_features(struct vcpu *v, struct domain *d, const uint64_t *reg, void *arg)
{
    struct xen_feature_info *info = arg;
    if (info->submap_idx != 0) {
        return -XEN_EINVAL;
    }
    bool direct = d->config->direct_map;
    bool store = rights_allow(d, RIGHT_STORE, NULL);
    info->submap = 1u << XENFEAT_memory_op_vnode_supported | 1u << XENFEAT_writable_page_tables |
                   1u << XENFEAT_auto_translated_physmap | 1u << XENFEAT_ARM_SMCCC_supported |
                   1u << (direct ? XENFEAT_direct_mapped : XENFEAT_not_direct_mapped) |
                   (store ? 1u << XENFEAT_dom0 : 0); /* "you run the store" */
    return 0;
}

static int64_t pagesize(struct vcpu *v, struct domain *d, const uint64_t *reg, void *arg)
{
    return reg[1] != 0 ? -XEN_EINVAL : (int64_t)FRAME_SIZE;
}

static int64_t guest_handle(struct vcpu *v, struct domain *d, const uint64_t *reg, void *arg)
{
    memcpy(arg, (uint64_t[2]){d->id}, 2 * sizeof(uint64_t));
    return 0;
}

int64_t xen_version(struct vcpu *v, uint64_t *arg)
{
    static const struct xen_op ops[] = {
        [XENVER_extraversion] = {text, XEN_EXTRAVERSION_LEN, OP_OUT},
        [XENVER_compile_info] = {compile_info, sizeof(struct xen_compile_info), OP_OUT},
        [XENVER_capabilities] = {text, XEN_CHANGESET_INFO_LEN, OP_OUT},
        [XENVER_changeset] = {text, XEN_CHANGESET_INFO_LEN, OP_OUT},
        [XENVER_platform_parameters] = {platform_parameters, sizeof(uint64_t), OP_OUT},
        [XENVER_get_features] = {get_features, sizeof(struct xen_feature_info), OP_OUT},
        [XENVER_pagesize] = {pagesize},
        [XENVER_guest_handle] = {guest_handle, 16, OP_OUT},
        [XENVER_commandline] = {text, XEN_CHANGESET_INFO_LEN, OP_OUT},
        [XENVER_build_id] = {.error = XEN_EPERM},
    };
    if ((uint32_t)arg[0] == XENVER_version) { /* the first and the commonest, and so the quickest */
        return XEN_MAJOR << 16 | XEN_MINOR;
    }
    return xen_op(v, arg, ops, ARRAY_LEN(ops), arg[1]);
}
