/* The image: one flat file, linked at IMAGE_VA, position-independent until its MMU is on. */
#include <arch/layout.h>

OUTPUT_FORMAT("elf64-littleaarch64")
ENTRY(image_head)

SECTIONS
{
    . = IMAGE_VA;
    image_start = .;
    .text : {
        *(.head)
        *(.vectors)
        *(.text .text.*)
    }
    . = ALIGN(4096);
    rodata_start = .;
    .rodata : {
        *(.rodata .rodata.*)
    }
    . = ALIGN(4096);

    /* Boot code and boot data, given back once every CPU is up. */
    init_text_start = .;
    .init.text : {
        *(.init.text .init.text.*)
    }
    . = ALIGN(4096);
    init_data_start = .;
    .init.data : {
        *(.init.data .init.data.*)
    }
    . = ALIGN(4096);

    data_start = .;
    .data : {
        *(.data .data.*)
    }
    . = ALIGN(64); /* both are writable: they share a page, and the page tables come last */
    bss_start = .;
    .bss (NOLOAD) : {
        *(SORT_BY_ALIGNMENT(.bss.[!.]*))
        *(.bss COMMON)
    }
    . = ALIGN(4096);
    .bss.pages (NOLOAD) : {
        *(.bss..page)
    }
    . = ALIGN(4096);
    image_end = .;
    image_size = ABSOLUTE(image_end - image_start);

    /* All of it is mapped by one level-3 table. */
    ASSERT(image_end - image_start <= 0x200000, "image does not fit in 2 MiB")
    ASSERT((vectors & 0x7ff) == 0, "VBAR_EL2 needs 2 KiB alignment")

    /* Absolute addresses are link-time constants: there must be nothing to relocate. */
    .rela : { *(.rela .rela.* .iplt .igot .igot.plt .got .got.plt) }
    ASSERT(SIZEOF(.rela) == 0, "relocations in a fixed-address image")

    .symtab 0 : { *(.symtab) }
    .strtab 0 : { *(.strtab) }
    .shstrtab 0 : { *(.shstrtab) }
    .comment 0 : { *(.comment) }
    .debug_info 0 : { *(.debug_info) }
    .debug_abbrev 0 : { *(.debug_abbrev) }
    .debug_line 0 : { *(.debug_line) }
    .debug_line_str 0 : { *(.debug_line_str) }
    .debug_str 0 : { *(.debug_str) }
    .debug_str_offsets 0 : { *(.debug_str_offsets) }
    .debug_addr 0 : { *(.debug_addr) }
    .debug_frame 0 : { *(.debug_frame) }
    .debug_aranges 0 : { *(.debug_aranges) }
    .debug_ranges 0 : { *(.debug_ranges) }
    .debug_rnglists 0 : { *(.debug_rnglists) }
    .debug_loc 0 : { *(.debug_loc) }
    .debug_loclists 0 : { *(.debug_loclists) }
    /DISCARD/ : { *(.note.GNU-stack) *(.eh_frame) *(.note.gnu.build-id) *(.dynsym .dynstr .hash .gnu.hash .interp .dynamic) }
}
