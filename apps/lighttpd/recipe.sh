# Build Debian's lighttpd with the compiler driver: configure and make go through as they are.
# In: CC, AR, RANLIB, BULKHEAD_ROOT, BULKHEAD_HOST. Out: ./objects.
source=$($PYTHON "$BULKHEAD_ROOT/tools/debian.py" source lighttpd)
headers=$($PYTHON "$BULKHEAD_ROOT/tools/debian.py" fetch libc6-dev)
rm -rf build include
cp -a "$source" build
mkdir -p include/sys
# The one header that lighttpd wants and musl does not have.
cp "$headers/usr/include/aarch64-linux-gnu/sys/queue.h" include/sys/queue.h
(
    cd build
    # Keep automake from wanting to run again: generated files are newer than their sources.
    touch aclocal.m4
    touch configure config.h.in Makefile.in src/Makefile.in
    LIGHTTPD_STATIC=yes CFLAGS="-Os -I$PWD/../include" ./configure \
        --host="$BULKHEAD_HOST" --disable-shared --without-pcre2 --without-zlib \
        --without-bzip2 --disable-lfs --disable-mmap CC_FOR_BUILD=cc
    # The modules that root/etc/lighttpd.conf names; others (access, alias, setenv, dirlisting ...) go here and there.
    for module in indexfile staticfile; do
        echo "PLUGIN_INIT(mod_$module)"
    done >src/plugin-static.h
    make -C src versionstamp lighttpd CC_FOR_BUILD=cc
) >build.log 2>&1 || { tail -n 30 build.log >&2; exit 1; }
ls build/src/lighttpd-*.o build/src/*/lighttpd-*.o >objects
