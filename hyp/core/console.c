/* The serial line shared by all consoles; hyp/console.h. */
#include <hyp/console.h>

#include <hyp/log.h>
#include <hyp/uart.h>

static void show_log_line(const char *line, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        uart_putc(line[i]);
    }
    uart_putc('\r');
    uart_putc('\n');
}

void console_early_init(const void *fdt)
{
    if (uart_probe(fdt) == 0) {
        log_set_sink(show_log_line);
    }
}

void console_start(void)
{
}

void console_panic(void)
{
    log_panic_mode(uart_putc);
}
