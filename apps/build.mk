# Applications: built by tools/app from their manifests; make only knows when.
APPS := hello attacker posix posix-io web web-tls dns lookup sqlite
APP_IMAGES := $(foreach a,$(APPS),$(B)/arm64/apps/$a/$a)
APP_TOOL   := $(PYTHON) tools/app/app.py

define APP_RULE
$(B)/arm64/apps/$1/$1: $(addprefix $(B)/arm64/libos/,libos.a net.a net4.a compat.a) \
        $(if $(findstring mbedtls,$(shell cat apps/$1/app.conf)),$(B)/arm64/libos/mbedtls.a) $(wildcard tools/app/*.py) \
        $(shell find apps/$1 apps/web/files -type f) libos/core/syscalls.list libos/arch/arm64/image.lds
	$(Q)$(APP_TOOL) build -t xen $1 && mkdir -p $$(@D) && touch $$@
endef
$(foreach a,$(APPS),$(eval $(call APP_RULE,$a)))

ALL += $(APP_IMAGES)
