#include "xlkeys.h"

#include <stddef.h>

/* clang-format off */
const char *const xl_keys[] = {
    "acpi", "acpi_firmware", "acpi_laptop_slate", "acpi_s3", "acpi_s4", "altp2m", "altp2mhvm",
    "apic", "autoballoon", "bios", "bios_path_override", "boot", "bootloader", "bootloader_args",
    "builder", "channel", "claim_mode", "cpuid", "cpus_soft", "device_model_args",
    "device_model_args_hvm", "device_model_args_pv", "device_model_override",
    "device_model_stubdomain_override", "device_model_stubdomain_seclabel", "device_model_user",
    "device_model_version", "dm_restrict", "driver_domain", "e820_host", "extratime", "firmware",
    "firmware_override", "gfx_passthru", "hap", "hdtype", "hpet", "hvm", "init_seclabel",
    "ioports", "keymap", "latency", "localtime", "max_event_channels", "max_grant_frames",
    "max_grant_version", "max_maptrack_frames", "mca_caps", "mmio_hole", "ms_vm_genid",
    "msr_relaxed", "nestedhvm", "nodes", "nographic", "nomigrate", "nx", "on_soft_reset",
    "on_watchdog", "oos", "opengl", "p9", "pae", "passthrough", "pci", "pci_msitranslate",
    "pci_permissive", "pci_power_mgmt", "pci_seize", "pool", "pvcalls", "pvshim",
    "pvshim_cmdline", "pvshim_extra", "pvshim_path", "rdm", "rdm_mem_boundary", "rtc_timeoffset",
    "sdl", "seclabel", "serial", "shadow_memory", "slice", "smbios_firmware", "soundhw", "spice",
    "spice_clipboard_sharing", "spice_image_compression", "spice_streaming_video",
    "spiceagent_mouse", "spicedisable_ticketing", "spicehost", "spicepasswd", "spiceport",
    "spicetls_port", "spiceusbredirection", "spicevdagent", "stdvga", "stubdomain_cmdline",
    "stubdomain_kernel", "stubdomain_memory", "stubdomain_ramdisk", "tee", "timer_mode",
    "tsc_mode", "usb", "usbctrl", "usbdev", "usbdevice", "usbversion", "uuid", "vdispl",
    "vendor_device", "vfb", "vga", "videoram", "viridian", "virtio", "vkb", "vkb_device",
    "vmtrace_buf_kb", "vnc", "vncdisplay", "vnclisten", "vncpasswd", "vncunused", "vnuma", "vpmu",
    "vpt_align", "vsnd", "vtpm", "xen_platform_pci", "xend_suspend_evtchn_compat",
    NULL
};
