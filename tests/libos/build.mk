# The library OS's programs where they are to run. What needs no Linux beside it takes seconds; the programs
# behind Linux's back ends share one board on each hypervisor.

LIBOS_TEST_APPS := hello attacker posix posix-io web web-tls dns lookup sqlite
TEST_DEPS   += $(foreach a,$(LIBOS_TEST_APPS),$(B)/arm64/apps/$a/$a) $(B)/arm64/bulkhead $(B)/host/bulkhead
TEST_SUITES += $(PYTHON) tests/libos/xen_boot.py;
TEST_SUITES += $(PYTHON) tests/libos/xen_boot.py --on $(B)/arm64/bulkhead;
TEST_SUITES += $(PYTHON) tests/libos/posix_table.py;
TEST_SUITES += $(PYTHON) tests/libos/pure.py;
TEST_SUITES += $(PYTHON) tests/libos/images.py --tap;
TEST_SUITES += $(PYTHON) tests/libos/tool.py;
TEST_SUITES += $(PYTHON) tests/libos/tap.py;
# The demo as a user starts it, with curl: a sealed unikernel behind Linux's netback on Bulkhead.
TEST_DEPS   += $(B)/guest/arm64/Image $(B)/guest/netback.cpio.gz
TEST_SUITES += $(PYTHON) tests/libos/demo_web.py;
TEST_SUITES += $(PYTHON) tests/libos/on_bulkhead.py posix-io lookup web-tls dns sqlite;

# Stages 1 and 2 of every program, lighttpd through its own configure and make included.
NIGHTLY_SUITES += $(PYTHON) tests/libos/stages.py --requests 20000 hello posix posix-io sqlite web web-tls dns lighttpd;
NIGHTLY_SUITES += $(PYTHON) tests/libos/stages.py --valgrind hello posix posix-io sqlite web web-tls dns lighttpd;
NIGHTLY_SUITES += $(PYTHON) tests/libos/images.py;
# lighttpd goes through its own configure and make here: minutes, so not part of `make`.
NIGHTLY_SUITES += $(APP_TOOL) build -t xen lighttpd >&2 && $(PYTHON) tests/libos/on_bulkhead.py --requests 100000 --kills 100;
NIGHTLY_SUITES += $(APP_TOOL) build -t xen lighttpd >&2 && $(PYTHON) tests/libos/on_xen.py --requests 100000 --kills 100;
# What lighttpd's and SQLite's own tests have in C.
NIGHTLY_SUITES += $(PYTHON) tests/libos/suites.py;
# The back ends' domain killed and back, devices unplugged and plugged in again, under load.
NIGHTLY_SUITES += $(PYTHON) tests/libos/back_kill.py --kills 20;
# The whole board cut off, store and back end with it.
NIGHTLY_SUITES += $(PYTHON) tests/libos/sqlite_kill.py 20;
