# Build the C programs of `make check` with the compiler driver and put them behind one main().
# In: CC, AR, RANLIB, BULKHEAD_ROOT, BULKHEAD_HOST. Out: ./objects.
source=$($PYTHON "$BULKHEAD_ROOT/tools/debian.py" source lighttpd)
headers=$($PYTHON "$BULKHEAD_ROOT/tools/debian.py" fetch libc6-dev)
rm -rf build include
cp -a "$source" build
mkdir -p include/sys
# The one header that lighttpd wants and musl does not have.
cp "$headers/usr/include/aarch64-linux-gnu/sys/queue.h" include/sys/queue.h
programs="test_common test_configfile test_mod"
(
    cd build
    # Keep automake from wanting to run again: generated files are newer than their sources.
    touch aclocal.m4
    touch configure config.h.in Makefile.in src/Makefile.in
    CFLAGS="-Os -I$PWD/../include" ./configure \
        --host="$BULKHEAD_HOST" --disable-shared --without-pcre2 --without-zlib \
        --without-bzip2 --disable-lfs --disable-mmap CC_FOR_BUILD=cc
    for program in $programs; do
        make -C src versionstamp "t/$program" CC_FOR_BUILD=cc
    done
) >build.log 2>&1 || { tail -n 30 build.log | cut -c 1-300 >&2; exit 1; }
# Each program as one object: its main under its name, everything else its own, for they have objects in common.
# Without test_mod_ssi, which starts a process; main.c has something in its place.
cross=
[ "$BULKHEAD_STAGE" != xen ] || cross=aarch64-linux-gnu-
for program in $programs; do
    objects=$(sed -n "s/^libtool: link: .* -o t\/$program \(.*\)/\1/p" build.log | tail -n 1 | tr ' ' '\n' | grep '\.o$' | grep -v test_mod_ssi)
    (cd build/src && ${cross}ld -r -o "../../$program.o" $objects)
    ${cross}objcopy --redefine-sym main="$program" --keep-global-symbol="$program" "$program.o"
    echo "$program.o"
done >objects
$CC -Os -c "$BULKHEAD_ROOT/apps/lighttpd-check/main.c" -o main.o
echo main.o >>objects
